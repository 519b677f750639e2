"""A caller's connection: aiohttp's, with our limits and our patience. No bad request is echoed or logged."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from aiohttp import web
from aiohttp.streams import StreamReader

from gateway.aiohttp_inside import Handler, Queued, break_body, passed_limit, target_of
from gateway.answers import HEAD_TOO_LARGE, MALFORMED, TARGET_TOO_LONG
from gateway.caller import Limits, Timeouts
from gateway.express import LINGER, Express
from gateway.paths import BadRequest
from gateway.policy import Deny

log = logging.getLogger(__name__)

Refuses = Callable[[web.BaseRequest, Deny], Awaitable[web.StreamResponse]]


def check_head(incoming: web.BaseRequest, limits: Limits) -> None:
    """Raises `BadRequest` for a head that the parser takes and we do not."""
    if incoming.version not in {(1, 0), (1, 1)}:
        raise BadRequest("version_not_supported", "This gateway speaks HTTP/1.1 and HTTP/1.0.", 505)
    if len(target_of(incoming)) > limits.target:
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


class Connection(Handler):
    """One connection of a caller. Malformed requests are answered by `refuse`."""

    __slots__ = (
        *("_body", "_deaf", "_express", "_head_bytes", "_head_timeout", "_head_timer", "_is_between", "_is_too_large"),
        *("_left", "_make_express", "_most", "_refuse"),
    )

    def __init__(
        self,
        server: web.Server,
        refuse: Refuses,
        *,
        limits: Limits,
        timeouts: Timeouts,
        loop: asyncio.AbstractEventLoop,
        express: Callable[["Connection", asyncio.Transport], Express],
        left: Callable[[], None] | None = None,
    ) -> None:
        self._refuse = refuse
        self._left = left
        self._make_express = express
        self._express = cast("Express", None)  # until there is a connection
        self._is_between = True
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
        self._express = self._make_express(self, cast("asyncio.Transport", transport))

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing more will come."""
        self._head_is_here()
        self._express.lost()
        super().connection_lost(exc)
        if self._left is not None:
            self._left()

    def data_received(self, data: bytes) -> None:
        """A plain request takes the express lane, if it is open and nothing else is under way."""
        if not self._express.receive(data):
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        """Parse, and see to it that what the parser gives up is given up by everybody."""
        if self._deaf:
            return
        before = self.queue_length
        in_head = self.reads_requests and (self._body is None or self._body.is_eof())
        super().data_received(data)
        new = self.queued(before)
        for each in new:
            if each.is_request:
                self._body = each.body
            else:
                self._deaf = True
                self._break_body()
        if data:
            self._is_between = _ends_requests(new, data)
        if new:
            self._head_is_here()
        elif in_head and data:
            self._head_goes_on(len(data))

    # --- beside the express lane ---

    @property
    def is_free(self) -> bool:
        """Whether the ordinary lane has nothing in hand, not even a part of a request."""
        return self._is_between and not self._deaf and self.is_idle

    @property
    def is_in_use(self) -> bool:
        """Whether there is a request on the express lane, of which the library knows nothing."""
        return self._express.is_busy

    def taken(self) -> None:
        """The express lane has a request."""
        if self._head_timer is not None:
            self._head_is_here()

    def rested(self) -> None:
        """The express lane has answered it."""
        self.begin_pause()

    def pause_writing(self) -> None:
        """The caller takes no more for now."""
        super().pause_writing()
        self._express.pause_writing()

    def resume_writing(self) -> None:
        """It takes more again."""
        super().resume_writing()
        self._express.resume_writing()

    async def shutdown(self, timeout: float | None = 15.0) -> None:
        """Wait for a request on the express lane as for any other."""
        await self._express.settle(timeout)
        await super().shutdown(timeout)

    # --- what goes wrong ---

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

    async def answer_error(self, incoming: web.BaseRequest, error: BaseException) -> web.StreamResponse:
        """Refuse what the parser could not read."""
        answered = await self._refuse(incoming, self._meaning(error))
        await self._close_in_stages()
        return answered

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
        limit = passed_limit(error)
        if limit is None:
            return MALFORMED
        return TARGET_TOO_LONG if limit == self.max_line_size else HEAD_TOO_LARGE

    def _break_body(self) -> None:
        """The parser stopped in the middle of a body, and tells nobody who is reading it."""
        if self._body is not None and not self._body.is_eof():
            break_body(self._body)

    def _head_goes_on(self, size: int) -> None:
        self._head_bytes += size
        if self._head_timer is None:
            self._await_head()
        if self._head_bytes > self._most:
            self._is_too_large = True
            # NUL is allowed nowhere in a head: the parser ends it as it ends any other that is malformed.
            self.data_received(b"\0")

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self._head_timeout, self._head_is_late)

    def _head_is_here(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        if self.answers:
            # The request before is still being answered.
            self._await_head()
        else:
            self.force_close()


def _ends_requests(new: Sequence[Queued], data: bytes) -> bool:
    """Whether it is certain that these bytes end with a request, and that the next ones begin another.

    Where `data` completed a head and ends with an empty line, that line ends the last head or its body: a head behind
    it would be complete, and new, too.
    """
    if not new or not data.endswith(b"\r\n\r\n"):
        return False
    last = new[-1]
    return last.is_request and last.body.is_eof() and not last.goes_on


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _too_large(deny: Deny) -> BadRequest:
    return BadRequest(deny.code, deny.detail, deny.status)
