"""Which build of Tokenward this is."""

import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from aiohttp import http_parser


@dataclass(frozen=True, slots=True)
class Build:
    """What `/version` and the metrics say of this program."""

    version: str
    revision: str
    """Of the sources; the image sets it as TOKENWARD_REVISION. `unknown` elsewhere."""
    http_parser: str
    """`llhttp`, or `python` where aiohttp was installed without its extension: slower, and laxer."""


def this_build() -> Build:
    """What is installed here."""
    try:
        release = version("tokenward")
    except PackageNotFoundError:
        release = "unknown"
    return Build(release, os.environ.get("TOKENWARD_REVISION") or "unknown", _parser())


def _parser() -> str:
    # Of the two names aiohttp binds the first to the extension's class, where there is one.
    return "python" if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy else "llhttp"
