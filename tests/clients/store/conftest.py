"""The store in both databases: one suite."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.store import Store
from tests.clients.postgresql import PostgreSQL, on_both
from tests.clients.store.direct import Direct, DirectPostgreSQL, DirectSqlite
from tests.clients.store.records import KEY
from tests.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=on_both())
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: of a file, then of a server."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return await server.database()


@pytest.fixture
def options(url: str) -> StoreOptions:
    return StoreOptions(url=SecretStr(url), encryption_keys=(KEY,), poll=0.02, timeout=2.0)


@pytest.fixture
async def store(options: StoreOptions, clock: FakeClock) -> AsyncIterator[Store]:
    async with open_store(options, clock) as store:
        yield store


@pytest.fixture
async def direct(url: str) -> AsyncIterator[Direct]:
    """The database as somebody reaches it who does not go through the store."""
    if url.startswith("sqlite"):
        sqlite = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        yield DirectSqlite(sqlite)
        sqlite.close()
    else:
        async with DirectPostgreSQL.to(url) as postgresql:
            yield postgresql
