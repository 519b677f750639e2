"""A real PostgreSQL: started once for the whole run, and gone with it. Every test has a database of its own."""

import itertools
import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, run

import asyncpg
import pytest

from tests.idp.fixtures import must_be_here
from tests.idp.processes import Running, free_port
from tests.idp.processes import run as run_server

PASSWORD = "a-password-of-the-tests"
"""Never to be seen in a log or an error."""


@dataclass(slots=True)
class PostgreSQL:
    """A running server on the loopback address."""

    running: Running
    port: int
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str) -> str:
        """How that database is reached."""
        return f"postgresql://tester:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    async def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test{next(self._numbers)}"
        await self.execute("postgres", f"CREATE DATABASE {name}")
        return self.url(name)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Everything of the server stands still during the block, its connections included."""
        children = Path(f"/proc/{self.running.process.pid}/task/{self.running.process.pid}/children").read_text()
        processes = [self.running.process.pid, *map(int, children.split())]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    async def disconnect_all(self, url: str) -> None:
        """End every connection to that database, as a restart does."""
        name = url.rpartition("/")[2]
        query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        await self.execute("postgres", query)

    async def execute(self, database: str, statement: str) -> None:
        """Do something as the superuser."""
        connection = await asyncpg.connect(self.url(database), timeout=5)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def missing() -> str | None:
    """Why there is no server to start; `None`: there is one."""
    if programs() is None:
        return "PostgreSQL is not installed (Debian: apt-get install postgresql)"
    if os.geteuid() == 0 and _unprivileged() is None:
        return "PostgreSQL does not run as root, and there is no user `postgres`"
    return None


def programs() -> Path | None:
    """Where `initdb` and `postgres` are."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = max(versions, key=lambda program: int(program.parts[-3]), default=None)
    on_path = shutil.which("initdb")
    if found is None:
        return None if on_path is None else Path(on_path).parent
    return found.parent


@contextmanager
def start() -> Iterator[PostgreSQL]:
    """A new server, until the end of the block."""
    found = programs()
    assert found is not None
    # Not below pytest's own folder: that one is closed to other users.
    with tempfile.TemporaryDirectory(prefix="tokenward-postgresql-") as name:
        folder = Path(name)
        _initialise(found, folder)
        port = free_port()
        options = (
            *("-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", f"unix_socket_directories={folder}"),
            # What a test writes need not outlive a loss of power.
            *("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200"),
        )
        with run_server([*_as_somebody(), f"{found}/postgres", "-D", f"{folder}/data", *options], folder=folder) as it:
            it.wait_for(lambda: True if _is_ready(found, port) else None)
            yield PostgreSQL(it, port)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A running PostgreSQL."""
    reason = missing()
    if reason and must_be_here():
        pytest.fail(f"{reason}, and TOKENWARD_REQUIRE_SERVERS is set", pytrace=False)
    if reason:
        pytest.skip(reason)
    with start() as server:
        yield server


def on_both() -> Sequence[object]:
    """The parameters of a fixture that is a store in SQLite, then one in PostgreSQL."""
    reason = missing()
    absent = reason is not None and not must_be_here()
    return ["sqlite", pytest.param("postgresql", marks=pytest.mark.skipif(absent, reason=reason or "it is here"))]


def _initialise(found: Path, folder: Path) -> None:
    password = folder / "password"
    password.write_text(PASSWORD)
    if (user := _unprivileged()) is not None and os.geteuid() == 0:
        for path in (folder, password):
            os.chown(path, user.pw_uid, user.pw_gid)
    command = [f"{found}/initdb", "-D", f"{folder}/data", "-U", "tester", "--pwfile", f"{password}"]
    options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    run([*_as_somebody(), *command, *options], check=True, stdout=DEVNULL, cwd=folder)


def _is_ready(found: Path, port: int) -> bool:
    return run([f"{found}/pg_isready", "-q", "-h", "127.0.0.1", "-p", f"{port}"], check=False).returncode == 0


def _unprivileged() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


def _as_somebody() -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    # A change of user takes back the wish to die with the parent: it is said once more.
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig", "KILL", "--"]
