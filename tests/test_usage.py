"""What clients call, counted in memory and handed to the store: nothing twice, nothing lost while it is away."""

import asyncio
from collections.abc import Callable, Iterable

import pytest

from gateway import usage
from gateway.clients.store import Usage
from gateway.exchange import Exchange
from gateway.policy import Unavailable
from gateway.usage import Tally
from tests.fakes import NOON

HOUR = int(NOON // 3600)


class Rows:
    """Keeps what it is given, in an hour's cells, unless it is away."""

    def __init__(self) -> None:
        self.calls: dict[tuple[int, str, str, str], int] = {}
        self.is_away = False
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def add_usage(self, rows: Iterable[Usage], /) -> None:
        self.asked += 1
        self.meanwhile()
        if self.is_away:
            raise Unavailable("The store is away.", code="store_unavailable")
        for row in rows:
            cell = (row.hour, row.client_id, row.api, row.code)
            self.calls[cell] = self.calls.get(cell, 0) + row.calls


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def dropped() -> list[None]:
    return []


@pytest.fixture
def tally(rows: Rows, dropped: list[None]) -> Tally:
    return Tally(rows, lambda: dropped.append(None), every=0)


def exchange(client: str = "shop", *, result: str = "allow", code: str = "", at: float = NOON) -> Exchange:
    """One that is finished."""
    made = Exchange(request_id="1", received_at=at)
    made.provider, made.client_id, made.api, made.result, made.code = "idp", client, "orders", result, code
    return made


async def test_calls_are_counted_by_hour_client_and_outcome(tally: Tally, rows: Rows) -> None:
    for each in (
        exchange(),
        exchange(),
        exchange("other"),
        exchange(result="deny", code="rate_limited"),
        exchange(at=NOON + 3600),
    ):
        tally.count(each)
    await tally.flush()
    assert rows.calls == {
        (HOUR, "shop", "orders", "allowed"): 2,
        (HOUR, "other", "orders", "allowed"): 1,
        (HOUR, "shop", "orders", "rate_limited"): 1,
        (HOUR + 1, "shop", "orders", "allowed"): 1,
    }


async def test_a_call_of_nobody_is_nobodys_usage(tally: Tally, rows: Rows) -> None:
    tally.count(exchange(""))
    await tally.flush()
    assert rows.asked == 0


async def test_what_was_handed_over_is_not_handed_over_again(tally: Tally, rows: Rows) -> None:
    tally.count(exchange())
    await tally.flush()
    await tally.flush()
    assert sum(rows.calls.values()) == 1


async def test_while_the_store_is_away_calls_wait_for_it(tally: Tally, rows: Rows) -> None:
    rows.is_away = True
    rows.meanwhile = lambda: tally.count(exchange())
    tally.count(exchange())
    with pytest.raises(Unavailable):
        await tally.flush()
    await tally.flush_if_it_can()
    rows.is_away = False
    rows.meanwhile = lambda: None
    await tally.flush()
    assert rows.calls == {(HOUR, "shop", "orders", "allowed"): 3}


async def test_what_waits_is_bounded_and_what_is_beyond_is_counted_as_that(
    tally: Tally, rows: Rows, dropped: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "MOST", 2)
    for client in ("one", "two", "three", "one"):
        tally.count(exchange(client))
    await tally.flush()
    assert {client: calls for (_, client, _, _), calls in rows.calls.items()} == {"one": 2, "two": 1}
    assert len(dropped) == 1


async def test_what_waits_stays_bounded_however_often_the_store_is_away(
    tally: Tally, rows: Rows, dropped: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "MOST", 2)

    def two_others() -> None:
        tally.count(exchange(f"a{rows.asked}"))
        tally.count(exchange(f"b{rows.asked}"))

    rows.is_away, rows.meanwhile = True, two_others
    for _ in range(4):
        tally.count(exchange())
        await tally.flush_if_it_can()
    rows.is_away, rows.meanwhile = False, lambda: None
    await tally.flush()
    assert len(rows.calls) == 2
    assert sum(rows.calls.values()) + len(dropped) == 4 + 4 * 2


async def test_calls_are_handed_over_again_and_again(tally: Tally, rows: Rows) -> None:
    enough = asyncio.Event()

    def count() -> None:
        tally.count(exchange())
        if rows.asked == 3:
            enough.set()

    rows.meanwhile = count
    tally.count(exchange())
    running = asyncio.ensure_future(tally.run())
    async with asyncio.timeout(5):
        await enough.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert sum(rows.calls.values()) >= 2
