"""A look at a store that changes nothing in it: nothing is made, migrated or written."""

from dataclasses import dataclass

from sqlalchemy import select

from gateway.clients.store import ledger, registrations
from gateway.clients.store.database import Database, closing, nothing_due
from gateway.clients.store.faults import translated
from gateway.clients.store.ledger import Ledger
from gateway.clients.store.opening import check_keys
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import Seal, SealBroken
from gateway.clients.store.store import Store
from gateway.clients.store.tables import registrations as sealed
from gateway.clients.store.urls import SqliteFile
from gateway.clients.store.version import is_due, version_of
from gateway.ports import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What was seen."""

    place: str
    """The file of SQLite; empty for a server."""
    is_there: bool = True
    """Whether there is a database; SQLite's is made by who opens it first."""
    version: str | None = None
    """Of the tables; `None`: there are none."""
    is_due: bool = True
    """Whether they are to be migrated. Then nothing else was looked at."""
    sealed: int = 0
    """Registrations that are kept."""
    unreadable: int = 0
    """Of these: how many do not open with any of the keys."""
    outdated: int = 0
    """Of these: how many are sealed with another key than the first."""
    entries: int = 0
    """Of the audit log."""
    broken_at: int | None = None
    """The first entry that is not as it was written."""


async def inspect(options: StoreOptions, clock: Clock) -> Inspected:
    """Look at all of it. Raises `Unavailable`, and `Unusable` as opening does."""
    seal = Seal(options.encryption_keys)
    async with closing(Database(options, nothing_due)) as database:
        place = str(database.place.path) if isinstance(database.place, SqliteFile) else ""
        if isinstance(database.place, SqliteFile) and not database.place.path.exists():
            return Inspected(place=place, is_there=False)
        async with database.connected(writes=False) as connection:
            with translated():
                version = await connection.run_sync(version_of)
        if is_due(version):
            return Inspected(place=place, version=version)
        return await _contents(database, seal, clock, Inspected(place=place, version=version, is_due=False))


async def _contents(database: Database, seal: Seal, clock: Clock, found: Inspected) -> Inspected:
    kept, rows = await _read(database)
    if not kept.sealed_key:  # tables that nobody has opened yet
        return found
    check_keys(seal, kept)
    return Inspected(
        place=found.place,
        version=found.version,
        is_due=False,
        sealed=len(rows),
        unreadable=sum(not _opens(seal, *row) for row in rows),
        outdated=sum(not seal.is_current(row[1]) for row in rows),
        entries=kept.entries,
        broken_at=await Store(database, seal, clock).verify_audit(),
    )


async def _read(database: Database) -> tuple[Ledger, list[tuple[str, bytes]]]:
    async with database.connected(writes=False) as connection:
        with translated():
            row = (await connection.execute(ledger.read())).mappings().one()
            rows = (await connection.execute(select(sealed.c.client, sealed.c.sealed))).all()
    return ledger.from_row(row), [(client, contents) for client, contents in rows]


def _opens(seal: Seal, client: str, contents: bytes) -> bool:
    try:
        seal.open(contents, registrations.row_name(client))
    except SealBroken:
        return False
    return True
