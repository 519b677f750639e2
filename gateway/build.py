"""Which build of Tokenward this is."""

import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from gateway.aiohttp_inside import PARSER


@dataclass(frozen=True, slots=True)
class Build:
    """What `/version` and the metrics say of this program."""

    version: str
    revision: str
    """Of the sources; the image sets it as TOKENWARD_REVISION. `unknown` elsewhere."""
    http_parser: str
    """`llhttp`, or `python` where aiohttp was installed without its extension: then nothing is served."""
    compiled: bool
    """Whether the modules of each request were compiled. They do the same in less time."""


def this_build() -> Build:
    """What is installed here."""
    try:
        release = version("tokenward")
    except PackageNotFoundError:
        release = "unknown"
    return Build(release, os.environ.get("TOKENWARD_REVISION") or "unknown", PARSER, _is_compiled())


def _is_compiled() -> bool:
    module = find_spec("gateway.chain")
    return module is not None and not (module.origin or "").endswith(".py")
