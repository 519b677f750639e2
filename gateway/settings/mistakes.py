"""What is wrong with a configuration: where it stands, and how it is told."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""The way to a value: keys of mappings and positions in lists."""

SHORTEST_SECRET = 4
"""Characters; whatever is shorter is found in any sentence."""


class Wrong(NamedTuple):
    """What a check found, and at which value."""

    path: Path
    text: str


class Place(NamedTuple):
    """Where a value stands in the file; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing that is wrong. Its `str` is the line that the command line prints."""

    file: str
    line: int
    column: int
    path: str
    """Keys and positions between dots; empty for the file as a whole."""
    text: str
    """What is wrong, and what to write."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: "
        return f"{where}{self.path}: {self.text}" if self.path else f"{where}{self.text}"


class SettingsError(Exception):
    """A configuration that cannot be used. Holds every mistake in it, in the order of the file."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(map(str, self.mistakes)))


def told(path: Path) -> str:
    """The path as people read it: `routes.orders.policies.0`."""
    return ".".join(_part(part) for part in path)


def _part(part: str | int) -> str:
    # A key may hold dots, or what would move the cursor of a terminal.
    return (
        str(part) if re.fullmatch(r"[^\s.\x00-\x1f\x7f]+", str(part)) and str(part).isprintable() else json.dumps(part)
    )


def without(secrets: Mapping[str, str], text: str) -> str:
    """The text, with what variables stood for replaced by how they are written in the file."""
    for secret, written in sorted(secrets.items(), key=lambda each: -len(each[0])):
        if len(secret) >= SHORTEST_SECRET:
            # A sentence may say it in another case: "write GET".
            text = re.sub(re.escape(secret), written.replace("\\", r"\\"), text, flags=re.IGNORECASE)
    return text
