"""What the store does when its database does not do its part, tried with real ones."""

import asyncio
import logging
import os
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import event

from gateway.clients.store.faults import reason
from gateway.clients.store.opening import open_store, upgrade
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.store import Store
from gateway.policy import Unavailable
from tests.clients.postgresql import PASSWORD, PostgreSQL
from tests.clients.store.records import KEY, agreement, client, keep, registered
from tests.fakes import FakeClock
from tests.idp.processes import free_port

NOBODY = 65534


def options(url: str, timeout: float = 0.2) -> StoreOptions:
    return StoreOptions(url=SecretStr(url), encryption_keys=(KEY,), timeout=timeout)


@asynccontextmanager
async def opened(file: Path) -> AsyncIterator[Store]:
    async with open_store(options(f"sqlite:///{file}"), FakeClock()) as store:
        yield store


@contextmanager
def unavailable(said: str = "") -> Iterator[None]:
    """The block must end with the one error that becomes a 503, because of what the database said."""
    with pytest.raises(Unavailable) as caught:
        yield
    assert caught.value.code == "store_unavailable"
    assert said in reason(caught.value)


async def write_all(store: Store) -> None:
    """Something of each kind, in one transaction."""
    async with store.begin() as transaction:
        await transaction.add_client(client("new"))
        await transaction.keep_registered("new", registered())
        await transaction.add_agreement(agreement("new", "new"))
        await transaction.note("operator", "client.registered", client="new", detail="x" * 100_000)
        await transaction.changed(("main", "new-at-provider"))


