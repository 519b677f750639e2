"""Where allowed requests go: the targets of an upstream, and which of them is asked."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver

from gateway.addresses import SteadyResolver
from gateway.breaker import Breaker
from gateway.client_tls import http_tls
from gateway.exchange import Exchange
from gateway.outgoing import Outgoing, UpstreamBroke, UpstreamEjected, UpstreamRefused
from gateway.paths import canonical_host
from gateway.ports import Clock
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


class Upstream:
    """Sends allowed requests to one of its targets. Open it as an async context manager before it is used.

    Whoever cannot wait does without `send`: `choose` a target, `take` an idle connection from it, and `start`.
    """

    def __init__(self, options: UpstreamOptions, clock: Clock, *, resolver: AbstractResolver | None = None) -> None:
        """Raises OSError or ssl.SSLError when a certificate cannot be read."""
        self.options = options
        self._clock = clock
        self._resolver = resolver
        self._tls = _tls(options)
        self._targets: list[Target] = []
        self._sweeping: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> "Upstream":
        loop = asyncio.get_running_loop()
        resolver = SteadyResolver(self._resolver or aiohttp.ThreadedResolver())
        self._targets = [self._target(origin.rstrip("/"), resolver, loop.time) for origin in self.options.targets]
        self._tasks = Tasks()
        self._handshakes = Handshakes(
            connections=self.options.connections,
            patience=self.options.connect_timeout + self.options.response_timeout,
            tls=self._tls,
            resolver=resolver,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        for target in self._targets:
            target.end()
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._tasks.close()
        await self._handshakes.close()

    def choose(self, tried: tuple[Target, ...] = ()) -> Target | None:
        """The target with the fewest requests of those that may be asked now, and were not tried."""
        if len(self._targets) == 1 and not tried:
            only = self._targets[0]
            return only if only.breaker.admit() else None
        left = sorted((target for target in self._targets if target not in tried), key=lambda one: one.in_flight)
        return next((target for target in left if target.breaker.admit()), None)

    def ejected(self) -> UpstreamEjected:
        """What to say when no target may be asked."""
        return UpstreamEjected(min(target.breaker.retry_after for target in self._targets))

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
        if self.options.host == "upstream" or not host:
            return target.host, None
        return host.encode(), canonical_host(host).strip("[]") if target.is_tls else None

    def _target(self, origin: str, resolver: AbstractResolver, now: Callable[[], float]) -> Target:
        options = self.options
        return Target(
            origin,
            breaker=Breaker(self._clock, failures=options.failures, cool_down=options.cool_down),
            patience=Patience(
                connect=options.connect_timeout,
                response=options.response_timeout,
                idle=options.idle_timeout,
                keep_alive=options.keep_alive,
            ),
            most=options.connections,
            tls=self._tls if origin.startswith("https:") else None,
            resolver=resolver,
            now=now,
            is_used=self._sweep_soon,
        )

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


def _tls(options: UpstreamOptions) -> ssl.SSLContext | None:
    if options.ca_file or options.certificate_file:
        return http_tls(options.ca_file, options.certificate_file, options.key_file)
    return _usual_tls() if any(origin.startswith("https:") for origin in options.targets) else None


@cache
def _usual_tls() -> ssl.SSLContext:
    return http_tls()
