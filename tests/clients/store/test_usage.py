import asyncio

import pytest

from gateway.clients.store import Usage
from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.store import Store
from gateway.exchange import Exchange
from gateway.usage import Tally
from tests.fakes import NOON, FakeClock

HOUR = int(NOON // 3600)


def used(calls: int = 1, hour: int = HOUR, api: str = "orders", code: str = "allowed", client_id: str = "c") -> Usage:
    return Usage(hour=hour, provider="main", client_id=client_id, api=api, code=code, calls=calls)


async def test_calls_are_added_to_what_is_there(store: Store) -> None:
    await store.add_usage([used(2), used(3), used(1, code="contract_missing")])
    await store.add_usage([used(5)])
    assert await store.usage_of("main", "c", since=NOON) == (used(10), used(1, code="contract_missing"))


async def test_no_usage_is_no_work(store: Store) -> None:
    await store.add_usage([])
    assert await store.usage_of("main", "c", since=0.0) == ()


async def test_a_client_is_told_of_its_own_calls_from_an_hour_on(store: Store) -> None:
    rows = [used(hour=HOUR - 1), used(hour=HOUR), used(hour=HOUR + 1, api="payments")]
    await store.add_usage([*rows, used(client_id="other")])
    assert await store.usage_of("main", "c", since=HOUR * 3600 + 3599.9) == (rows[1], rows[2])
    assert await store.usage_of("main", "c", since=HOUR * 3600 - 0.1) == tuple(rows)
    assert await store.usage_of("main", "c", api="payments", since=0.0) == (rows[2],)
    assert await store.usage_of("other", "c", since=0.0) == ()


async def test_large_counts_and_many_rows_are_kept(store: Store) -> None:
    many = [used(2**40, hour=hour) for hour in range(1200)]
    await store.add_usage(many)
    await store.add_usage(many)
    found = await store.usage_of("main", "c", since=0.0)
    assert (len(found), {row.calls for row in found}) == (1200, {2**41})


async def test_processes_that_add_at_once_lose_nothing(store: Store, options: StoreOptions, clock: FakeClock) -> None:
    rows = [used(hour=HOUR + hour) for hour in range(50)]

    async def add(order: int) -> None:
        async with open_store(options, clock) as own:
            for _ in range(3):
                await own.add_usage(rows[::order])

    await asyncio.gather(add(1), add(-1), add(1))
    found = await store.usage_of("main", "c", since=0.0)
    assert (len(found), {row.calls for row in found}) == (50, {9})


@pytest.mark.parametrize(("age", "kept"), [(400 * 24, 1), (400 * 24 + 1, 0)])
async def test_usage_is_kept_for_four_hundred_days(store: Store, age: int, kept: int) -> None:
    await store.add_usage([used(hour=HOUR - age)])
    await store.sweep(NOON)
    assert len(await store.usage_of("main", "c", since=0.0)) == kept


@pytest.mark.parametrize("odd", ["x" * 600, "a\0b", "\ud800"])
async def test_a_client_id_that_cannot_be_kept_does_not_keep_the_others_from_being_counted(
    store: Store, odd: str
) -> None:
    dropped: list[str] = []
    tally = Tally(store, lambda: dropped.append(odd), every=10)
    for client_id in (odd, "c"):
        tally.count(
            Exchange(
                request_id="r", received_at=NOON, provider="main", client_id=client_id, api="orders", result="allow"
            )
        )
    await tally.flush()
    assert await store.usage_of("main", "c", since=NOON) == (used(1),)
    assert dropped == [odd]