async def assert_nothing_new(store: Store) -> None:
    """Nothing of `write_all` is there, and what was there before still is."""
    assert [each.id for each in (await store.clients()).items] == ["c1"]
    assert (await store.agreements()).items == ()
    assert (await store.audit()).items == ()
    assert await store.changes_after(0) == (set(), 0)
    assert await store.registered("new") is None


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A store with a client in it."""
    async with opened(tmp_path / "store.db") as store:
        await keep(store, client())
    return tmp_path / "store.db"


@pytest.mark.case("C282")
async def test_a_locked_database_takes_nothing_and_goes_on_when_it_is_free(file: Path) -> None:
    async with opened(file) as store:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with unavailable("database is locked"):
            await write_all(store)
        assert await store.client("c1") == client()
        other.execute("ROLLBACK")
        other.close()
        await assert_nothing_new(store)
        await write_all(store)
        assert len((await store.clients()).items) == 2


@pytest.mark.case("C282")
async def test_a_read_only_database_takes_nothing_and_is_read_all_the_same(file: Path) -> None:
    contents = file.read_bytes()
    with as_nobody() as folder:
        shown = folder / "store.db"
        shown.write_bytes(contents)
        shown.chmod(0o444)
        async with opened(shown) as store:
            with unavailable("readonly database"):
                await write_all(store)
            await assert_nothing_new(store)
        folder.chmod(0o555)
        async with opened(shown) as store:
            with unavailable():
                await write_all(store)
        folder.chmod(0o755)
    async with opened(file) as store:
        await write_all(store)


@pytest.mark.case("C282")
async def test_on_a_full_disk_nothing_is_written_by_halves(file: Path) -> None:
    async with opened(file) as store:
        await store.clients()
        full = limited(store, pages=1)
        with unavailable("database or disk is full"):
            await write_all(store)
        full.pages = 2**30
        await assert_nothing_new(store)
        await write_all(store)
        assert len((await store.clients()).items) == 2
        assert await store.verify_audit() is None


class Limit:
    """How many pages the file of a store may have."""

    pages: int


def limited(store: Store, pages: int) -> Limit:
    """SQLite's own bound on the file: with it, every write ends as it does on a full disk (SQLITE_FULL).

    A bound below what the file has is that.
    """
    limit = Limit()
    limit.pages = pages

    def set_bound(connection: Any, *_: object) -> None:
        connection.cursor().execute(f"PRAGMA max_page_count = {limit.pages}")

    pool = store._database._engine.sync_engine
    event.listen(pool, "checkout", set_bound)
    return limit


@pytest.mark.case("C282")
@pytest.mark.parametrize("where", [0, 4096 * 2], ids=["its head", "its middle"])
async def test_a_corrupt_database_is_no_answer(file: Path, where: int) -> None:
    contents = bytearray(file.read_bytes())
    contents[where:] = b"\xa5" * (len(contents) - where)
    file.write_bytes(contents)
    async with opened(file) as store:
        with unavailable():
            await write_all(store)
        with unavailable():
            await store.client("c1")
        with unavailable():
            await store.in_force()


@pytest.mark.case("C282")
async def test_a_store_that_opens_while_its_database_is_gone_heals_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "not there yet"
    with caplog.at_level(logging.WARNING):
        async with opened(folder / "store.db") as store:
            with unavailable():
                await store.clients()
            folder.mkdir()
            await keep(store, client())
    assert "No such file" in caplog.text


async def test_whoever_is_cancelled_within_a_transaction_leaves_nothing_behind(file: Path) -> None:
    async with opened(file) as store:
        reached = asyncio.Event()

        async def write() -> None:
            async with store.begin() as transaction:
                await transaction.add_client(client("new"))
                reached.set()
                await asyncio.Event().wait()

        task = asyncio.ensure_future(write())
        await reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await assert_nothing_new(store)
        await write_all(store)


@pytest.mark.case("C282")
async def test_a_server_that_is_not_there_is_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    url = f"postgresql://tester:{PASSWORD}@127.0.0.1:{free_port()}/x"
    with caplog.at_level(logging.DEBUG):
        async with open_store(options(url), FakeClock()) as store:
            with unavailable():
                await store.client("c1")
            with unavailable():
                await write_all(store)
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("wrong", ["password", "database"])
async def test_a_server_that_refuses_us_is_no_answer_and_the_log_says_why(
    postgresql: PostgreSQL, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    url = postgresql.url("nosuch") if wrong == "database" else postgresql.url("postgres").replace(PASSWORD, "hunter2")
    async with open_store(options(url, timeout=2), FakeClock()) as store:
        with unavailable():
            await store.client("c1")
    assert ("password authentication failed" if wrong == "password" else "does not exist") in caplog.text
    assert "hunter2" not in caplog.text


@pytest.fixture
async def kept(postgresql: PostgreSQL) -> str:
    """The URL of a store with a client in it."""
    url = await postgresql.database()
    async with open_store(options(url, timeout=5), FakeClock()) as store:
        await keep(store, client())
    return url


@pytest.mark.case("C282")
async def test_a_server_that_ends_our_connections_in_the_middle_keeps_nothing(
    postgresql: PostgreSQL, kept: str
) -> None:
    async with open_store(options(kept, timeout=5), FakeClock()) as store:
        with unavailable():
            async with store.begin() as transaction:
                await transaction.add_client(client("new"))
                await postgresql.disconnect_all(kept)
                await transaction.note("operator", "client.registered")
        await assert_nothing_new(store)
        await write_all(store)


@pytest.mark.case("C282")
async def test_a_server_that_stands_still_is_not_waited_for(postgresql: PostgreSQL, kept: str) -> None:
    async with open_store(options(kept, timeout=0.3), FakeClock()) as store:
        await store.clients()
        with postgresql.frozen(), unavailable():
            async with asyncio.timeout(10):
                await write_all(store)
        await assert_nothing_new(store)


@pytest.mark.case("C282")
async def test_a_writer_that_sits_on_the_lock_is_not_waited_for(kept: str) -> None:
    async with (
        open_store(options(kept, timeout=5), FakeClock()) as slow,
        open_store(options(kept, timeout=0.3), FakeClock()) as store,
        slow.begin() as transaction,
    ):
        await transaction.note("operator", "slow")
        with unavailable("lock timeout"):
            await write_all(store)
        assert await store.client("c1") == client()


@pytest.mark.case("C282")
async def test_a_server_that_is_read_only_takes_nothing(postgresql: PostgreSQL, kept: str) -> None:
    name = kept.rpartition("/")[2]
    await postgresql.execute("postgres", f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    async with open_store(options(kept, timeout=5), FakeClock()) as store:
        with unavailable("read-only transaction"):
            await write_all(store)
        await assert_nothing_new(store)


async def test_a_command_says_that_the_database_is_not_available(tmp_path: Path) -> None:
    with unavailable():
        await upgrade(options(f"sqlite:///{tmp_path}/nowhere/store.db"))


@contextmanager
def as_nobody() -> Iterator[Path]:
    """A folder of our own, within the block as a user who is bound by the modes of files; root is not."""
    with tempfile.TemporaryDirectory(prefix="tokenward-") as name:
        privileged = os.geteuid() == 0
        if privileged:
            os.chown(name, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            if privileged:
                os.seteuid(0)
