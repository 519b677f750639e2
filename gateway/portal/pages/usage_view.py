"""How an application uses APIs: a chart, a table, reasons, and what is left of its limits. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.clients.catalogue import Catalogue, Limit, LimitLeft
from gateway.clients.client import Agreement
from gateway.clients.life import State
from gateway.clients.store import Usage
from gateway.portal.pages import wording
from gateway.portal.pages.api_view import title_of
from gateway.portal.pages.chart import Chart, Column, chart

ALLOWED = "allowed"
"""The code of calls that went through."""
REASONS = {
    "client_without_contract": "The application had no contract for the API",
    "rate_limited": "A limit of the tier was used up",
    "token_expired": "The token had expired",
    "token_inactive": "The identity provider called the token inactive",
    "token_audience_refused": "The token was for another API",
    "insufficient_scope": "The token lacked a scope",
}
"""Codes in words; an unknown one is shown in letters only."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that a page can show."""

    value: str
    title: str
    words: str
    step: str
    """The noun of one column."""
    hours: int
    """Of one column."""
    columns: int


SPANS = (
    Span("day", "24 hours", "last 24 hours", "hour", 1, 24),
    Span("week", "7 days", "last 7 days", "day", 24, 7),
    Span("month", "30 days", "last 30 days", "day", 24, 30),
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why calls were refused, and how many."""

    words: str
    code: str
    calls: int


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of one limit."""

    api: str
    limit: str
    of: int
    used: int | None
    """`None`: the window is shorter than an hour, which is how finely calls are counted."""
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageView:
    """Everything that the page shows of it."""

    span: str
    spans: tuple[Span, ...]
    words: str
    step: str
    columns: tuple[Column, ...]
    chart: Chart
    allowed: int
    refused: int
    reasons: tuple[Reason, ...]
    limits: tuple[Left, ...]

    @property
    def total(self) -> int:
        """All calls."""
        return self.allowed + self.refused


def span_of(value: str) -> Span:
    """The span of that name; the first one for any other."""
    return next((span for span in SPANS if span.value == value), SPANS[0])


def first_hour(span: Span, now: float) -> int:
    """The hour since the epoch that the span begins with. Days begin at midnight, in UTC."""
    last = int(now // 3_600) // span.hours
    return (last - span.columns + 1) * span.hours


def longest_hours(agreements: Sequence[Agreement], catalogue: Catalogue, span: Span) -> int:
    """How many hours back the usage is needed: for the span, and for the longest limit of a contract in force."""
    tiers = (catalogue.tiers.get(each.tier or "") for each in agreements if each.state is State.ACTIVE)
    windows = (math.ceil(limit.seconds / 3_600) for tier in tiers if tier for limit in tier.limits)
    return max(span.hours * span.columns, *windows, 1)


def usage_view(
    rows: Sequence[Usage],
    agreements: Sequence[Agreement],
    catalogue: Catalogue,
    span: Span,
    now: float,
    left: Mapping[str, Sequence[LimitLeft]] | None = None,
) -> UsageView:
    """The usage within a span that ends now. `rows` may reach further back; `left` is what is counted now, by API."""
    first = first_hour(span, now)
    within = [row for row in rows if row.hour >= first]
    columns = _columns(within, span, first)
    refused = Counter[str]()
    for row in within:
        if row.code != ALLOWED:
            refused[row.code] += row.calls
    return UsageView(
        span=span.value,
        spans=SPANS,
        words=span.words,
        step=span.step,
        columns=columns,
        chart=chart(columns),
        allowed=sum(column.allowed for column in columns),
        refused=sum(column.refused for column in columns),
        reasons=tuple(Reason(REASONS.get(code, _spelt(code)), code, calls) for code, calls in refused.most_common()),
        limits=tuple(_limits(rows, agreements, catalogue, now, left or {})),
    )


def _columns(rows: Sequence[Usage], span: Span, first: int) -> tuple[Column, ...]:
    allowed, refused = Counter[int](), Counter[int]()
    for row in rows:
        (allowed if row.code == ALLOWED else refused)[(row.hour - first) // span.hours] += row.calls
    return tuple(
        Column(*_labels(first + place * span.hours, span), allowed[place], refused[place])
        for place in range(span.columns)
    )


def _labels(hour: int, span: Span) -> tuple[str, str]:
    time = datetime.fromtimestamp(hour * 3_600, UTC)
    if span.hours == 1:
        return time.strftime("%d %B, %H:%M").removeprefix("0"), time.strftime("%H:%M")
    return time.strftime("%d %B").removeprefix("0"), time.strftime("%d %b").removeprefix("0")


def _limits(
    rows: Sequence[Usage],
    agreements: Sequence[Agreement],
    catalogue: Catalogue,
    now: float,
    left: Mapping[str, Sequence[LimitLeft]],
) -> Iterable[Left]:
    for agreement in agreements:
        tier = catalogue.tiers.get(agreement.tier or "")
        if agreement.state is not State.ACTIVE or tier is None:
            continue
        title = title_of(agreement.api, catalogue)
        of_api = [row for row in rows if row.api == agreement.api]
        counted = {each.limit: each for each in left.get(agreement.api, ())}
        for limit in tier.limits:
            if limit.visible:
                found = counted.get(limit)
                yield _left(of_api, limit, title, now) if found is None else _counted(found, title)


def _counted(left: LimitLeft, api: str) -> Left:
    """As the gateway counts it this very moment."""
    of, remaining = left.limit.requests, left.remaining
    words = f"{wording.counted(remaining, 'request')} left: {of - remaining:,} of {of:,} used."
    return Left(api, wording.limit(left.limit), of, of - remaining, words)


def _left(rows: Sequence[Usage], limit: Limit, api: str, now: float) -> Left:
    words = wording.limit(limit)
    if limit.seconds < 3_600:
        return Left(api, words, limit.requests, None)
    since = (now - limit.seconds) // 3_600
    used = min(sum(row.calls for row in rows if row.hour > since and row.code == ALLOWED), limit.requests)
    left = wording.counted(limit.requests - used, "request")
    return Left(api, words, limit.requests, used, f"About {left} left: {used:,} of {limit.requests:,} used.")


def _spelt(code: str) -> str:
    return code.replace("_", " ").capitalize()
