"""When a policy applies: conditions on method and path. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import re2  # type: ignore[import-untyped]  # the wheel carries no types; Pattern says what we use

REST = "**"
"""As the last segment of a template: whatever follows."""


class Pattern(Protocol):
    """A compiled RE2 pattern: its time grows with the input only, whatever the expression (no backtracking)."""

    def fullmatch(self, text: str) -> object | None: ...


@dataclass(frozen=True, slots=True)
class Condition:
    """Applies to requests with one of the methods, and with a path that fits one of the templates or the regex.

    What is empty or `None` asks for nothing.
    """

    methods: frozenset[str] = frozenset()
    templates: tuple[tuple[str, ...], ...] = ()
    pattern: Pattern | None = None

    def applies(self, method: str, path: str) -> bool:
        """Whether a request with that method and normalised path is meant."""
        if self.methods and method not in self.methods:
            return False
        if not self.templates and self.pattern is None:
            return True
        segments = path.split("/")
        return any(fits(template, segments) for template in self.templates) or (
            self.pattern is not None and self.pattern.fullmatch(path) is not None
        )


def condition(methods: Iterable[str] = (), paths: Iterable[str] = (), regex: str | None = None) -> Condition:
    """A condition from its words in the YAML. The regex is anchored at both ends; raises ValueError if it is none."""
    meant = frozenset(methods)
    try:
        pattern = None if regex is None else re2.compile(regex)
    except re2.error as error:
        raise ValueError(f"not an RE2 expression: {error}") from error
    if "GET" in meant:
        # RFC 9110, 9.3.2: HEAD is GET but for the content of the answer. It must not be the way round a policy.
        meant |= {"HEAD"}
    return Condition(meant, tuple(tuple(path.split("/")) for path in paths), pattern)


def fits(template: tuple[str, ...], segments: list[str]) -> bool:
    """Whether each segment is the template's, or stands where the template has `{name}`."""
    if template[-1] == REST:
        template = template[:-1]
        segments = segments[: len(template)]
    return len(template) == len(segments) and all(
        part == segment or (part.startswith("{") and part.endswith("}") and segment != "")
        for part, segment in zip(template, segments, strict=True)
    )
