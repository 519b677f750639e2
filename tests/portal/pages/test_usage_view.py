"""How an application uses APIs, counted by the hour."""

from gateway.clients.catalogue import LimitLeft
from gateway.clients.client import Agreement
from gateway.clients.life import State
from gateway.clients.store import Usage
from gateway.portal.pages.usage_view import SPANS, UsageView, first_hour, longest_hours, span_of, usage_view
from tests.fakes import NOON
from tests.portal.pages.catalogues import CATALOGUE

NOW = int(NOON // 3_600)
DAY, WEEK, MONTH = SPANS
FREE = Agreement(id="a1", client="c1", api="orders", state=State.ACTIVE, tier="free")


def _row(hour: int, code: str = "allowed", calls: int = 1, api: str = "orders") -> Usage:
    return Usage(hour=hour, provider="demo", client_id="shop", api=api, code=code, calls=calls)


def _view(*rows: Usage, agreements: tuple[Agreement, ...] = (), span: str = "day") -> UsageView:
    return usage_view(rows, agreements, CATALOGUE, span_of(span), NOON)


def test_a_day_is_the_hour_that_runs_and_the_23_before() -> None:
    view = _view(_row(NOW), _row(NOW - 23, calls=5), _row(NOW - 24, calls=100))
    assert len(view.columns) == 24
    assert (view.columns[-1].allowed, view.columns[0].allowed) == (1, 5)
    assert view.total == 6


def test_days_begin_at_midnight() -> None:
    view = _view(_row(NOW - 12, calls=2), _row(NOW - 13, calls=3), span="week")
    assert [column.allowed for column in view.columns[-2:]] == [3, 2]
    assert [column.label for column in view.columns[-2:]] == ["22 November", "23 November"]


def test_every_span_ends_now() -> None:
    for span in SPANS:
        assert first_hour(span, NOON) + span.hours * span.columns > NOW >= first_hour(span, NOON)


def test_refused_calls_are_told_by_reason_the_most_frequent_first() -> None:
    view = _view(_row(NOW, "rate_limited", 2), _row(NOW - 1, "insufficient_scope", 3), _row(NOW, "odd_code", 1))
    assert [(each.code, each.calls) for each in view.reasons] == [
        ("insufficient_scope", 3),
        ("rate_limited", 2),
        ("odd_code", 1),
    ]
    assert view.reasons[-1].words == "Odd code"
    assert (view.allowed, view.refused) == (0, 6)


def test_an_unknown_span_is_a_day() -> None:
    assert span_of("<b>") is DAY


def test_what_is_left_counts_allowed_calls_of_that_api_within_the_window() -> None:
    rows = (_row(NOW, calls=10), _row(NOW - 23, calls=5), _row(NOW, "rate_limited", 7), _row(NOW, api="weather"))
    short, daily = _view(*rows, _row(NOW - 24, calls=900), agreements=(FREE,)).limits
    assert short.used is None
    assert daily.used == 15
    assert "985 requests left" in daily.words


def test_what_the_gateway_counts_this_moment_is_worth_more_than_the_hours_of_the_store() -> None:
    short, daily = CATALOGUE.tiers["free"].limits
    counted = {"orders": (LimitLeft(short, 3, 20.0),)}
    view = usage_view((_row(NOW, calls=10),), (FREE,), CATALOGUE, DAY, NOON, counted)
    assert (view.limits[0].used, view.limits[0].of) == (short.requests - 3, short.requests)
    assert view.limits[0].words.startswith("3 requests left")
    assert view.limits[1].used == 10
    assert daily.requests == view.limits[1].of


def test_no_more_than_all_is_used_up() -> None:
    assert _view(_row(NOW, calls=5_000), agreements=(FREE,)).limits[1].used == 1_000


def test_only_contracts_in_force_have_limits() -> None:
    revoked = Agreement(id="a1", client="c1", api="orders", state=State.REVOKED, tier="free")
    without = Agreement(id="a2", client="c1", api="weather", state=State.ACTIVE, tier=None)
    assert _view(agreements=(revoked, without)).limits == ()


def test_enough_is_read_for_the_span_and_for_the_longest_limit() -> None:
    assert longest_hours((), CATALOGUE, DAY) == 24
    assert longest_hours((FREE,), CATALOGUE, MONTH) == 720
