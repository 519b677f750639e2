"""What was found: a sentence with figures, and, for all that is not well, another one that says what to do."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum


class Result(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARNING = "warning"
    """It works, and hardly as it is meant."""
    FAILURE = "failure"
    SKIPPED = "skipped"
    """It could not be tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found."""

    subject: str = ""
    """What was checked: `provider okta`, `upstream of route orders`, …"""
    check: str
    result: Result
    seen: str
    advice: str = ""
    """What to do; empty only where all is well."""


@dataclass(frozen=True, slots=True)
class Report:
    """All findings, those of a subject one after the other."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing failed. Warnings, and what was skipped, do not count."""
        return all(finding.result is not Result.FAILURE for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found of one subject."""

    findings: tuple[Finding, ...]
    has_keys: bool = False
    """Whether the keys of a provider can be had, for when it does not answer."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """What no finding may show."""


def ok(check: str, seen: str) -> Finding:
    """All is well."""
    return Finding(check=check, result=Result.OK, seen=seen)


def warning(check: str, seen: str, advice: str) -> Finding:
    """It works, and hardly as it is meant."""
    return Finding(check=check, result=Result.WARNING, seen=seen, advice=advice)


def failure(check: str, seen: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(check=check, result=Result.FAILURE, seen=seen, advice=advice)


def skipped(check: str, seen: str, advice: str) -> Finding:
    """It could not be tried."""
    return Finding(check=check, result=Result.SKIPPED, seen=seen, advice=advice)


def about(subject: str, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings as those of that subject."""
    return tuple(replace(finding, subject=subject) for finding in findings)
