"""Where allowed requests go: the targets of an upstream, which of them is asked, and how they are doing."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict
from yarl import URL

from gateway.breaker import Breaker
from gateway.exchange import Exchange
from gateway.headers import RawHeaders
from gateway.outgoing import (
    Body,
    Outgoing,
    UpgradeRefused,
    UpstreamBroke,
    UpstreamEjected,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamSilent,
    Watch,
    is_sound,
    translated,
)
from gateway.pool import open_session
from gateway.ports import Clock

T = TypeVar("T")

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""RFC 9110, 9.2.2; TRACE never gets here."""


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


class _Lease:
    """One request's place at a target, until its answer has ended."""

    def __init__(self, target: "_Target") -> None:
        self.target = target
        target.in_flight += 1
        self._held = True

    def end(self) -> None:
        if self._held:
            self._held = False
            self.target.in_flight -= 1


class UpstreamAnswer:
    """The head of an upstream's answer, and its body as it arrives."""

    def __init__(self, response: aiohttp.ClientResponse, lease: _Lease, idle_timeout: float) -> None:
        self._response = response
        self._lease = lease
        self._idle_timeout = idle_timeout
        self.status = response.status
        self.reason = response.reason or ""
        self.headers: RawHeaders = response.raw_headers
        announced = response.headers.get(hdrs.CONTENT_LENGTH)
        self.length = None if announced is None else int(announced)

    async def read(self) -> bytes:
        """The next piece of the body, as soon as there is one; empty at its end.

        Raises `UpstreamSilent` and `UpstreamBroke`, and whatever the request's body raises meanwhile.
        """
        try:
            async with asyncio.timeout(self._idle_timeout):
                return await self._response.content.readany()
        except TimeoutError:
            raise UpstreamSilent("the body stalled") from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise UpstreamBroke("the body broke off") from error

    def close(self) -> None:
        """Give the connection back if the answer is complete; end it otherwise."""
        if not self._response.closed:
            self._response.close()
        self._lease.end()


