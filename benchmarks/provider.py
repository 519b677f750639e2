"""The identity provider of a run: how it is started, and what can be done to it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlencode

from benchmarks.peers import LUA_MODULE
from benchmarks.processes import Crew, Program
from benchmarks.templates import write


@dataclass(frozen=True, slots=True)
class Calls:
    """What a provider was asked since the last time it was looked at."""

    introspections: int
    jwks: int


@dataclass(slots=True)
class Provider:
    """The identity provider, and what can be done to it."""

    port: int
    command: str
    program: Program
    crew: Crew
    cpus: str

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def calls(self, **changes: str | float) -> Calls:
        """Count anew, after changing `delay` (seconds) or revoking a token; gives what was counted until now."""
        _, body = fetch(self.port, f"/control?{urlencode(changes)}")
        return Calls(**json.loads(body))

    @asynccontextmanager
    async def gone(self) -> AsyncIterator[None]:
        """Nobody listens at its address during the block."""
        # In a thread, here and below: whoever is measured meanwhile must not wait for it.
        await asyncio.to_thread(self.crew.end, self.program)
        try:
            yield
        finally:
            self.program = await asyncio.to_thread(self._start)

    @asynccontextmanager
    async def silent(self) -> AsyncIterator[None]:
        """It takes connections during the block and says nothing."""
        await asyncio.to_thread(self.program.freeze)
        try:
            yield
        finally:
            await asyncio.to_thread(self.program.thaw)

    def _start(self) -> Program:
        return self.crew.start("provider", self.command, cpus=self.cpus, port=self.port)


def start_provider(crew: Crew, cpus: str, values: Mapping[str, object], port: int) -> Provider:
    """On nginx where it has Lua, else our own in Python. Raises StartError."""
    folder = crew.folder
    command = f"{sys.executable} -m benchmarks.provider_stub {port} {folder}/jwks.json"
    if has_lua():
        write("provider.conf", folder / "provider.conf", values)
        command = f"nginx -c {folder}/provider.conf"
    program = crew.start("provider", command, cpus=cpus, port=port)
    return Provider(port, command, program, crew, cpus)


def has_lua() -> bool:
    """Whether nginx can be the identity provider."""
    return LUA_MODULE.exists()


def fetch(port: int, path: str, token: str = "") -> tuple[int, bytes]:
    """The status and body of one answer, on a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
