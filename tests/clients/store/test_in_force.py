import asyncio

import pytest

from gateway.clients import Contract
from gateway.clients.client import ClientState
from gateway.clients.life import State
from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.store import Store
from tests.clients.store.records import agreement, client, keep
from tests.fakes import FakeClock

KEY = ("main", "c1-at-provider")
ORDERS = Contract(provider="main", client_id="c1-at-provider", api="orders", tier="gold")


async def change(store: Store, *keys: tuple[str, str]) -> None:
    async with store.begin() as transaction:
        for key in keys:
            await transaction.changed(key)


async def test_what_is_active_is_in_force(store: Store) -> None:
    await keep(store, client(), agreement(), agreement("a2", api="payments", tier=None))
    found = await store.in_force()
    payments = Contract(provider="main", client_id="c1-at-provider", api="payments")
    assert set(found.contracts) == {ORDERS, payments}
    assert found.blocked == ()
    assert await store.in_force_of(KEY) == (found.contracts, False)


@pytest.mark.parametrize("state", [State.REQUESTED, State.REFUSED, State.REVOKED])
async def test_what_is_not_active_is_not_in_force(store: Store, state: State) -> None:
    await keep(store, client(), agreement(state=state))
    assert (await store.in_force()).contracts == ()
    assert await store.in_force_of(KEY) == ((), False)


@pytest.mark.parametrize("state", [ClientState.DRAFT, ClientState.REGISTERING])
async def test_a_client_that_its_provider_does_not_know_has_nothing_in_force(store: Store, state: ClientState) -> None:
    await keep(store, client(state=state, client_id=None), agreement())
    assert (await store.in_force()).contracts == ()


async def test_a_deleted_client_is_blocked_and_has_nothing_in_force(store: Store) -> None:
    deleted = client(state=ClientState.DELETED)
    never_registered = client("c2", state=ClientState.DELETED, client_id=None)
    await keep(store, deleted, agreement(), never_registered)
    found = await store.in_force()
    assert (found.contracts, found.blocked) == ((), (KEY,))
    assert await store.in_force_of(KEY) == ((), True)


async def test_clients_of_two_providers_are_not_taken_for_each_other(store: Store) -> None:
    await keep(store, client(), agreement(), client("c2", provider="other", client_id="c1-at-provider"))
    assert (await store.in_force_of(KEY))[0] == (ORDERS,)
    assert (await store.in_force_of(("other", "c1-at-provider")))[0] == ()


async def test_changes_name_each_client_once_and_the_last_number(store: Store) -> None:
    await change(store, ("main", "a"))
    await change(store, ("main", "b"), ("other", "a"))
    await change(store, ("main", "a"))
    assert await store.changes_after(0) == ({("main", "a"), ("main", "b"), ("other", "a")}, 4)
    assert await store.changes_after(2) == ({("main", "a"), ("other", "a")}, 4)
    assert await store.changes_after(4) == (set(), 4)
    assert (await store.in_force()).number == 4


async def test_no_lower_number_is_committed_after_a_higher_one(
    store: Store, options: StoreOptions, clock: FakeClock
) -> None:
    # Two processes change something at once. The first to get a number is the last to commit, if it may.
    async with open_store(options, clock) as other:
        late = asyncio.Event()

        async def second() -> int:
            async with other.begin() as transaction:
                await transaction.changed(("main", "second"))
                await transaction.note("operator", "second")
            late.set()
            return (await other.changes_after(0))[1]

        async with store.begin() as transaction:
            await transaction.changed(("main", "first"))
            task = asyncio.ensure_future(second())
            # Whoever reads now sees neither, and will find both after the number that it got.
            seen, number = await store.changes_after(0)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await late.wait()
        assert (seen, number) == (set(), 0)
        assert await task == 2
    assert await store.changes_after(number) == ({("main", "first"), ("main", "second")}, 2)


async def test_a_reader_that_follows_the_numbers_misses_no_change(
    store: Store, options: StoreOptions, clock: FakeClock
) -> None:
    found: set[tuple[str, str]] = set()
    number, writers = 0, 4

    async def write(writer: int) -> None:
        async with open_store(options, clock) as own:
            for step in range(5):
                await change(own, ("main", f"{writer}-{step}"))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(write(writer)) for writer in range(writers)]
        while not all(task.done() for task in tasks):
            clients, number = await store.changes_after(number)
            found |= clients
    found |= (await store.changes_after(number))[0]
    assert found == {("main", f"{writer}-{step}") for writer in range(writers) for step in range(5)}
