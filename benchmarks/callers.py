"""Callers over raw connections, for what wrk cannot do: one request at a time, each with its own outcome."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

NO_ANSWER = 0
"""The status of an answer that did not come."""
PATIENCE = 10.0
"""Seconds that a caller waits for its answer."""
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request went, in seconds of the monotonic clock."""

    began: float
    ended: float
    status: int

    @property
    def took(self) -> float:
        """Milliseconds."""
        return (self.ended - self.began) * 1e3


def request(path: str, token: str = "") -> bytes:
    """The bytes of a GET."""
    sent = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: benchmark.example\r\n{sent}\r\n".encode()


@dataclass(slots=True)
class Caller:
    """Sends one request after the other, on one connection while it lasts."""

    port: int
    connection: Connection | None = None

    async def ask(self, sent: bytes) -> Outcome:
        """One request; a connection that breaks, or an answer that does not come, has the status `NO_ANSWER`."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                await self.connect()
                status = await self._exchange(sent)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self.close()
            status = NO_ANSWER
        return Outcome(began, time.monotonic(), status)

    async def connect(self) -> None:
        """Be connected."""
        if self.connection is None:
            self.connection = await asyncio.open_connection("127.0.0.1", self.port)

    async def _exchange(self, sent: bytes) -> int:
        assert self.connection is not None
        reader, writer = self.connection
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        if length is None or b"\r\nconnection: close" in head.lower():
            self.close()
        elif int(length[1]):
            await reader.readexactly(int(length[1]))
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        """Leave."""
        if self.connection is not None:
            self.connection[1].close()
        self.connection = None


@contextlib.asynccontextmanager
async def callers(port: int, count: int) -> AsyncIterator[list[Caller]]:
    """So many callers, that leave at the end."""
    waiting = [Caller(port) for _ in range(count)]
    try:
        yield waiting
    finally:
        for caller in waiting:
            caller.close()


@dataclass(slots=True)
class Stream:
    """Requests that are sent again and again until somebody says that it is enough."""

    outcomes: list[Outcome] = field(default_factory=list)
    enough: bool = False

    async def keep_asking(self, caller: Caller, requests: AsyncIterator[bytes]) -> None:
        """Send them one after the other."""
        async for sent in requests:
            self.outcomes.append(await caller.ask(sent))
            if self.enough:
                return


async def repeatedly(sent: bytes, *, every: float = 0.0) -> AsyncIterator[bytes]:
    """The same request for ever, with a pause before each."""
    while True:
        if every:
            await asyncio.sleep(every)
        yield sent


async def ask_each(port: int, requests: Iterable[bytes], connections: int = 32) -> list[Outcome]:
    """Send each request once, over so many connections."""
    due, outcomes = iter(requests), []

    async def work(caller: Caller) -> None:
        outcomes.extend([await caller.ask(sent) for sent in due])

    async with callers(port, connections) as busy, asyncio.TaskGroup() as group:
        for caller in busy:
            group.create_task(work(caller))
    return outcomes


async def ask_at_once(port: int, sent: bytes, count: int) -> list[Outcome]:
    """The same request over so many connections, which are there before the first is sent."""
    async with callers(port, count) as ready:
        for caller in ready:
            await caller.connect()
        return list(await asyncio.gather(*(caller.ask(sent) for caller in ready)))


def quantile(outcomes: Sequence[Outcome], share: float) -> float:
    """The time in milliseconds within which that share of the requests was answered; 0 without requests."""
    times = sorted(outcome.took for outcome in outcomes)
    return times[min(int(share * len(times)), len(times) - 1)] if times else 0.0


def count_of(outcomes: Iterable[Outcome], *statuses: int) -> int:
    """How many had one of these statuses."""
    return sum(outcome.status in statuses for outcome in outcomes)
