"""The store: out of reach, new, to be migrated, sealed with other keys, or with a hole in its audit log."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import new_key
from gateway.clock import SystemClock
from gateway.doctor import Report, as_text
from tests.clients.store.records import client, registered
from tests.doctor.examining import examined, found, settings
from tests.doctor.registering import not_well, told

KEY, NEWER = new_key(), new_key()


def options(folder: Path, *keys: str) -> StoreOptions:
    url = SecretStr(f"sqlite:///{folder}/store.db")
    return StoreOptions(url=url, encryption_keys=tuple(SecretStr(key) for key in keys or (KEY,)))


async def kept(folder: Path, *keys: str) -> None:
    """A store with a client, and a line in its audit log."""
    async with open_store(options(folder, *keys), SystemClock()) as store, store.begin() as transaction:
        await transaction.add_client(client())
        await transaction.keep_registered("c1", registered())
        await transaction.note("operator", "client.registered", client="c1")


def altered(folder: Path, *statements: str) -> None:
    """Somebody writes to the database past the gateway."""
    with closing(sqlite3.connect(folder / "store.db", isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


async def report_on(folder: Path, *keys: str, **more: Any) -> Report:
    written = {"url": f"sqlite:///{folder}/store.db", "encryption_keys": list(keys or (KEY,)), **more}
    return await examined(settings(None, store=written))


async def test_a_store_that_is_well(tmp_path: Path) -> None:
    await kept(tmp_path)
    report = await report_on(tmp_path)
    assert not_well(report, "store") == []
    assert [finding.seen for finding in told(report, "store").values()] == [
        "It can be had, and its tables are of version 0001.",
        "What is sealed (1 registration) opens, with the first key.",
        "It is as it was written (1 entry).",
    ]


async def test_a_store_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    report = await report_on(tmp_path)
    assert found(report, "database", "store")[0] == "ok"
    assert list(tmp_path.iterdir()) == []


async def test_a_store_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    report = await report_on(tmp_path / "nowhere")
    assert found(report, "database", "store")[::2] == (
        "failure",
        "Make the folder, writable for the gateway's user, or correct store.url.",
    )


async def test_a_database_without_tables_is_not_given_any(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    assert found(await report_on(tmp_path), "migration", "store")[0] == "ok"
    result, seen, advice = found(await report_on(tmp_path, migrate=False), "migration", "store")
    assert (result, advice) == ("failure", "Run `tokenward store upgrade`, or set migrate: true.")
    assert seen == "The database has no tables, and this release needs version 0001; the gateway would not start."


async def test_a_database_of_a_later_release(tmp_path: Path) -> None:
    await kept(tmp_path)
    altered(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    result, _, advice = found(await report_on(tmp_path), "database", "store")
    assert (result, advice) == ("failure", "Run the release that migrated it, or restore the backup from before.")


async def test_the_keys_of_another_database(tmp_path: Path) -> None:
    await kept(tmp_path)
    assert found(await report_on(tmp_path, NEWER), "seals", "store")[0] == "failure"


async def test_a_key_that_was_replaced_seals_the_old_until_it_is_sealed_anew(tmp_path: Path) -> None:
    await kept(tmp_path)
    report = await report_on(tmp_path, NEWER, KEY)
    assert found(report, "seals", "store") == (
        "warning",
        "1 of 1 registration are sealed with another key than the first.",
        "Run `tokenward store reseal` before that key is taken away.",
    )


async def test_what_no_key_opens(tmp_path: Path) -> None:
    await kept(tmp_path)
    altered(tmp_path, "UPDATE registrations SET sealed = x'00'")
    assert found(await report_on(tmp_path), "seals", "store")[0] == "failure"


@pytest.mark.parametrize(
    ("deed", "entry"),
    [("UPDATE audit SET actor = 'nobody'", 1), ("DELETE FROM audit", 1), ("UPDATE ledger SET entries = 0", 2)],
)
async def test_an_audit_log_that_somebody_changed(tmp_path: Path, deed: str, entry: int) -> None:
    await kept(tmp_path)
    altered(tmp_path, "DROP TRIGGER audit_refuses_update", "DROP TRIGGER audit_refuses_delete", deed)
    result, seen, advice = found(await report_on(tmp_path), "audit log", "store")
    assert (result, seen.partition(" is missing")[0]) == ("failure", f"Entry {entry}")
    assert advice.startswith("Find out who writes to the database")


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("not a database at all, but some text that is long enough" * 20)
    assert found(await report_on(tmp_path), "database", "store")[0] == "failure"


async def test_a_server_that_is_out_of_reach_and_its_password() -> None:
    pytest.importorskip("asyncpg")
    written = {"url": "postgresql://us:a-password-of-ours@127.0.0.1:9/tokenward", "encryption_keys": [KEY]}
    report = await examined(settings(None, store=written))
    assert found(report, "database", "store")[::2] == ("failure", "Start the database, or correct store.url.")
    assert "a-password-of-ours" not in as_text(report) + repr(report)
