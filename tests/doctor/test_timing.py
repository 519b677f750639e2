"""Clocks that differ, and answers that take long."""

from email.utils import formatdate

import pytest
from multidict import CIMultiDict

from gateway.clock import SystemClock
from gateway.doctor.asking import Heard
from gateway.doctor.timing import judge_answer_time, judge_clock, judge_skew, seconds_ahead
from gateway.ports import Reply
from tests.doctor.examining import found, report_on
from tests.fakes import NOON, FakeClock
from tests.faulty_server import after, answer, document


def heard(date: str | None, *, age: str | None = None, asked_at: float = NOON, heard_at: float = NOON) -> Heard:
    headers = {name: value for name, value in (("Date", date), ("Age", age)) if value is not None}
    reply = Reply(200, CIMultiDict(headers), b"")
    return Heard(reply=reply, asked_at=asked_at, heard_at=heard_at, seconds=heard_at - asked_at)


@pytest.mark.parametrize(
    ("date", "ahead"),
    [(NOON, 0), (NOON - 1, 0), (NOON - 2, -1), (NOON + 1, 1), (NOON + 90, 90), (NOON - 90, -89)],
)
def test_a_clock_is_off_by_what_a_cut_off_second_cannot_explain(date: float, ahead: float) -> None:
    assert seconds_ahead(heard(formatdate(date, usegmt=True))) == ahead


def test_the_time_on_the_way_is_not_held_against_the_clock() -> None:
    slow = heard(formatdate(NOON + 3, usegmt=True), asked_at=NOON, heard_at=NOON + 5)
    assert seconds_ahead(slow) == 0


def test_a_cache_that_says_how_old_its_answer_is_makes_no_clock_late() -> None:
    assert seconds_ahead(heard(formatdate(NOON - 300, usegmt=True), age="300")) == 0


@pytest.mark.parametrize(("date", "age"), [(None, None), ("yesterday", None), (formatdate(NOON), "old")])
def test_a_date_that_says_nothing(date: str | None, age: str | None) -> None:
    assert seconds_ahead(heard(date, age=age)) is None


@pytest.mark.parametrize(
    ("ahead", "result"), [(5, "ok"), (-5, "ok"), (5.1, "warning"), (-60, "warning"), (60, "warning"), (60.1, "failure")]
)
def test_clocks_may_differ_by_the_smallest_leeway_and_never_by_more_than_a_minute(ahead: float, result: str) -> None:
    assert judge_skew(ahead, 5).result == result


def test_what_is_said_of_clocks() -> None:
    assert judge_skew(0, 5).seen == "It agrees with ours."
    assert (
        judge_skew(3, 5).seen == "The provider's clock is 3 s ahead of ours; the smallest leeway of its routes is 5 s."
    )
    late = judge_skew(-12, 5)
    assert late.seen == "The provider's clock is 12 s behind ours, and the smallest leeway of its routes is 5 s."
    assert late.advice == "Set both clocks by NTP; until then write leeway: 13 for its routes."
    far = judge_skew(90, 5)
    assert (far.seen, far.advice) == (
        "The provider's clock is 90 s ahead of ours; no leeway is that large.",
        "Set both clocks by NTP.",
    )


@pytest.mark.parametrize(("off", "leeway"), [(5.1, 6), (6.9, 7), (12, 13), (59.9, 60), (60, 60)])
def test_the_leeway_that_is_told_is_enough_and_may_be_written(off: float, leeway: int) -> None:
    assert f"leeway: {leeway} " in judge_skew(off, 5).advice
    assert judge_skew(off, leeway).result == "ok"


def test_an_answer_without_a_date_leaves_the_clock_unknown() -> None:
    finding = judge_clock([heard(None)], 5)
    assert (finding.result, finding.seen, finding.advice) == (
        "skipped",
        "No answer has a Date.",
        "Compare the clocks by hand: tokens that seem to come from the future are refused.",
    )


async def test_the_clock_of_a_provider_is_read_from_its_answers() -> None:
    now = SystemClock().time()

    def inactive(ahead: float) -> object:
        date = f"Date: {formatdate(now + ahead, usegmt=True)}"
        return answer(b'{"active": false}', headers=(date,))

    report = await report_on(clock=FakeClock(now), about_others=inactive(30), about_minted=inactive(30))
    assert found(report, "clock")[0] == "warning"
    report = await report_on(clock=FakeClock(now), about_others=inactive(-300), about_minted=inactive(-300))
    assert found(report, "clock")[0] == "failure"


async def test_the_smallest_leeway_of_all_routes_counts() -> None:
    now = SystemClock().time()
    date = f"Date: {formatdate(int(now) + 3, usegmt=True)}"
    inactive = answer(b'{"active": false}', headers=(date,))
    for leeway, result in ((0, "warning"), (5, "ok")):
        report = await report_on(
            route={"leeway": leeway}, clock=FakeClock(now), about_others=inactive, about_minted=inactive
        )
        assert found(report, "clock")[0] == result


@pytest.mark.parametrize(
    ("seconds", "timeout", "result"),
    [(0.5, 5, "ok"), (0.51, 5, "warning"), (0.25, 0.75, "ok"), (0.26, 0.75, "warning"), (1.7, 5, "warning")],
)
def test_an_introspection_is_slow_above_half_a_second_or_a_third_of_the_timeout(
    seconds: float, timeout: float, result: str
) -> None:
    assert judge_answer_time(seconds, timeout).result == result


def test_what_is_said_of_a_slow_introspection() -> None:
    slow, slower = judge_answer_time(0.6, 5), judge_answer_time(2, 5)
    assert slow.seen == "An introspection took 600 ms; the timeout is 5 s."
    assert slow.advice == "Look for what is slow there; each token that is not in memory waits that long."
    assert slower.advice.endswith(" Or write a longer transport.timeout.")


async def test_a_slow_provider_is_noticed() -> None:
    slow = after(0.11, document({"active": False}))
    report = await report_on({"transport": {"timeout": 0.3}}, about_others=slow, about_minted=slow)
    assert found(report, "answer time")[0] == "warning"
