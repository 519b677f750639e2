"""Where allowed requests go: the targets of an upstream, and which of them is asked."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver

from gateway.addresses import SteadyResolver
from gateway.breaker import Breaker
from gateway.client_tls import http_tls
from gateway.dial import Dial
from gateway.exchange import Exchange
from gateway.outgoing import Outgoing, UpstreamBroke, UpstreamEjected, UpstreamRefused
from gateway.ports import Clock
from gateway.probe import Pause, Probe, ProbeOptions
from gateway.services import Sharing
from gateway.target import Target
from gateway.tasks import Tasks
from gateway.upstream_answer import UpstreamAnswer
from gateway.upstream_connection import Patience, UpstreamConnection
from gateway.upstream_websocket import Handshakes, UpstreamWebSocket

T = TypeVar("T")

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""RFC 9110, 9.2.2; TRACE never gets here."""
SWEEP = 0.5
"""Seconds between two looks at the deadlines: by so much a timeout may be late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamOptions:
    """Where allowed requests go, and how. Times in seconds."""

    targets: tuple[str, ...]
    """Base URLs; a request goes to the one with the fewest under way."""
    connect_timeout: float = 2.0
    """For a connection, name look-up and TLS included; and for one of the pool to become free."""
    response_timeout: float = 60.0
    """From the request's last byte to the answer's head; and for each piece of a body to be taken."""
    idle_timeout: float = 60.0
    """Between two pieces of the answer's body."""
    keep_alive: float = 30.0
    """How long an idle connection is kept."""
    connections: int = 256
    """At once, to each target."""
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    host: str = "upstream"
    """Which `Host` (and TLS server name) it gets: `upstream`, its own, or `caller`, the one that the caller used."""
    failures: int = 3
    """In a row, before a target is left alone."""
    cool_down: float = 5.0
    """How long it is left alone, before one request finds out how it is."""
    probe: ProbeOptions | None = None
    """How it is asked whether it is well. `None`: only requests find out."""


