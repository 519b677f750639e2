"""The faults: what is done, and which answers that excuses. It never excuses a wrong verdict."""

import asyncio
import base64
import json
import os
import random
import resource
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.callers import NO_ANSWER, request
from benchmarks.soak.load import Load
from benchmarks.soak.provider import Bad, Fault
from benchmarks.soak.world import Upstream, World

UNDECIDED = frozenset({503})
BAD_GATEWAY = frozenset({502, 503, 504})
LOST = frozenset({NO_ANSWER})


@dataclass(frozen=True, slots=True)
class Scene:
    """What a fault is done to."""

    it: World
    load: Load
    random: random.Random


Does = Callable[[Scene], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Phase:
    """A fault that lasts as long as its block."""

    name: str
    does: Does
    excuses: frozenset[int] = frozenset()
    """Statuses that anybody may get meanwhile, and shortly after."""
    is_outage: bool = False
    """Whether keys may have to speak for the provider."""


def provider_does(*answers: Bad | None, delay: float = 0.0) -> Does:
    """The provider answers so, in turn; `None` is a good answer."""

    @asynccontextmanager
    async def does(scene: Scene) -> AsyncIterator[None]:
        scene.it.provider.fault = Fault(*answers, delay=delay)
        try:
            yield
        finally:
            scene.it.provider.fault = None

    return does


@asynccontextmanager
async def nothing(_: Scene) -> AsyncIterator[None]:
    """The load alone."""
    yield


def rotates(*, keep_old: bool) -> Does:
    """The provider signs with other keys."""

    @asynccontextmanager
    async def does(scene: Scene) -> AsyncIterator[None]:
        scene.it.provider.rotate(keep_old=keep_old)
        if not keep_old:
            scene.load.oracle.withdraw()
        yield

    return does


@asynccontextmanager
async def upstream_fails(scene: Scene) -> AsyncIterator[None]:
    """One request in ten is reset, three in ten are refused."""

    def trouble(transport: asyncio.Transport) -> bool:
        chance = scene.random.random()
        if chance < 0.1:
            transport.abort()
        elif chance < 0.4:
            transport.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
        return chance < 0.4

    before, Upstream.trouble = Upstream.trouble, staticmethod(trouble)
    try:
        yield
    finally:
        Upstream.trouble = staticmethod(before)


async def _again_and_again(every: float, step: Callable[[], None]) -> None:
    while True:
        step()
        await asyncio.sleep(every)


@asynccontextmanager
async def _meanwhile(*works: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)


@asynccontextmanager
async def reloads(scene: Scene) -> AsyncIterator[None]:
    """The configuration is read again and again; one in five has a mistake."""

    def reload() -> None:
        bad = scene.random.random() < 0.2
        scene.it.path.write_text("routes: {" if bad else json.dumps(scene.it.config))
        os.kill(scene.it.gateway.pid, signal.SIGHUP)

    async with _meanwhile(asyncio.ensure_future(_again_and_again(1, reload))):
        yield
    scene.it.path.write_text(json.dumps(scene.it.config))
    os.kill(scene.it.gateway.pid, signal.SIGHUP)


@asynccontextmanager
async def workers_die(scene: Scene) -> AsyncIterator[None]:
    """A worker is killed every few seconds."""

    def kill() -> None:
        # The first child is the one for operators.
        os.kill(scene.random.choice(workers(scene.it.gateway.pid)), signal.SIGKILL)

    async with _meanwhile(asyncio.ensure_future(_again_and_again(6, kill))):
        yield


def workers(pid: int) -> Sequence[int]:
    """The processes that serve."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()][1:]


@asynccontextmanager
async def slow_callers(scene: Scene) -> AsyncIterator[None]:
    """500 callers that send a byte a second of a head, and 500 of a body."""
    body = b"POST /orders HTTP/1.1\r\nHost: a\r\nX-Question: issued\r\nContent-Length: 1000\r\n\r\n"

    async def drip(first: bytes) -> None:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", scene.it.port)
            try:
                writer.write(first)
                while True:
                    writer.write(b"a")
                    await writer.drain()
                    await asyncio.sleep(1)
            finally:
                writer.transport.abort()

    slow = [asyncio.ensure_future(drip(first)) for _ in range(500) for first in (b"GET /", body)]
    async with _meanwhile(*slow):
        yield


@asynccontextmanager
async def unknown_keys(scene: Scene) -> AsyncIterator[None]:
    """JWTs that name keys which nobody has, as fast as ten callers get their answers."""
    claims = {"iss": scene.it.provider.issuer, "exp": 4_102_444_800, "scope": "orders.read"}
    rest = scene.it.provider.sign(claims, "RS256").partition(".")[2]
    answered = 0

    async def ask() -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection("127.0.0.1", scene.it.port)
        try:
            while True:
                writer.write(request("/signed", f"{_header(secrets.token_hex(8))}.{rest}"))
                said = await reader.readuntil(b"\r\n\r\n")
                assert said.startswith(b"HTTP/1.1 401"), said
                await reader.readuntil(b"}")
                answered += 1
        finally:
            writer.close()

    async with _meanwhile(*(asyncio.ensure_future(ask()) for _ in range(10))):
        yield
    assert answered


def _header(kid: str) -> str:
    plain = json.dumps({"alg": "RS256", "typ": "at+jwt", "kid": kid}).encode()
    return base64.urlsafe_b64encode(plain).decode().rstrip("=")


@asynccontextmanager
async def few_descriptors(scene: Scene) -> AsyncIterator[None]:
    """Each worker may open 256 files, and 600 callers want to be connected."""
    before = {pid: resource.prlimit(pid, resource.RLIMIT_NOFILE) for pid in workers(scene.it.gateway.pid)}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (256, hard))
    idle = [await asyncio.open_connection("127.0.0.1", scene.it.port) for _ in range(600)]
    try:
        yield
    finally:
        for _, writer in idle:
            writer.transport.abort()
        for pid, limits in before.items():
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)


PAGE = Bad(200, b"<html>Please sign in</html>")
HUGE = Bad(200, b'{"active": true, "x": "' + b"y" * 5_000_000 + b'"}', "application/json")
ELSEWHERE = Bad(302, location="http://127.0.0.1:9/")

SCHEDULE = (
    Phase("nothing", nothing),
    Phase("provider takes 2 s", provider_does(delay=2.0), UNDECIDED, is_outage=True),
    Phase("provider fails every other time", provider_does(Bad(500), None), UNDECIDED, is_outage=True),
    Phase("provider fails", provider_does(Bad(503)), UNDECIDED, is_outage=True),
    Phase("provider says nothing", provider_does(delay=600.0), UNDECIDED, is_outage=True),
    Phase("keys rotate, the old ones stay", rotates(keep_old=True), UNDECIDED),
    Phase("keys rotate, the old ones go", rotates(keep_old=False), UNDECIDED | {401}),
    Phase("upstream resets and refuses", upstream_fails, BAD_GATEWAY),
    Phase("reloads, some with a mistake", reloads),
    Phase("workers are killed", workers_die, LOST),
    Phase("slow callers", slow_callers),
    Phase("unknown keys", unknown_keys),
    Phase("few descriptors", few_descriptors, LOST),
    Phase("provider answers with a page", provider_does(PAGE), UNDECIDED, is_outage=True),
    Phase("provider answers with megabytes", provider_does(HUGE), UNDECIDED, is_outage=True),
    Phase("provider redirects", provider_does(ELSEWHERE), UNDECIDED, is_outage=True),
)
"""In the order of a run without a seed for it; `--shuffle` has others."""
