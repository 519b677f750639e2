import asyncio
import stat
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.clients.store import Unusable
from gateway.clients.store.opening import open_store, upgrade
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import new_key
from gateway.clients.store.version import HEAD
from gateway.policy import Unavailable
from tests.clients.store.direct import Direct, Refused
from tests.clients.store.records import KEY, client, keep, registered
from tests.fakes import FakeClock

OPEN = """
import asyncio, sys
from pydantic import SecretStr
from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clock import SystemClock

async def main():
    url, key = sys.stdin.read().split()
    async with open_store(StoreOptions(url=SecretStr(url), encryption_keys=(SecretStr(key),)), SystemClock()) as store:
        async with store.begin() as transaction:
            await transaction.note("operator", "opened")
    print(*sorted(name for name in sys.modules if name in {"alembic", "sqlalchemy"}))

asyncio.run(main())
"""


async def open_elsewhere(url: str) -> str:
    """Open the store in a process of its own. Which of the large libraries it loaded."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OPEN, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(f"{url}\n{KEY.get_secret_value()}".encode())
    assert process.returncode == 0
    return output.decode().strip()


def options(url: str, *keys: SecretStr, migrate: bool = True) -> StoreOptions:
    return StoreOptions(url=SecretStr(url), encryption_keys=keys or (KEY,), migrate=migrate, timeout=5.0)


async def test_what_was_kept_is_there_when_the_store_is_opened_again(url: str, clock: FakeClock) -> None:
    async with open_store(options(url), clock) as store:
        await keep(store, client())
    async with open_store(options(url, migrate=False), clock) as store:
        assert await store.client("c1") == client()


async def test_processes_that_start_at_once_migrate_once(url: str, clock: FakeClock) -> None:
    await asyncio.gather(*(open_elsewhere(url) for _ in range(3)))
    async with open_store(options(url), clock) as store:
        assert len((await store.audit()).items) == 3
        assert await store.verify_audit() is None


async def test_alembic_is_loaded_only_where_a_migration_is_due(url: str) -> None:
    assert await open_elsewhere(url) == "alembic sqlalchemy"
    assert await open_elsewhere(url) == "sqlalchemy"


async def test_nothing_large_is_loaded_before_a_store_is_opened() -> None:
    program = (
        "import sys, gateway.clients, gateway.clients.store, gateway.clients.store.options;"
        "sys.exit(not {'sqlalchemy', 'alembic', 'aiosqlite', 'asyncpg'}.isdisjoint(sys.modules))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await process.wait() == 0


async def test_a_database_without_tables_is_refused_where_it_must_not_be_migrated(url: str, clock: FakeClock) -> None:
    with pytest.raises(Unusable, match="tokenward store upgrade") as caught:
        async with open_store(options(url, migrate=False), clock):
            pass
    assert caught.value.code == "not_migrated"


async def test_the_command_migrates_whatever_the_configuration_says(url: str, clock: FakeClock) -> None:
    assert await upgrade(options(url, migrate=False)) == HEAD
    assert await upgrade(options(url, migrate=False)) == HEAD
    async with open_store(options(url, migrate=False), clock) as store:
        await keep(store, client())


@pytest.mark.parametrize("migrate", [True, False])
async def test_a_database_of_a_later_release_is_refused_and_left_alone(
    url: str, direct: Direct, clock: FakeClock, migrate: bool
) -> None:
    await upgrade(options(url))
    await direct.run("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(Unusable, match="9999") as caught:
        async with open_store(options(url, migrate=migrate), clock):
            pass
    assert caught.value.code == "newer_schema"
    with pytest.raises(Unusable, match="9999"):
        await upgrade(options(url))
    assert await direct.run("SELECT version_num FROM alembic_version") == [("9999",)]


async def test_nothing_stays_of_a_migration_that_fails(url: str, direct: Direct, clock: FakeClock) -> None:
    # One of the last tables that are made is there already.
    await direct.run("CREATE TABLE used (something integer)")
    async with open_store(options(url), clock):
        pass
    for table in ("clients", "alembic_version"):
        with pytest.raises(Refused):
            await direct.run(f"SELECT 1 FROM {table}")
    await direct.run("DROP TABLE used")
    async with open_store(options(url), clock) as store:
        await keep(store, client())


async def test_a_database_that_was_made_with_another_key_is_refused(url: str, clock: FakeClock) -> None:
    await upgrade(options(url))
    with pytest.raises(Unusable) as caught:
        async with open_store(options(url, SecretStr(new_key())), clock):
            pass
    assert caught.value.code == "wrong_key"


async def test_a_key_is_replaced_in_three_steps(url: str, clock: FakeClock) -> None:
    new = SecretStr(new_key())
    async with open_store(options(url), clock) as store:
        await keep(store, client("c1"), client("c2"))
        for id_ in ("c1", "c2"):
            async with store.begin() as transaction:
                await transaction.keep_registered(id_, registered())
                await transaction.note("operator", "kept", client=id_)
    async with open_store(options(url, new, KEY), clock) as store:
        assert await store.reseal() == 3
        assert await store.reseal() == 0
    async with open_store(options(url, new), clock) as store:
        assert [await store.registered(id_) for id_ in ("c1", "c2")] == [registered()] * 2
        assert await store.verify_audit() is None


async def test_a_registration_does_not_open_for_another_client(url: str, direct: Direct, clock: FakeClock) -> None:
    async with open_store(options(url), clock) as store:
        await keep(store, client("c1"), client("c2"))
        async with store.begin() as transaction:
            await transaction.keep_registered("c1", registered())
            await transaction.keep_registered("c2", registered())
        await direct.run(
            "UPDATE registrations SET sealed = (SELECT sealed FROM registrations WHERE client = 'c1') "
            "WHERE client = 'c2'"
        )
        assert await store.registered("c1") == registered()
        with pytest.raises(Unavailable, match="does not open"):
            await store.registered("c2")


@pytest.mark.parametrize(
    "url", ["", "x", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///x?mode=ro", "mysql://me:hunter2@db/x"]
)
async def test_a_url_that_names_no_database_is_refused_without_showing_it(url: str, clock: FakeClock) -> None:
    with pytest.raises(Unusable) as caught:
        async with open_store(options(url), clock):
            pass
    assert caught.value.code == "invalid_url"
    assert "hunter2" not in str(caught.value)


async def test_a_url_that_the_driver_does_not_understand_is_refused_without_showing_it(clock: FakeClock) -> None:
    with pytest.raises(Unusable) as caught:
        async with open_store(options("postgresql://me:hunter2@db/x?sslmode=whatever"), clock):
            pass
    assert caught.value.code == "invalid_url"
    assert "hunter2" not in repr([caught.value, caught.value.__cause__, caught.value.__context__])


async def test_the_file_is_its_owners_alone_and_so_are_its_companions(tmp_path: Path, clock: FakeClock) -> None:
    async with open_store(options(f"sqlite:///{tmp_path}/store.db"), clock) as store:
        await keep(store, client())
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"store.db": 0o600, "store.db-wal": 0o600, "store.db-shm": 0o600}


async def test_a_relative_url_names_a_file_of_the_working_directory(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_store(options("sqlite:///my%20store.db"), clock) as store:
        await keep(store, client())
    assert (tmp_path / "my store.db").exists()
