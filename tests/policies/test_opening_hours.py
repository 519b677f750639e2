"""The smallest policy: when it is open, and that its file stays an example."""

import ast
from pathlib import Path

import pytest
from multidict import CIMultiDict

from gateway.policy import Allow, Deny, Request
from policies import opening_hours
from policies.opening_hours import OpeningHours
from tests.fakes import NOON

HOUR = 3600.0


def at(hour: float) -> Request:
    """A request at that hour of the day."""
    return Request(
        method="GET", host="a", path="/", query="", headers=CIMultiDict(), caller_ip="192.0.2.1", api="a",
        received_at=NOON + (hour - 12) * HOUR,
    )  # fmt: skip


@pytest.mark.parametrize("hour", [8, 12, 17.9999])
def test_the_api_is_open_between_its_hours(hour: float) -> None:
    assert OpeningHours().decide(at(hour)) == Allow()


@pytest.mark.parametrize("hour", [0, 7.9999, 18, 23.5])
def test_the_api_is_closed_before_and_after(hour: float) -> None:
    assert OpeningHours().decide(at(hour)) == Deny(403, "closed", "This API opens at 8:00 UTC.")


@pytest.mark.parametrize("hour", [0, 12, 23.9999])
def test_an_api_can_be_open_all_day(hour: float) -> None:
    assert OpeningHours(opens=0, closes=24).decide(at(hour)) == Allow()


@pytest.mark.parametrize(("opens", "closes"), [(8, 8), (18, 8), (-1, 8), (8, 25)])
def test_hours_that_are_none_are_refused(opens: int, closes: int) -> None:
    with pytest.raises(ValueError, match="opens must come before closes, and both lie between 0 and 24"):
        OpeningHours(opens=opens, closes=closes)


def test_a_policy_is_complete_in_under_twenty_lines_of_code() -> None:
    source = Path(str(opening_hours.__file__)).read_text()
    tree = ast.parse(source)
    documentation = {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code = [line for number, line in enumerate(source.splitlines(), 1) if line.strip() and number not in documentation]
    assert len(code) < 20
