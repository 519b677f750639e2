import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.clients import Directory, Register
from gateway.clients.client import ClientState
from gateway.clients.feed import Feed
from gateway.clients.life import State
from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.store import Store
from gateway.policy import Unavailable
from tests.clients.postgresql import PostgreSQL, on_both
from tests.clients.store.records import KEY, agreement, client, keep
from tests.fakes import NOON, FakeClock, FakeMetrics, Series

READ_AT = "contracts_last_success_timestamp_seconds"
CLIENT = client()
ACTIVE = agreement()


class Readings(FakeMetrics, logging.Handler):
    """When contracts were read, and what was logged about it; both can be waited for."""

    def __init__(self) -> None:
        FakeMetrics.__init__(self)
        logging.Handler.__init__(self)
        self._something = asyncio.Event()

    def gauge(self, name: str, description: str, /, **labels: str) -> Series:
        series = super().gauge(name, description, **labels)
        readings = self

        class Told(Series):
            def set(self, value: float, /) -> None:
                series.set(value)
                readings._something.set()

        return Told()

    def emit(self, record: logging.LogRecord) -> None:
        self._something.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Look again whenever something was read, or could not be."""
        async with asyncio.timeout(5):
            while not condition():
                await self._something.wait()
                self._something.clear()


class Worker:
    """A process of the gateway: its own store, register and feed."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.store = store
        self.register = Register()
        self.metrics = Readings()
        self.forgotten: list[str] = []
        self.feed = Feed(store, self.register, self.forget, clock, store.options, self.metrics)

    async def forget(self, client_id: str) -> int:
        self.forgotten.append(client_id)
        return 1

    @property
    def lets_in(self) -> bool:
        """Whether the client may use the orders; raises `Unavailable` while nobody knows."""
        directory = Directory(register=self.register)
        return directory.contract("main", "c1-at-provider", "orders") is not None

    @property
    def blocks(self) -> bool:
        return Directory(register=self.register).is_blocked("main", "c1-at-provider")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The feed runs beside the block."""
        task = asyncio.ensure_future(self.feed.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=on_both())
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return await server.database()


@pytest.fixture
def options(url: str) -> StoreOptions:
    return StoreOptions(url=SecretStr(url), encryption_keys=(KEY,), poll=0.02, reread=60.0)


@pytest.fixture
async def here(options: StoreOptions, clock: FakeClock) -> AsyncIterator[Worker]:
    """The process in which somebody decides."""
    async with open_store(options, clock) as store:
        await keep(store, CLIENT, ACTIVE)
        yield Worker(store, clock)


@pytest.fixture
async def there(options: StoreOptions, clock: FakeClock, here: Worker) -> AsyncIterator[Worker]:
    """Another process."""
    async with open_store(options, clock) as store:
        yield Worker(store, clock)


async def revoke(store: Store, *, told: bool = True) -> None:
    async with store.begin() as transaction:
        await transaction.save_agreement(replace(ACTIVE, state=State.REVOKED), before=State.ACTIVE)
        if told:
            await transaction.changed(("main", "c1-at-provider"))


async def delete(store: Store) -> None:
    async with store.begin() as transaction:
        await transaction.save_client(replace(CLIENT, state=ClientState.DELETED))
        await transaction.changed(("main", "c1-at-provider"))


async def until(worker: Worker, lets_in: bool) -> None:
    """Wait for what a running feed brings about."""
    await worker.metrics.until(lambda: worker.register.read and worker.lets_in is lets_in)


async def test_before_the_first_reading_nobody_knows(here: Worker) -> None:
    with pytest.raises(Unavailable):
        _ = here.lets_in
    await here.feed.read()
    assert here.lets_in
    assert not here.blocks


async def test_the_first_refresh_reads_everything(here: Worker) -> None:
    await here.feed.refresh()
    assert here.lets_in


async def test_a_revocation_is_in_force_when_the_refresh_returns_and_tokens_are_forgotten(here: Worker) -> None:
    await here.feed.read()
    await revoke(here.store)
    assert here.lets_in
    await here.feed.refresh()
    assert not here.lets_in
    assert here.forgotten == ["c1-at-provider"]
    await here.feed.refresh()
    await here.feed.read()
    assert here.forgotten == ["c1-at-provider"]


async def test_a_deleted_client_is_blocked_and_its_tokens_are_forgotten(here: Worker, there: Worker) -> None:
    await here.feed.read()
    await there.feed.read()
    await delete(here.store)
    await here.feed.refresh()
    await there.feed.read()
    for worker in (here, there):
        assert not worker.lets_in
        assert worker.blocks
        assert worker.forgotten == ["c1-at-provider"]


async def test_what_is_gained_forgets_nothing(here: Worker) -> None:
    await here.feed.read()
    async with here.store.begin() as transaction:
        await transaction.add_agreement(agreement("a2", api="payments"))
        await transaction.changed(("main", "c1-at-provider"))
    await here.feed.refresh()
    assert Directory(register=here.register).contract("main", "c1-at-provider", "payments") is not None
    assert here.forgotten == []


async def test_many_changes_at_once_are_read_as_a_whole(here: Worker) -> None:
    await here.feed.read()
    await revoke(here.store, told=False)
    async with here.store.begin() as transaction:
        for number in range(201):
            await transaction.changed(("main", f"other-{number}"))
    await here.feed.refresh()
    assert not here.lets_in


async def test_a_change_that_nobody_told_of_is_found_by_reading_everything(here: Worker) -> None:
    await here.feed.read()
    await revoke(here.store, told=False)
    await here.feed.refresh()
    assert here.lets_in
    await here.feed.read()
    assert not here.lets_in


async def test_reading_everything_again_takes_over_whatever_is_different(here: Worker, there: Worker) -> None:
    second, third = client("c2"), client("c3", state=ClientState.DELETED)
    await keep(here.store, second, agreement("a2", "c2"), third)
    await there.feed.read()
    async with here.store.begin() as transaction:
        await transaction.save_agreement(replace(ACTIVE, tier="silver"), before=State.ACTIVE)
        await transaction.save_client(replace(second, state=ClientState.DELETED))
        await transaction.save_client(replace(third, state=ClientState.REGISTERED))
        await transaction.add_agreement(agreement("a3", "c3"))
    await there.feed.read()
    await here.feed.read()
    assert there.register.of == here.register.of
    assert there.register.blocked == here.register.blocked == {("main", "c2-at-provider")}
    assert there.register.of["main", "c1-at-provider"]["orders"].tier == "silver"
    assert there.forgotten == ["c2-at-provider"]


async def test_another_process_hears_of_a_revocation(here: Worker, there: Worker) -> None:
    async with there.running():
        await until(there, lets_in=True)
        await revoke(here.store)
        await until(there, lets_in=False)
    assert there.forgotten == ["c1-at-provider"]


async def test_everything_is_read_again_and_again(here: Worker, options: StoreOptions, clock: FakeClock) -> None:
    async with open_store(replace(options, reread=0.05), clock) as store:
        there = Worker(store, clock)
        async with there.running():
            await until(there, lets_in=True)
            await revoke(here.store, told=False)
            await until(there, lets_in=False)


async def test_of_two_who_change_at_once_neither_is_missed(here: Worker, there: Worker) -> None:
    # The first has got its number and is not done; the second would get a higher one, and commit before it.
    await here.feed.read()
    async with asyncio.TaskGroup() as group, here.store.begin() as transaction:
        await transaction.save_agreement(replace(ACTIVE, state=State.REVOKED), before=State.ACTIVE)
        await transaction.changed(("main", "c1-at-provider"))

        async def second() -> None:
            async with there.store.begin() as other:
                await other.add_client(client("c2"))
                await other.add_agreement(agreement("a2", "c2"))
                await other.changed(("main", "c2-at-provider"))

        waiting = group.create_task(second())
        done, _ = await asyncio.wait([waiting], timeout=0.1)
        assert not done
        await here.feed.refresh()
    await here.feed.refresh()
    assert not here.lets_in
    assert Directory(register=here.register).contract("main", "c2-at-provider", "orders") is not None


@pytest.mark.case("C282")
async def test_while_the_store_fails_what_is_in_force_stays_and_the_log_says_so_once(
    options: StoreOptions, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("gateway.clients.feed")
    caplog.set_level(logging.INFO, logger=logger.name)
    async with open_store(options, clock) as store:
        await keep(store, CLIENT, ACTIVE)
        worker = Worker(store, clock)
        logger.addHandler(worker.metrics)
        await worker.feed.read()
        clock.move(60)
        async with failing(store), worker.running():
            await worker.metrics.until(lambda: worker.feed.failing_since is not None)
            with pytest.raises(Unavailable):
                await worker.feed.refresh()
            clock.move(60)
            with pytest.raises(Unavailable):
                await worker.feed.read()
            assert worker.feed.failing_since == NOON + 60
            assert worker.lets_in
            assert worker.metrics[READ_AT].value == NOON
        await worker.feed.read()
        assert worker.metrics[READ_AT].value == NOON + 120
    logger.removeHandler(worker.metrics)
    assert [record.levelname for record in caplog.records if record.name == logger.name] == ["WARNING", "INFO"]
    assert worker.forgotten == []


@asynccontextmanager
async def failing(store: Store) -> AsyncIterator[None]:
    """Nothing can be read within the block: somebody took the tables away."""
    async with store._database.connected(writes=True) as connection:
        await connection.exec_driver_sql("ALTER TABLE agreements RENAME TO away")
        await connection.exec_driver_sql("ALTER TABLE ledger RENAME TO gone")
        await connection.commit()
    try:
        yield
    finally:
        async with store._database.connected(writes=True) as connection:
            await connection.exec_driver_sql("ALTER TABLE away RENAME TO agreements")
            await connection.exec_driver_sql("ALTER TABLE gone RENAME TO ledger")
            await connection.commit()


async def test_a_database_that_was_restored_from_a_backup_is_read_as_a_whole(here: Worker) -> None:
    for _ in range(3):
        await delete(here.store)
    await here.feed.read()
    assert here.blocks
    async with here.store._database.connected(writes=True) as connection:
        await connection.exec_driver_sql("UPDATE clients SET state = 'registered'")
        await connection.exec_driver_sql("DELETE FROM changes")
        await connection.exec_driver_sql("UPDATE ledger SET changes = 1")
        await connection.commit()
    await here.feed.refresh()
    assert here.lets_in
    assert not here.blocks
