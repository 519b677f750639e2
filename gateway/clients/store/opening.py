"""Opens the store: keys, tables, connections."""

import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from gateway.clients.store import Unusable, chain, ledger
from gateway.clients.store.database import Database, closing, nothing_due
from gateway.clients.store.faults import reason, translated
from gateway.clients.store.ledger import Ledger
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import Seal, SealBroken
from gateway.clients.store.store import Store
from gateway.clients.store.version import is_due, not_migrated, version_of
from gateway.policy import Unavailable
from gateway.ports import Clock

log = logging.getLogger(__name__)
_PATIENCE = 600.0
"""Seconds that a migration may take, of this process or of another one."""
_ADVISORY_LOCK = 0x746F6B656E77
"""PostgreSQL's lock around migrations: any number that others do not use in this database."""


@asynccontextmanager
async def open_store(options: StoreOptions, clock: Clock) -> AsyncIterator[Store]:
    """The store, until the end of the block.

    Raises `Unusable` for what an operator has to put right. A database that is not available does not keep it from
    opening: every method raises `Unavailable` until it is.
    """
    seal = Seal(options.encryption_keys)

    async def prepare(database: Database) -> None:
        await _prepare(database, seal)

    async with closing(Database(options, prepare)) as database:
        try:
            await database.prepare()
        except Unavailable as error:
            log.warning("the store is not available yet: %s", reason(error))
        yield Store(database, seal, clock)


async def upgrade(options: StoreOptions) -> str:
    """Bring the tables up to date, whatever `migrate` says. The version they have now.

    Raises `Unavailable` and `Unusable`.
    """
    seal = Seal(options.encryption_keys)
    async with closing(Database(replace(options, migrate=True), nothing_due)) as database:
        await _prepare(database, seal)
        async with database.connected(writes=False) as connection:
            with translated():
                return str(await connection.run_sync(version_of))


async def _prepare(database: Database, seal: Seal) -> None:
    async with database.connected(writes=False) as connection:
        with translated():
            version = await connection.run_sync(version_of)
    if is_due(version):
        if not database.options.migrate:
            raise not_migrated(version)
        await _migrate(database.options)
    await _unlock(database, seal)


async def _migrate(options: StoreOptions) -> None:
    patient = replace(options, timeout=max(options.timeout, _PATIENCE))
    async with closing(Database(patient, nothing_due)) as database, database.connected(writes=True) as connection:
        with translated():
            if not database.is_sqlite:
                # SQLite has locked everything by now. Whoever comes second waits, and finds nothing left to do.
                await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            if is_due(await connection.run_sync(version_of)):
                from gateway.clients.store.migrations import migrate

                await connection.run_sync(migrate)
                await connection.commit()


async def _unlock(database: Database, seal: Seal) -> None:
    """Make sure that the keys are those of this database."""
    async with database.connected(writes=False) as connection:
        with translated():
            row: Mapping[str, Any] = (await connection.execute(ledger.read())).mappings().one()
    if not row["sealed_key"]:
        row = await _lock(database, seal)
    check_keys(seal, ledger.from_row(row))


async def _lock(database: Database, seal: Seal) -> Mapping[str, Any]:
    """Give a new database its key. Of two who do that at once, the first is heeded."""
    async with database.connected(writes=True) as connection:
        with translated():
            row: Mapping[str, Any] = (await connection.execute(ledger.take())).mappings().one()
            if row["sealed_key"]:
                return row
            await connection.execute(ledger.save(_new_ledger(seal)))
            row = (await connection.execute(ledger.read())).mappings().one()
            await connection.commit()
    return row


def check_keys(seal: Seal, found: Ledger) -> None:
    """Raises `Unusable` (code `wrong_key`) when they are another database's."""
    try:
        seal.open(found.sealed_key, ledger.SEALED_FOR)
    except SealBroken as error:
        raise Unusable(
            "None of the configured encryption keys opens this database: give the key that it was made with, after "
            "the new one if there is a new one.",
            "wrong_key",
        ) from error


def _new_ledger(seal: Seal) -> Ledger:
    key = secrets.token_bytes(32)
    return Ledger(proof=chain.proof(key, 0, chain.START), sealed_key=seal.close(key, ledger.SEALED_FOR))
