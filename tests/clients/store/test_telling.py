import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.store import Store
from tests.clients.postgresql import PostgreSQL
from tests.clients.store.records import KEY
from tests.fakes import FakeClock


@pytest.fixture
async def other(options: StoreOptions, clock: FakeClock, store: Store) -> AsyncIterator[Store]:
    """The same database, in another process as it were."""
    async with open_store(options, clock) as other:
        yield other


@asynccontextmanager
async def hearing(store: Store) -> AsyncIterator[AsyncGenerator[None, None]]:
    """What that store is told, once it listens."""
    async with aclosing(store.told()) as told:
        await heard(told)
        yield told


async def heard(told: AsyncGenerator[None, None]) -> None:
    """Wait until it is told something."""
    async with asyncio.timeout(5):
        await anext(told)


async def change(store: Store, client_id: str = "c") -> None:
    async with store.begin() as transaction:
        await transaction.changed(("main", client_id))


async def test_another_process_is_told_of_a_change(store: Store, other: Store) -> None:
    async with hearing(other) as told:
        for number in (1, 2):
            await change(store)
            await heard(told)
            assert await other.changes_after(number - 1) == ({("main", "c")}, number)


async def fail(store: Store) -> None:
    async with store.begin() as transaction:
        await transaction.changed(("main", "c"))
        raise ZeroDivisionError


async def test_what_is_not_committed_is_not_told(store: Store, other: Store) -> None:
    async with hearing(other) as told:
        hears = asyncio.ensure_future(heard(told))
        with pytest.raises(ZeroDivisionError):
            await fail(store)
        async with store.begin() as transaction:
            await transaction.changed(("main", "c"))
            done, _ = await asyncio.wait([hears], timeout=0.2)
            assert not done
        await hears


async def test_whoever_stops_listening_gives_its_connection_back(store: Store, other: Store) -> None:
    # More often than the pool has connections.
    for _ in range(12):
        async with hearing(other):
            pass
    assert await other.changes_after(0) == (set(), 0)


async def test_what_was_changed_while_the_connection_was_lost_is_heard_of_after(
    postgresql: PostgreSQL, clock: FakeClock
) -> None:
    url = await postgresql.database()
    options = StoreOptions(url=SecretStr(url), encryption_keys=(KEY,), poll=0.02)
    async with open_store(options, clock) as store, open_store(options, clock) as other, hearing(other) as told:
        await postgresql.disconnect_all(url)
        await change(store)
        await heard(told)
        assert await other.changes_after(0) == ({("main", "c")}, 1)
        await change(store, "d")
        await heard(told)
        assert await other.changes_after(1) == ({("main", "d")}, 2)


async def test_a_store_listens_as_soon_as_its_database_is_there(tmp_path: Path, clock: FakeClock) -> None:
    folder = tmp_path / "not there yet"
    url = SecretStr(f"sqlite:///{folder}/store.db")
    options = StoreOptions(url=url, encryption_keys=(KEY,), poll=0.02)
    async with open_store(options, clock) as store, aclosing(store.told()) as told:
        hears = asyncio.ensure_future(heard(told))
        done, _ = await asyncio.wait([hears], timeout=0.1)
        assert not done
        folder.mkdir()
        await hears
