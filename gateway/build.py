"""Which build of Tokenward this is."""

import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from gateway.aiohttp_inside import PARSER


@dataclass(frozen=True, slots=True)
class Build:
    """What `/version` and the metrics say of this program."""

    version: str
    revision: str
    """Of the sources; the image sets it as TOKENWARD_REVISION. `unknown` elsewhere."""
    http_parser: str
    """`llhttp`, or `python` where aiohttp was installed without its extension: then nothing is served."""


def this_build() -> Build:
    """What is installed here."""
    try:
        release = version("tokenward")
    except PackageNotFoundError:
        release = "unknown"
    return Build(release, os.environ.get("TOKENWARD_REVISION") or "unknown", PARSER)
