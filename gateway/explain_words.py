"""The words of `tokenward explain`: what is asked on the command line, and how the answer is printed."""

import json
import math
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from gateway.chain import Explained
from gateway.explain import Explanation, Question
from gateway.policy import Finding

SUPPOSED = "supposed"
"""Stands for a token where only its claims are given."""
SIGNS = {True: "ok", False: "NO", None: "--"}


def question(
    method: str,
    target: str,
    host: str,
    headers: Sequence[str],
    *,
    token: str | None,
    claims: Path | None,
    at: str | None,
) -> Question:
    """What is asked. Raises ValueError that says what to write."""
    pairs = [_header(header) for header in headers]
    supposed = None if claims is None else _claims(claims)
    credential = sys.stdin.readline().strip() if token == "-" else token
    if credential is None and supposed is not None and not any(name.lower() == "authorization" for name, _ in pairs):
        credential = SUPPOSED
    if credential is not None:
        pairs.append(("Authorization", f"Bearer {credential}"))
    return Question(
        method=method, target=target, host=host, headers=pairs, claims=supposed, at=None if at is None else _time(at)
    )


def as_text(question: Question, explanation: Explanation) -> str:
    """For people: the route, a line for each check, the outcome."""
    lines = [f"{question.method} {question.target}"]
    if explanation.route:
        lines.append(f"  route {explanation.route}, upstream {explanation.upstream}")
    for explained in explanation.policies:
        lines.append(f"  {explained.step.name}{' (report only)' if explained.step.report_only else ''}")
        width = max((len(finding.check) for finding in explained.findings), default=0)
        lines.extend(f"    {SIGNS[each.passed]}  {each.check:<{width}}  {each.detail}" for each in explained.findings)
    lines.append(f"{explanation.outcome}: {explanation.summary}")
    return "\n".join(lines)


def as_json(explanation: Explanation) -> str:
    """For programs."""
    return json.dumps(
        {
            "outcome": explanation.outcome,
            "summary": explanation.summary,
            "route": explanation.route,
            "upstream": explanation.upstream,
            "policies": [_policy(explained) for explained in explanation.policies],
        }
    )


def _policy(explained: Explained) -> dict[str, object]:
    checks = [_finding(finding) for finding in explained.findings]
    return {"policy": explained.step.name, "report_only": explained.step.report_only, "checks": checks}


def _finding(finding: Finding) -> dict[str, object]:
    return {"check": finding.check, "passed": finding.passed, "detail": finding.detail}


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ValueError(f"the header {text!r} has no colon; write 'Name: value'")
    return name.strip(), value.strip()


def _claims(path: Path) -> dict[str, object]:
    try:
        claims = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} can't be read as JSON: {error}") from None
    if not isinstance(claims, dict):
        raise ValueError(f'{path} holds no JSON object; write {{"client_id": "…", "scope": "…"}}')  # noqa: TRY004 - a word of the command line
    return claims


def _time(text: str) -> float:
    """Seconds since the epoch; a time without a zone is UTC."""
    with suppress(ValueError):
        if math.isfinite(seconds := float(text)):
            return seconds
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time; write 2026-11-23T12:00:00Z or seconds since the epoch") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
