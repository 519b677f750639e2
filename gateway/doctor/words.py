"""A report as text for people, and as JSON for machines."""

import json
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby

from gateway.doctor.findings import Finding, Report, Result
from gateway.doctor.shown import plural

WIDTH = 96
"""Columns."""
SIGNS = {Result.OK: "ok", Result.WARNING: "!!", Result.FAILURE: "XX", Result.SKIPPED: "--"}
COLUMN = 22
"""Where sentences begin."""


def as_text(report: Report) -> str:
    """The report by subject, with a sign for each finding and a count at the end."""
    return "\n".join([*_lines(report), _count(report)])


def as_json(report: Report) -> str:
    """`{"healthy": …, "findings": […]}`."""
    findings = [asdict(finding) for finding in report.findings]
    return json.dumps({"healthy": report.healthy, "findings": findings}, indent=2)


def _lines(report: Report) -> Iterator[str]:
    for subject, findings in groupby(report.findings, key=lambda finding: finding.subject):
        yield subject
        for finding in findings:
            yield from _finding(finding)
        yield ""


def _finding(finding: Finding) -> Iterator[str]:
    yield from _wrapped(f"  {SIGNS[finding.result]}  {finding.check}".ljust(COLUMN - 1) + " ", finding.seen)
    if finding.advice:
        yield from _wrapped(" " * (COLUMN - 2) + "> ", finding.advice)


def _wrapped(start: str, sentence: str) -> list[str]:
    """What is to be copied, URLs above all, stays in one piece."""
    return textwrap.wrap(
        sentence,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * COLUMN,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _count(report: Report) -> str:
    counts = Counter(finding.result for finding in report.findings)
    parts = [
        f"{counts[Result.OK]} ok",
        plural(counts[Result.WARNING], "warning"),
        plural(counts[Result.FAILURE], "failure"),
        f"{counts[Result.SKIPPED]} skipped",
    ]
    return f"{plural(len(report.findings), 'check')}: {', '.join(parts)}"
