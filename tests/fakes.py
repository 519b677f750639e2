"""Small true implementations of the ports, for tests."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast
from urllib.parse import parse_qsl

from multidict import CIMultiDict

from gateway.policy import Allow, Decision, Deny, Headers, Policy, Request, Unavailable
from gateway.ports import Fetch, Reply
from gateway.providers import Transport

T = TypeVar("T")

NOON = 1_795_435_200.0
"""A noon in November 2026, in seconds since the epoch."""


class FakeClock:
    """A `Clock` that stands still until it is moved."""

    def __init__(self, time: float = NOON, monotonic: float = 1_000.0) -> None:
        self._time = time
        self._monotonic = monotonic

    def time(self) -> float:
        return self._time

    def monotonic(self) -> float:
        return self._monotonic

    def move(self, seconds: float) -> None:
        """Let that much time pass."""
        self._time += seconds
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP does; no time passes."""
        self._time += seconds


class Series:
    """One series of `FakeMetrics`: a counter, a gauge and a histogram in one."""

    def __init__(self) -> None:
        self.value = 0.0
        self.observed: list[float] = []

    def inc(self, amount: float = 1, /) -> None:
        self.value += amount

    def set(self, value: float, /) -> None:
        self.value = value

    def observe(self, value: float, /) -> None:
        self.observed.append(value)


class FakeMetrics:
    """`Metrics` that can be looked into: `metrics["name", "label=value", …]`, labels in alphabetical order."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, ...], Series] = {}

    def __getitem__(self, key: str | tuple[str, ...]) -> Series:
        return self.series.setdefault((key,) if isinstance(key, str) else key, Series())

    def _get(self, name: str, labels: dict[str, str]) -> Series:
        return self[(name, *(f"{label}={value}" for label, value in sorted(labels.items())))]

    def counter(self, name: str, description: str, /, **labels: str) -> Series:
        return self._get(name, labels)

    def gauge(self, name: str, description: str, /, **labels: str) -> Series:
        return self._get(name, labels)

    def histogram(self, name: str, description: str, /, **labels: str) -> Series:
        return self._get(name, labels)


class FakeSharing:
    """`Sharing` that keeps what was opened until it is closed itself."""

    def __init__(self) -> None:
        self.opened: dict[Hashable, object] = {}
        self._stack = AsyncExitStack()

    async def __call__(self, key: Hashable, make: Callable[[], AbstractAsyncContextManager[T]], /) -> T:
        if key not in self.opened:
            self.opened[key] = await self._stack.enter_async_context(make())
        return cast(T, self.opened[key])

    async def close(self) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def closing(sharing: FakeSharing) -> AsyncIterator[FakeSharing]:
    """Close what was shared at the end of the block."""
    try:
        yield sharing
    finally:
        await sharing.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that a `FakeFetch` was given."""

    method: str
    url: str
    headers: CIMultiDict[str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of the body."""
        return dict(parse_qsl(self.body.decode("ascii"), keep_blank_values=True, strict_parsing=True))


Answer: TypeAlias = Reply | Unavailable | Callable[[Asked], Reply | Unavailable]
NOBODY = Unavailable("nobody answers there", code="provider_unreachable")


def json_reply(document: object, status: int = 200, media_type: str = "application/json") -> Reply:
    """An answer with that document."""
    return reply(json.dumps(document).encode(), status, media_type)


def reply(body: bytes, status: int = 200, media_type: str = "application/json") -> Reply:
    """An answer with these very octets."""
    return Reply(status, CIMultiDict({"Content-Type": media_type}), body)


class FakeFetch:
    """`Fetch` with an answer for each URL. While it is held, questions arrive and answers wait."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self._released = asyncio.Event()
        self._released.set()
        self._arrived = asyncio.Condition()

    async def __call__(self, method: str, url: str, *, headers: Headers = (), body: bytes = b"") -> Reply:
        asked = Asked(method=method, url=url, headers=CIMultiDict(headers), body=body)
        self.asked.append(asked)
        async with self._arrived:
            self._arrived.notify_all()
        await self._released.wait()
        answer = self.answers.get(url, NOBODY)
        outcome = answer if isinstance(answer, Reply | Unavailable) else answer(asked)
        if isinstance(outcome, Unavailable):
            raise Unavailable(outcome.detail, code=outcome.code, retry_after=outcome.retry_after)
        return outcome

    def times(self, url: str) -> int:
        """How often that URL was asked for."""
        return sum(asked.url == url for asked in self.asked)

    def hold(self) -> None:
        """Let answers wait from now on."""
        self._released.clear()

    def release(self) -> None:
        """Answer what waits, and all that comes."""
        self._released.set()

    async def until_asked(self, url: str, times: int) -> None:
        """Wait for that many questions in all; raises TimeoutError after five seconds."""
        async with asyncio.timeout(5), self._arrived:
            await self._arrived.wait_for(lambda: self.times(url) >= times)

    @asynccontextmanager
    async def open(self, transport: Transport) -> AsyncIterator[Fetch]:
        """This one, however the server is reached: an `OpenFetch`."""
        yield self


def request(token: str | None = None, *, headers: Iterable[tuple[str, str]] = (), **facts: Any) -> Request:
    """A request as the gateway hands it to policies, with that bearer token."""
    sent = CIMultiDict(headers)
    if token is not None:
        sent.add("Authorization", f"Bearer {token}")
    usual = {
        "method": "GET",
        "host": "api.example.com",
        "path": "/orders",
        "query": "",
        "caller_ip": "192.0.2.1",
        "received_at": NOON,
        "api": "orders",
    }
    return Request(**{**usual, "headers": sent, **facts})


async def decided(policy: Policy, asked: Request) -> Decision:
    """What the policy decides, at once or after a wait."""
    outcome = policy.decide(asked)
    return await outcome if not isinstance(outcome, Allow | Deny) else outcome
