"""A caller's connection: aiohttp's, with our limits and our patience. No bad request is echoed or logged."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.helpers import set_exception
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy
from aiohttp.streams import StreamReader

from gateway.answers import HEAD_TOO_LARGE, MALFORMED, TARGET_TOO_LONG
from gateway.caller import Limits, Timeouts
from gateway.paths import BadRequest
from gateway.policy import Deny

log = logging.getLogger(__name__)

LINGER = 2.0
"""Seconds in which what a caller still sends is read and dropped, before the connection is closed."""

Refuses = Callable[[web.BaseRequest, Deny], Awaitable[web.StreamResponse]]

if HttpRequestParser is HttpRequestParserPy:
    raise ImportError("aiohttp's HTTP parser in C is missing; the one in Python lets ambiguous requests through")


def check_head(incoming: web.BaseRequest, limits: Limits) -> None:
    """Raises `BadRequest` for a head that the parser takes and we do not."""
    if incoming.version not in {(1, 0), (1, 1)}:
        raise BadRequest("version_not_supported", "This gateway speaks HTTP/1.1 and HTTP/1.0.", 505)
    if len(incoming._message.path) > limits.target:  # noqa: SLF001 - what was sent, and not a URL made of it
        raise _too_large(TARGET_TOO_LONG)
    raw = incoming.raw_headers
    sizes = [len(name) + len(value) for name, value in raw]
    # Four more bytes a line: the colon, the space and the end.
    if (
        len(raw) > limits.header_count
        or sum(sizes) + 4 * len(raw) > limits.headers
        or max(sizes, default=0) > limits.header
    ):
        raise _too_large(HEAD_TOO_LARGE)
    if not all(value.isascii() or _is_utf8(value) for _, value in raw):
        raise BadRequest("header_invalid", "A header value is not UTF-8.")
    _check_framing(incoming)


def _check_framing(incoming: web.BaseRequest) -> None:
    coding = incoming.headers.get("Transfer-Encoding")
    # RFC 9112, 6.1: a server that receives Transfer-Encoding in an HTTP/1.0 message "MUST treat the message as if the
    # framing is faulty"; one that receives a coding that it does not understand "SHOULD respond with 501".
    if coding is not None and incoming.version == (1, 0):
        raise BadRequest("malformed_request", MALFORMED.detail)
    if coding is not None and coding.lower() != "chunked":
        raise BadRequest("transfer_coding_unknown", "The only transfer coding known here is chunked.", 501)


class Connection(web.RequestHandler):
    """One connection of a caller. Malformed requests are answered by `refuse`."""

    __slots__ = ("_body", "_deaf", "_head_bytes", "_head_timeout", "_head_timer", "_is_too_large", "_most", "_refuse")

    def __init__(
        self,
        server: web.Server,
        refuse: Refuses,
        *,
        limits: Limits,
        timeouts: Timeouts,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._refuse = refuse
        self._head_timeout = timeouts.head
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._most = limits.target + limits.headers
        self._is_too_large = False
        self._deaf = False
        self._body: StreamReader | None = None
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=timeouts.keep_alive,
            lingering_time=LINGER,
            logger=log,
            access_log=None,  # type: ignore[arg-type]  # the library tests for it
            auto_decompress=False,
            max_line_size=limits.target,
            # The parser names the limit that was passed, and not the line: they must differ to be told apart.
            max_field_size=limits.header + (limits.header == limits.target),
            max_headers=limits.headers,  # counted by `check_head`; here it only has to be enough
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A head must follow in time."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing more will come."""
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and see to it that what the parser gives up is given up by everybody."""
        if self._deaf:
            return
        before = len(self._messages)
        in_head = self._payload_parser is None and not self._upgraded and (self._body is None or self._body.is_eof())
        super().data_received(data)
        new = list(self._messages)[before:]
        for message, body in new:
            if isinstance(message, RawRequestMessage):
                self._body = body
            else:
                self._deaf = True
                self._break_body()
        if new:
            self._head_is_here()
        elif in_head and data:
            self._head_goes_on(len(data))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Say nothing of the request or the error; whoever raised it has logged it."""
        answer = web.Response(status=500)
        answer.force_close()
        return answer

    def _make_error_handler(self, err_info: Any) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
        deny = self._meaning(err_info.exc)

        async def answer(incoming: web.BaseRequest) -> web.StreamResponse:
            answered = await self._refuse(incoming, deny)
            await self._close_in_stages()
            return answered

        return answer

    async def _close_in_stages(self) -> None:
        """RFC 9112, 9.6: a server that closes while the caller still sends takes its answer away from it.

        "First, the server performs a half-close by closing only the write side [...]. The server then continues to
        read from the connection until it receives a corresponding close by the client".
        """
        transport = self.transport
        if transport is not None and transport.can_write_eof():
            transport.write_eof()
        # Ended by the cancellation that follows the caller's close.
        await asyncio.sleep(LINGER)

    def _meaning(self, error: BaseException) -> Deny:
        if self._is_too_large:
            return HEAD_TOO_LARGE
        if isinstance(error, LineTooLong):
            return TARGET_TOO_LONG if error.args[1] == self.max_line_size else HEAD_TOO_LARGE
        return MALFORMED

    def _break_body(self) -> None:
        """The parser stopped in the middle of a body, and tells nobody who is reading it."""
        if self._body is not None and not self._body.is_eof():
            set_exception(self._body, web.RequestPayloadError("the body is malformed"))

    def _head_goes_on(self, size: int) -> None:
        self._head_bytes += size
        if self._head_timer is None:
            self._await_head()
        if self._head_bytes > self._most:
            self._is_too_large = True
            # NUL is allowed nowhere in a head: the parser ends it as it ends any other that is malformed.
            self.data_received(b"\0")

    def _await_head(self) -> None:
        self._head_timer = self._loop.call_later(self._head_timeout, self._head_is_late)

    def _head_is_here(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        if self._waiter is None and self._request_count:
            # The request before is still being answered.
            self._await_head()
        else:
            self.force_close()


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _too_large(deny: Deny) -> BadRequest:
    return BadRequest(deny.code, deny.detail, deny.status)
