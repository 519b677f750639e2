"""The client library's connections, made fit for a proxy: nothing is added, followed, remembered or sent twice."""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any, Protocol, cast

import aiohttp
from aiohttp import TraceConfig
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import set_exception, set_result
from aiohttp.http_exceptions import HttpProcessingError

CONTINUE_PATIENCE = 1.0
"""Seconds after which a body is sent to an upstream that said nothing about `Expect: 100-continue`."""
DNS_LIFE = 10
"""Seconds that the addresses of an upstream are remembered."""
ADDED_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""What the library would add of its own."""


class Follows(Protocol):
    """Whoever wants to know how far a request is."""

    def connecting(self) -> None:
        """A new connection is being made."""

    def connected(self, *, reused: bool) -> None:
        """There is a connection; a reused one was in the pool."""


class PatientRequest(aiohttp.ClientRequest):
    """Does not wait for ever for an upstream that ignores `Expect`.

    RFC 9110, 10.1.1: a client "SHOULD NOT wait for an indefinite period before sending the content".
    """

    def update_expect_continue(self, expect: bool = False) -> None:
        """Make the wait for the 100 end by itself."""
        super().update_expect_continue(expect)
        waiting = self._continue
        if waiting is not None:
            timer = self.loop.call_later(CONTINUE_PATIENCE, set_result, waiting, True)
            waiting.add_done_callback(lambda _: timer.cancel())


class _Protocol(ResponseHandler):
    """A connection that ends when the upstream speaks without being asked, and when it stops making sense.

    The library takes what arrives on an idle connection for the answer to the next request, which may be another
    caller's; and whoever reads a body that turns out to be malformed is never told.
    """

    is_idle = False

    def data_received(self, data: bytes) -> None:
        """Parse what is part of an answer."""
        if self.is_idle and data:
            self.close()
            return
        body = self._payload
        super().data_received(data)
        if body is not None and not body.is_eof() and isinstance(self._exception, HttpProcessingError):
            set_exception(body, aiohttp.ClientPayloadError("the body is malformed"))

    def set_response_params(self, **params: Any) -> None:
        """A request is about to be sent."""
        self.is_idle = False
        super().set_response_params(**params)

    def is_connected(self) -> bool:
        """Whether the connection can be used; an idle one only if nothing came after the last answer."""
        return super().is_connected() and not (self.is_idle and (self.should_close or self._has_begun_another()))

    def _has_begun_another(self) -> bool:
        # At its end the parser gives the message that it is in the middle of.
        try:
            return self._parser is not None and self._parser.feed_eof() is not None
        except HttpProcessingError:
            return True


class GuardedPool(aiohttp.TCPConnector):
    """Keeps connections that know when they are idle."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = partial(cast("type[ResponseHandler]", _Protocol), loop=self._loop)

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        super()._release(key, protocol, should_close=should_close)
        if isinstance(protocol, _Protocol):
            protocol.is_idle = True


class SteadyResolver(AbstractResolver):
    """Resolves names; when that fails, the addresses that were last good are still good."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver
        self._last_good: dict[tuple[str, int, int], list[ResolveResult]] = {}

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """The addresses of a host; raises OSError for one that was never found."""
        key = (host, port, int(family))
        try:
            found = await self._resolver.resolve(host, port, family)
        except OSError:
            if key not in self._last_good:
                raise
            return self._last_good[key]
        self._last_good[key] = found
        return found

    async def close(self) -> None:
        """Nothing more will be asked."""
        await self._resolver.close()


def open_session(
    *, targets: int, connections: int, keep_alive: float, resolver: AbstractResolver | None
) -> aiohttp.ClientSession:
    """A session for one upstream, with so many `connections` to each of so many targets. Timeouts are the user's.

    `request(…, trace_request_ctx=…)` takes a `Follows`. Cookies, redirects, compressed bodies and the environment's
    proxies are none of its business.
    """
    pool = GuardedPool(
        # The library counts each name that TLS asks for as a host of its own.
        limit=targets * connections,
        limit_per_host=connections,
        keepalive_timeout=keep_alive,
        ttl_dns_cache=DNS_LIFE,
        resolver=SteadyResolver(resolver or aiohttp.ThreadedResolver()),
    )
    session = aiohttp.ClientSession(
        connector=pool,
        request_class=PatientRequest,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        skip_auto_headers=ADDED_HEADERS,
        timeout=aiohttp.ClientTimeout(total=None),
        trace_configs=[_told()],
    )
    # It would repeat an idempotent request on any connection, however much the upstream had already done.
    session._retry_connection = False  # noqa: SLF001 - there is no public way
    return session


def _told() -> TraceConfig:
    """Pass on what happens to whoever follows the request."""
    trace = TraceConfig()
    trace.on_connection_create_start.append(_on(lambda follower: follower.connecting()))
    trace.on_connection_create_end.append(_on(lambda follower: follower.connected(reused=False)))
    trace.on_connection_reuseconn.append(_on(lambda follower: follower.connected(reused=True)))
    return trace


def _on(tell: Callable[[Follows], None]) -> Callable[[aiohttp.ClientSession, SimpleNamespace, object], Any]:
    async def happened(_: aiohttp.ClientSession, about: SimpleNamespace, __: object) -> None:
        if about.trace_request_ctx is not None:
            tell(about.trace_request_ctx)

    return happened