class UpstreamWebSocket:
    """An open WebSocket to an upstream."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse[bool], lease: _Lease) -> None:
        self.socket = socket
        self._lease = lease

    async def close(self, code: int, reason: bytes = b"") -> None:
        """Close it, politely as far as the upstream takes part."""
        await self.socket.close(code=code, message=reason)
        self._lease.end()


@dataclass(slots=True)
class _Target:
    """One of the servers behind an upstream."""

    origin: str
    breaker: Breaker
    in_flight: int = 0


class Upstream:
    """Sends allowed requests to one of its targets. Open it as an async context manager before it is used."""

    _session: aiohttp.ClientSession

    def __init__(self, options: UpstreamOptions, clock: Clock, *, resolver: AbstractResolver | None = None) -> None:
        """Raises OSError or ssl.SSLError when a certificate cannot be read."""
        self.options = options
        self._resolver = resolver
        self._tls = _tls(options)
        self._targets = [
            _Target(origin.rstrip("/"), Breaker(clock, failures=options.failures, cool_down=options.cool_down))
            for origin in options.targets
        ]

    async def __aenter__(self) -> "Upstream":
        self._session = open_session(
            targets=len(self._targets),
            connections=self.options.connections,
            keep_alive=self.options.keep_alive,
            resolver=self._resolver,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, outgoing: Outgoing, exchange: Exchange) -> UpstreamAnswer:
        """The answer, as soon as its head is here; close it in any case. Raises `UpstreamFailure`.

        A request is sent once, but for one that changes nothing, has no body, and met a connection of the pool that
        the upstream had given up. A failure of the body's own is raised as it is.
        """

        async def ask(lease: _Lease) -> UpstreamAnswer:
            try:
                return await self._ask(outgoing, lease)
            except UpstreamBroke as failure:
                if not failure.was_idle or outgoing.body is not None or outgoing.method not in IDEMPOTENT:
                    raise
                exchange.retries += 1
                return await self._ask(outgoing, lease)

        return await self._with_target(ask, exchange)

    async def open_websocket(
        self, outgoing: Outgoing, exchange: Exchange, *, protocols: tuple[str, ...], most: int
    ) -> UpstreamWebSocket:
        """An open WebSocket for messages of at most `most` bytes. Raises `UpstreamFailure` and `UpgradeRefused`."""

        async def ask(lease: _Lease) -> UpstreamWebSocket:
            return UpstreamWebSocket(await self._shake_hands(outgoing, lease, protocols, most), lease)

        return await self._with_target(ask, exchange)

    async def _with_target(self, ask: Callable[[_Lease], Awaitable[T]], exchange: Exchange) -> T:
        """Ask one target after the other until one can be reached: as long as it cannot, nothing was sent."""
        tried: list[_Target] = []
        refused: UpstreamRefused | None = None
        while target := self._choose(tried):
            tried.append(target)
            exchange.upstream = target.origin
            try:
                return await self._heeded(target, ask)
            except UpstreamRefused as failure:
                refused = failure
        raise refused or UpstreamEjected(min(target.breaker.retry_after for target in self._targets))

    def _choose(self, tried: list[_Target]) -> _Target | None:
        left = (target for target in self._targets if target not in tried)
        return next((target for target in sorted(left, key=lambda one: one.in_flight) if target.breaker.admit()), None)

    async def _heeded(self, target: _Target, ask: Callable[[_Lease], Awaitable[T]]) -> T:
        """Ask, and remember how the target did."""
        lease = _Lease(target)
        try:
            answer = await ask(lease)
        except BaseException as failure:
            lease.end()
            if isinstance(failure, UpstreamRefused) or (isinstance(failure, UpstreamBroke) and not failure.was_idle):
                target.breaker.failed()
            raise
        target.breaker.succeeded()
        return answer

    async def _ask(self, outgoing: Outgoing, lease: _Lease) -> UpstreamAnswer:
        watch = Watch(connect_timeout=self.options.connect_timeout, response_timeout=self.options.response_timeout)
        body = None if outgoing.body is None else Body(outgoing.body, watch)
        try:
            async with watch:
                response = await self._session.request(
                    outgoing.method,
                    URL(lease.target.origin + outgoing.target, encoded=True),
                    headers=self._headers(outgoing),
                    data=None if body is None else body.pieces(),
                    allow_redirects=False,
                    ssl=self._tls,
                    server_hostname=self._server_name(outgoing, lease.target.origin),
                    trace_request_ctx=watch,
                )
        except (aiohttp.ClientError, OSError) as error:
            if body is not None and body.failure is not None:
                raise body.failure from None
            raise translated(error, reused=watch.reused) from error
        if body is not None:
            body.response = response
        if not is_sound(response):
            response.close()
            raise UpstreamInvalid("not an answer to a plain request")
        return UpstreamAnswer(response, lease, self.options.idle_timeout)

    async def _shake_hands(
        self, outgoing: Outgoing, lease: _Lease, protocols: tuple[str, ...], most: int
    ) -> aiohttp.ClientWebSocketResponse[bool]:
        try:
            async with asyncio.timeout(self.options.connect_timeout + self.options.response_timeout):
                return await self._session.ws_connect(
                    URL(lease.target.origin + outgoing.target, encoded=True),
                    headers=self._headers(outgoing),
                    protocols=protocols,
                    ssl=self._tls,
                    server_hostname=self._server_name(outgoing, lease.target.origin),
                    autoclose=False,
                    autoping=False,
                    max_msg_size=most,
                    decode_text=False,
                )
        except TimeoutError:
            raise UpstreamSilent("no answer to the handshake in time") from None
        except aiohttp.WSServerHandshakeError as error:
            if error.status == 101 or error.headers is None:
                raise UpstreamInvalid("not a WebSocket handshake") from error
            raise UpgradeRefused(error.status, _raw(error.headers)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise translated(error, reused=False) from error

    def _headers(self, outgoing: Outgoing) -> CIMultiDict[str]:
        headers: CIMultiDict[str] = CIMultiDict()
        if self.options.host == "caller":
            headers[hdrs.HOST] = outgoing.host
        # The library takes the last of two names that differ in case; to HTTP they are the same.
        spellings: dict[bytes, str] = {}
        for name, value in outgoing.headers:
            headers.add(spellings.setdefault(name.lower(), name.decode("ascii")), value.decode())
        if outgoing.content_length is not None:
            headers[hdrs.CONTENT_LENGTH] = str(outgoing.content_length)
        if outgoing.expects_continue:
            headers[hdrs.EXPECT] = "100-continue"
        return headers

    def _server_name(self, outgoing: Outgoing, origin: str) -> str | None:
        """The name that TLS asks for, where it is not the target's: always the one in `Host`."""
        return URL(f"//{outgoing.host}").host if self.options.host == "caller" and origin.startswith("https:") else None


def _tls(options: UpstreamOptions) -> ssl.SSLContext | bool:
    if not (options.ca_file or options.certificate_file):
        return True
    context = ssl.create_default_context(cafile=options.ca_file)
    if options.certificate_file:
        context.load_cert_chain(options.certificate_file, options.key_file)
    return context


def _raw(headers: Any) -> RawHeaders:
    return [(name.encode(), value.encode(errors="surrogateescape")) for name, value in headers.items()]
