"""Opens the store: keys, tables, connections."""

import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clients.store import Unusable, chain, ledger
from gateway.clients.store.database import Database
from gateway.clients.store.faults import translated
from gateway.clients.store.ledger import Ledger
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import Seal, SealBroken
from gateway.clients.store.store import Store
from gateway.clients.store.version import is_due, not_migrated, version_of
from gateway.policy import Unavailable
from gateway.ports import Clock

log = logging.getLogger(__name__)
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

    database = Database(options, prepare)
    try:
        try:
            await database.prepare()
        except Unavailable as error:
            log.warning("the store is not available yet: %s", error.detail)
        yield Store(database, seal, clock)
    finally:
        await database.close()


async def upgrade(options: StoreOptions) -> str:
    """Bring the tables up to date, whatever `migrate` says. The version they have now.

    Raises `Unavailable` and `Unusable`.
    """
    seal = Seal(options.encryption_keys)

    async def nothing(_: Database) -> None:
        return

    database = Database(options, nothing)
    try:
        await _migrate(database)
        await _unlock(database, seal)
        async with database.connected(writes=False) as connection:
            with translated():
                return str(await connection.run_sync(version_of))
    finally:
        await database.close()


async def _prepare(database: Database, seal: Seal) -> None:
    async with database.connected(writes=False) as connection:
        with translated():
            version = await connection.run_sync(version_of)
    if is_due(version):
        if not database.options.migrate:
            raise not_migrated(version)
        await _migrate(database)
    await _unlock(database, seal)


async def _migrate(database: Database) -> None:
    # Whoever comes second waits here, and finds nothing left to do.
    async with database.connected(writes=True) as connection:
        with translated():
            if not database.is_sqlite:
                await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            if is_due(await connection.run_sync(version_of)):
                from gateway.clients.store.migrations import migrate

                await connection.run_sync(migrate)
                await connection.commit()


async def _unlock(database: Database, seal: Seal) -> None:
    """Make sure that the keys are those of this database; make its ledger where there is none."""
    async with database.connected(writes=True) as connection:
        with translated():
            row = (await connection.execute(ledger.take())).mappings().first()
            if row is None:
                await connection.execute(ledger.add(_new_ledger(seal)))
            else:
                await _check_keys(connection, seal, ledger.from_row(row))
            await connection.commit()


async def _check_keys(connection: AsyncConnection, seal: Seal, found: Ledger) -> None:
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
