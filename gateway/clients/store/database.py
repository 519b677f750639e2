"""A database that is connected to: transactions that read, and transactions that write."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.clients.store import Unusable
from gateway.clients.store.faults import from_asyncpg, translated, unavailable
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.urls import PostgresServer, SqliteFile, parse_url

_POOL = 5
_WRITES = "tokenward_writes"


class Cursor(Protocol):
    """What both drivers give to SQLAlchemy's events."""

    def execute(self, statement: str) -> object: ...

    def close(self) -> None: ...


class Database:
    """Hands out connections. Before the first one, it makes sure of the tables."""

    def __init__(self, options: StoreOptions, prepare: Callable[["Database"], Awaitable[None]]) -> None:
        """Raises `Unusable` for a URL that names no database, or one whose driver is not installed."""
        self.options = options
        self.place = parse_url(options.url)
        self._engine = make_engine(self.place, options)
        self._prepare = prepare
        self._prepared = False
        self._preparing = asyncio.Lock()

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return isinstance(self.place, SqliteFile)

    async def prepare(self) -> None:
        """Make sure of the tables, once. Raises `Unavailable` (it is tried again at the next use) and `Unusable`."""
        async with self._preparing:
            if not self._prepared:
                await self._prepare(self)
                self._prepared = True

    async def _prepare_late(self) -> None:
        """A database that was away when it was opened. What an operator has to put right about it, comes true then.

        Nobody ends because of it any more: it is away, for whoever uses it, and the log says why.
        """
        try:
            await self.prepare()
        except Unusable as error:
            # A file that is put in its place is found by new connections only.
            await self._engine.dispose()
            raise unavailable() from error

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that reads. Raises `Unavailable`."""
        if not self._prepared:
            await self._prepare_late()
        async with self.connected(writes=False) as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes: committed at the end, undone after any exception. Raises `Unavailable`."""
        if not self._prepared:
            await self._prepare_late()
        async with self.connected(writes=True) as connection:
            yield connection
            with translated():
                await connection.commit()

    @asynccontextmanager
    async def connected(self, *, writes: bool) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that is undone at the end, whatever the tables are like."""
        async with AsyncExitStack() as stack:
            with translated():
                if isinstance(self.place, SqliteFile):
                    self.place.make()
                connection = await stack.enter_async_context(self._engine.connect())
                await connection.execution_options(**{_WRITES: writes})
                await connection.begin()
            yield connection

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()


@asynccontextmanager
async def closing(database: Database) -> AsyncIterator[Database]:
    """Close its connections at the end of the block."""
    try:
        yield database
    finally:
        await database.close()


async def nothing_due(_: Database) -> None:
    """For one who looks after the tables without the database's doing."""


def make_engine(place: SqliteFile | PostgresServer, options: StoreOptions) -> AsyncEngine:
    """Connects when it is used first. Raises `Unusable` where PostgreSQL's driver is missing."""
    if isinstance(place, SqliteFile):
        return _sqlite_engine(place, options.timeout)
    return _postgresql_engine(place, options.timeout)


def _sqlite_engine(file: SqliteFile, timeout: float) -> AsyncEngine:
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(file.path)),
        # Values would show in the errors' texts.
        hide_parameters=True,
        pool_size=_POOL,
        pool_timeout=timeout,
        # Python's module would begin transactions by its own rules.
        connect_args={"timeout": timeout, "isolation_level": None},
    )
    event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _record: object) -> None:
    cursor: Cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # A revocation that was answered outlives a loss of power: in WAL mode, NORMAL would not promise that.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # What stands in the file is data: it calls no function that somebody put there.
    cursor.execute("PRAGMA trusted_schema = OFF")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # One that reads first and writes then would fail where another wrote in between: the lock is taken at once.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql_engine(server: PostgresServer, timeout: float) -> AsyncEngine:
    try:
        import asyncpg
    except ImportError as error:
        raise Unusable(
            "PostgreSQL needs its driver: install tokenward with the extra `postgres`, as in "
            "pip install 'tokenward[postgres]'.",
            "no_driver",
        ) from error

    milliseconds = f"{round(timeout * 1000)}"
    settings = {
        "application_name": "tokenward",
        "lock_timeout": milliseconds,
        # Whoever writes keeps others from writing: nobody may sit on it.
        "idle_in_transaction_session_timeout": milliseconds,
    }

    async def connect(*_: object, **__: object) -> object:
        with from_asyncpg():
            return await asyncpg.connect(
                server.dsn,
                timeout=timeout,
                # For a server that says nothing more: one that waits for a lock gives up before, and says so.
                command_timeout=timeout + 1,
                server_settings=settings,
            )

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        hide_parameters=True,
        pool_size=_POOL,
        pool_timeout=timeout,
        # A server that was restarted: found out before a statement is lost.
        pool_pre_ping=True,
    )
