"""A database as somebody reaches it who does not go through the store."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

import asyncpg


class Refused(Exception):
    """The database did not do it."""


class Direct(Protocol):
    """Statements without parameters."""

    async def run(self, statement: str) -> list[tuple[Any, ...]]: ...


class DirectSqlite:
    """By Python's own module."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def run(self, statement: str) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement).fetchall()
        except sqlite3.Error as error:
            raise Refused(str(error)) from error


class DirectPostgreSQL:
    """By asyncpg."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator["DirectPostgreSQL"]:
        """Until the end of the block."""
        connection = await asyncpg.connect(url, timeout=5)
        try:
            yield cls(connection)
        finally:
            await connection.close()

    async def run(self, statement: str) -> list[tuple[Any, ...]]:
        try:
            return [tuple(row) for row in await self._connection.fetch(statement)]
        except asyncpg.PostgresError as error:
            raise Refused(str(error)) from error
