"""Configurations of gateways and servers, with the ports and paths of a run filled in."""

import re
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent / "configurations"
# Not Python's `$name`: the configurations have variables of their own.
PLACE = re.compile(r"@([A-Z][A-Z0-9_]*)@")


def render(text: str, values: Mapping[str, object]) -> str:
    """The text with each `@NAME@` replaced. Raises KeyError for one that has no value."""
    return PLACE.sub(lambda found: str(values[found[1]]), text)


def write(template: str, target: Path, values: Mapping[str, object]) -> None:
    """Render a file of `configurations/` into another one."""
    target.write_text(render((FOLDER / template).read_text(), values))