class Upstream:
    """Sends allowed requests to one of its targets. Open it as an async context manager before it is used.

    Whoever cannot wait does without `send`: `choose` a target, `take` an idle connection from it, and `start`.
    """

    def __init__(
        self,
        options: UpstreamOptions,
        clock: Clock,
        *,
        share: Sharing | None = None,
        resolver: AbstractResolver | None = None,
        pause: Pause = asyncio.sleep,
    ) -> None:
        """Raises OSError or ssl.SSLError when a certificate cannot be read.

        `share`: who finds out whether a target is well, does so for all upstreams that ask in the same way.
        """
        self.options = options
        self._clock = clock
        self._resolver = resolver
        self._pause = pause
        self._tls = _tls(options)
        self._targets: list[Target] = []
        self._choices = 0
        self._sweeping: asyncio.TimerHandle | None = None
        self._stack = AsyncExitStack()
        self._share: Sharing = share or self._alone

    async def __aenter__(self) -> "Upstream":
        self._steady = SteadyResolver(self._resolver or aiohttp.ThreadedResolver())
        self._targets = [await self._target(origin.rstrip("/")) for origin in self.options.targets]
        self._tasks = Tasks()
        self._handshakes = Handshakes(
            connections=self.options.connections,
            patience=self.options.connect_timeout + self.options.response_timeout,
            tls=self._tls,
            resolver=self._steady,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        for target in self._targets:
            target.end()
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._tasks.close()
        await self._handshakes.close()
        await self._stack.aclose()

    def choose(self, tried: tuple[Target, ...] = ()) -> Target | None:
        """The target with the fewest requests of those that may be asked now, and were not tried."""
        if len(self._targets) == 1 and not tried:
            only = self._targets[0]
            return only if only.admit() else None
        left = sorted((one for one in self._targets if one not in tried), key=lambda one: (one.in_flight, one.chosen))
        chosen = next((target for target in left if target.admit()), None)
        if chosen is not None:
            # Of those that are equally free, the one is next that was not asked for longest.
            self._choices += 1
            chosen.chosen = self._choices
        return chosen

    def health(self) -> Iterator[tuple[str, bool]]:
        """Each target, and whether requests go there."""
        return ((target.origin, target.is_up) for target in self._targets)

    def ejected(self) -> UpstreamEjected:
        """What to say when no target may be asked."""
        return UpstreamEjected(min(target.retry_after for target in self._targets))

    async def send(self, outgoing: Outgoing, exchange: Exchange) -> UpstreamAnswer:
        """The answer, as soon as its head is here; close it in any case. Raises `UpstreamFailure`.

        A request is sent once, but for one that changes nothing, has no body, and met an idle connection that the
        upstream had given up. A failure of the body's own is raised as it is.
        """

        async def ask(target: Target) -> UpstreamAnswer:
            host, server_name = self.names(outgoing.host, target)
            try:
                idle = target.take(server_name) or await target.lend(server_name)
                return await self._ask(idle, outgoing, host)
            except UpstreamBroke as failure:
                if not failure.was_idle or outgoing.body is not None or outgoing.method not in IDEMPOTENT:
                    raise
                exchange.retries += 1
                return await self._ask(await target.lend_new(server_name), outgoing, host)

        return await self._with_target(ask, exchange)

    async def open_websocket(
        self, outgoing: Outgoing, exchange: Exchange, *, protocols: tuple[str, ...], most: int
    ) -> UpstreamWebSocket:
        """An open WebSocket for messages of at most `most` bytes. Raises `UpstreamFailure` and `UpgradeRefused`."""

        async def ask(target: Target) -> UpstreamWebSocket:
            host, server_name = self.names(outgoing.host, target)
            return await self._handshakes.open(target, outgoing, host.decode(), server_name, protocols, most)

        return await self._with_target(ask, exchange)

    async def _with_target(self, ask: Callable[[Target], Awaitable[T]], exchange: Exchange) -> T:
        """Ask one target after the other until one can be reached: as long as it cannot, nothing was sent."""
        tried: tuple[Target, ...] = ()
        refused: UpstreamRefused | None = None
        while target := self.choose(tried):
            tried = (*tried, target)
            exchange.upstream = target.origin
            try:
                return await ask(target)
            except UpstreamRefused as failure:
                refused = failure
        raise refused or self.ejected()

    async def _ask(self, connection: UpstreamConnection, outgoing: Outgoing, host: bytes) -> UpstreamAnswer:
        answer = UpstreamAnswer(connection)
        try:
            octets, whole = outgoing.head(host), outgoing.body is None
            if outgoing.body is not None and outgoing.body_is_here:
                octets, whole = octets + await _whole(outgoing, outgoing.body), True
            connection.start(answer, octets, to_head=outgoing.method == "HEAD", whole=whole)
            if not whole:
                answer.send_body(outgoing, self._tasks)
            await answer.arrive()
        except BaseException:
            answer.close()
            raise
        return answer

    def names(self, host: str, target: Target) -> tuple[bytes, str | None]:
        """What is sent as `Host`, and the name that TLS asks for, where it is not the target's: always the same."""
        return target.dial.names("" if self.options.host == "upstream" else host)

    async def _target(self, origin: str) -> Target:
        options = self.options
        return Target(
            self._dial(origin),
            breaker=Breaker(self._clock, failures=options.failures, cool_down=options.cool_down),
            most=options.connections,
            now=asyncio.get_running_loop().time,
            is_used=self._sweep_soon,
            judge=None if options.probe is None else await self._probe(origin, options.probe),
        )

    def _dial(self, origin: str) -> Dial:
        options = self.options
        return Dial(
            origin,
            patience=Patience(
                connect=options.connect_timeout,
                response=options.response_timeout,
                idle=options.idle_timeout,
                keep_alive=options.keep_alive,
            ),
            tls=self._tls if origin.startswith("https:") else None,
            resolver=self._steady,
            now=asyncio.get_running_loop().time,
        )

    async def _probe(self, origin: str, options: ProbeOptions) -> Probe:
        files = (self.options.ca_file, self.options.certificate_file, self.options.key_file)
        key = ("probe", origin, options, self.options.connect_timeout, await asyncio.to_thread(_contents, files))
        return await self._share(key, lambda: _probing(Probe(self._dial(origin), options, self._pause)))

    async def _alone(self, _: Hashable, make: Callable[[], AbstractAsyncContextManager[T]], /) -> T:
        return await self._stack.enter_async_context(make())

    def _sweep_soon(self) -> None:
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(SWEEP, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        for target in self._targets:
            target.sweep()
        if any(target.is_in_use for target in self._targets):
            self._sweep_soon()


async def _whole(outgoing: Outgoing, read: Callable[[], Awaitable[bytes]]) -> bytes:
    pieces = []
    while piece := await read():
        pieces.append(outgoing.framed(piece))
    return b"".join((*pieces, outgoing.framed(b"")))


@asynccontextmanager
async def _probing(probe: Probe) -> AsyncIterator[Probe]:
    tasks = Tasks()
    tasks.start(probe.run())
    try:
        yield probe
    finally:
        await tasks.close()


def _contents(files: tuple[str | None, ...]) -> tuple[bytes, ...]:
    """Tells one content of them from another: a certificate is renewed under its old name."""
    return tuple(b"" if file is None else hashlib.sha256(Path(file).read_bytes()).digest() for file in files)


def _tls(options: UpstreamOptions) -> ssl.SSLContext | None:
    if options.ca_file or options.certificate_file:
        return http_tls(options.ca_file, options.certificate_file, options.key_file)
    return _usual_tls() if any(origin.startswith("https:") for origin in options.targets) else None


@cache
def _usual_tls() -> ssl.SSLContext:
    return http_tls()
