"""Learns that another process changed something: PostgreSQL tells, SQLite is asked."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.clients.store.database import Database
from gateway.clients.store.faults import from_asyncpg, reason, translated
from gateway.clients.store.transaction import CHANNEL
from gateway.policy import Unavailable

log = logging.getLogger(__name__)


async def told(database: Database) -> AsyncGenerator[None, None]:
    """Yields whenever another process may have changed contracts, and after every new connection: what was told
    meanwhile is made good by reading.
    """
    connected = _asked if database.is_sqlite else _listening
    while True:
        try:
            async with aclosing(connected(database)) as news:
                async for _ in news:
                    yield
        except Unavailable as error:
            log.info("other processes' changes are not heard of: %s", reason(error))
        await asyncio.sleep(database.options.poll)


async def _asked(database: Database) -> AsyncGenerator[None, None]:
    """SQLite: the number of its data is another one whenever another connection wrote."""
    async with database.reading() as connection:
        await _leave(connection)
        known = None
        while True:
            version = await _data_version(connection)
            if version != known:
                known = version
                yield
            await asyncio.sleep(database.options.poll)


async def _leave(connection: AsyncConnection) -> None:
    """A transaction would see for ever what it saw first."""
    with translated():
        await connection.rollback()


async def _data_version(connection: AsyncConnection) -> int:
    with translated():
        version = int((await connection.exec_driver_sql("PRAGMA data_version")).scalar_one())
        await connection.rollback()
    return version


async def _listening(database: Database) -> AsyncGenerator[None, None]:
    """PostgreSQL: a connection that listens, until it is lost."""
    async with database.reading() as connection:
        await _leave(connection)
        news, lost = asyncio.Event(), asyncio.Event()

        def end() -> None:
            lost.set()
            news.set()

        with translated():
            raw: Any = (await connection.get_raw_connection()).driver_connection
            with from_asyncpg():
                await raw.add_listener(CHANNEL, lambda *_: news.set())
        raw.add_termination_listener(lambda _: end())
        try:
            news.set()
            while not lost.is_set():
                await _wait(news, database.options.reread)
                if news.is_set():
                    news.clear()
                    yield
                else:
                    with translated(), from_asyncpg():
                        # A connection can be gone without a word.
                        await raw.execute("SELECT 1")
        finally:
            # Closed rather than given back: nobody else wants a connection that listens.
            await connection.invalidate()


async def _wait(news: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await news.wait()
    except TimeoutError:
        return
