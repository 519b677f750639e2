"""Options that many commands have."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How a command prints."""

    TEXT = "text"
    JSON = "json"


Config = Annotated[Path, typer.Option("--config", "-c", envvar="TOKENWARD_CONFIG", help="The configuration file.")]
Shape = Annotated[Format, typer.Option("--format", help="How to print.")]
DEFAULT = Path("tokenward.yaml")
Limit = Annotated[int, typer.Option(min=1, max=200, help="How many.")]
After = Annotated[str, typer.Option(help="Where the page before ended.")]


def group(text: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None)
