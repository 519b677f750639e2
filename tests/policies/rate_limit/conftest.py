"""Counters shared by the policies of a test, and a real Redis."""

import shutil
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.fakes import FakeSharing
from tests.idp.processes import Running, free_port, run


@pytest.fixture
async def sharing() -> AsyncIterator[FakeSharing]:
    """What is shared, closed after the test."""
    shared = FakeSharing()
    yield shared
    await shared.close()


class Redis:
    """A Redis server of this test."""

    def __init__(self, port: int, running: Running) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        self.running = running


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis that keeps nothing."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed: apt-get install redis-server")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with run(command, folder=tmp_path_factory.mktemp("redis")) as running:
        running.wait_for(lambda: _answers(port))
        yield Redis(port, running)


def _answers(port: int) -> bool | None:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return True if connection.recv(16).startswith(b"+PONG") else None
    except OSError:
        return None
