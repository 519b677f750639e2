from collections.abc import Awaitable, Callable

import pytest

from gateway.clients.client import Agreement, Client, ClientState
from gateway.clients.life import State
from gateway.clients.mistakes import Invalid
from gateway.clients.store import Page
from gateway.clients.store.store import Store
from tests.clients.store.records import ANNA, BEN, agreement, client, keep
from tests.fakes import NOON


async def all_of(read: Callable[[str], Awaitable[Page[Client]] | Awaitable[Page[Agreement]]]) -> list[str]:
    """The ids of every page, one after the other."""
    ids: list[str] = []
    after = ""
    while True:
        page = await read(after)
        ids += [item.id for item in page.items]
        if page.next is None:
            return ids
        after = str(page.next)


async def test_clients_come_by_name_page_by_page(store: Store) -> None:
    names = ["b", "a", "C", "ä", "ß"]
    await keep(store, *(client(f"c{number}", name) for number, name in enumerate(names)))
    by_name = await all_of(lambda after: store.clients(after=after, limit=2))
    assert by_name == ["c1", "c0", "c2", "c4", "c3"]


async def test_clients_of_one_name_come_by_id(store: Store) -> None:
    await keep(store, *(client(f"c{number}", "Same", owner=None) for number in range(5)))
    assert await all_of(lambda after: store.clients(after=after, limit=2)) == ["c0", "c1", "c2", "c3", "c4"]


async def test_agreements_come_newest_first_page_by_page(store: Store) -> None:
    await keep(store, client())
    await keep(
        store, *(agreement(f"a{number}", api=f"api{number}", asked_at=NOON + number // 2) for number in range(5))
    )
    read = await all_of(lambda after: store.agreements(after=after, limit=2))
    assert read == ["a4", "a3", "a2", "a1", "a0"]


async def test_a_page_that_holds_exactly_the_rest_is_the_last(store: Store) -> None:
    await keep(store, client("c1"), client("c2"))
    assert (await store.clients(limit=2)).next is None
    assert (await store.clients(limit=1)).next is not None


async def test_nothing_is_missed_or_doubled_when_something_comes_in_between(store: Store) -> None:
    await keep(store, *(client(f"c{number}", f"n{number}") for number in range(4)))
    first = await store.clients(limit=2)
    await keep(store, client("new", "n0 new"))
    second = await store.clients(after=str(first.next), limit=2)
    assert [item.id for item in (*first.items, *second.items)] == ["c0", "c1", "c2", "c3"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"owner": ANNA}, ["c1", "c2"]),
        ({"owner": BEN}, ["c3"]),
        ({"provider": "other"}, ["c4"]),
        ({"state": ClientState.DRAFT}, ["c2"]),
        ({"owner": ANNA, "state": ClientState.REGISTERED}, ["c1"]),
        ({"search": "ORDER"}, ["c1", "c3"]),
        ({"search": "order", "owner": BEN}, ["c3"]),
        ({"search": "c4-at-provider"}, ["c4"]),
        ({"search": "c2"}, ["c2"]),
        ({"search": "%"}, ["c4"]),
        ({"search": "_"}, []),
        ({"search": "' OR 1=1 --"}, []),
        ({"provider": "nobody"}, []),
    ],
)
async def test_clients_are_found_by_what_they_are(store: Store, wanted: dict[str, object], found: list[str]) -> None:
    await keep(
        store,
        client("c1", "My orders"),
        client("c2", "Payments", state=ClientState.DRAFT, client_id=None),
        client("c3", "OrderBook", owner=BEN),
        client("c4", "100%", provider="other", owner=None),
    )
    page = await store.clients(**wanted)  # type: ignore[arg-type] # the parameters of the test are its arguments
    assert sorted(item.id for item in page.items) == found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"client": "c1"}, ["a1", "a2"]),
        ({"owner": ANNA}, ["a1", "a2"]),
        ({"owner": BEN}, ["a3", "a4", "a5", "a6", "a7", "a8"]),
        ({"api": "orders"}, ["a1", "a3"]),
        ({"state": State.REQUESTED}, ["a2"]),
        ({"waiting": True}, ["a2", "a4", "a5"]),
        ({"waiting": True, "owner": BEN}, ["a4", "a5"]),
        ({"waiting": True, "state": State.ACTIVE, "api": "gold"}, ["a4"]),
        ({"api": "orders", "owner": ANNA}, ["a1"]),
        ({"search": "shop"}, ["a3", "a4", "a5", "a6", "a7", "a8"]),
        ({"search": "c1-at-provider"}, ["a1", "a2"]),
        ({"search": "nothing"}, []),
        ({"client": "nobody"}, []),
    ],
)
async def test_agreements_are_found_by_what_they_are(store: Store, wanted: dict[str, object], found: list[str]) -> None:
    await keep(store, client("c1", "One"), client("c2", "Shop", owner=BEN))
    await keep(store, agreement("a1", "c1"), agreement("a2", "c1", api="payments", state=State.REQUESTED))
    await keep(store, agreement("a3", "c2"))
    await keep(
        store,
        agreement("a4", "c2", api="gold", tier="tin", asked_tier="gold"),
        agreement("a5", "c2", api="first", tier=None, asked_tier="gold"),
        agreement("a6", "c2", api="given", tier="gold", asked_tier="gold"),
        agreement("a7", "c2", api="settled", tier="gold", asked_tier=None),
        agreement("a8", "c2", api="over", tier="tin", asked_tier="gold", state=State.REVOKED),
    )
    page = await store.agreements(**wanted)  # type: ignore[arg-type] # the parameters of the test are its arguments
    assert sorted(item.id for item in page.items) == found


@pytest.mark.parametrize(
    "odd", ["x", "!", "bnVsbA", "WzEsMl0", "WyJhIl0", "[[[[", "🙂", "W10" * 10_000, "W1siYSJdLCJiIl0"]
)
async def test_a_page_that_nobody_handed_out_is_refused(store: Store, odd: str) -> None:
    with pytest.raises(Invalid) as caught:
        await store.clients(after=odd)
    assert caught.value.code == "invalid_page"
    with pytest.raises(Invalid):
        await store.agreements(after=odd)
