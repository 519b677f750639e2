"""The caller's end of an exchange: the body that it sends, and the answer on its way to it.

Answers are written here and not by aiohttp, which adds headers of its own and cannot write every byte that an upstream
may send.
"""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from gateway.aiohttp_inside import asks_for_upgrade, is_chunked, target_of
from gateway.answer_head import has_no_body, lines_of, render, tells_length
from gateway.answers import TITLES, Answer
from gateway.correlation import Trace
from gateway.headers import Journey, Lines, RawHeaders
from gateway.paths import BadRequest

MOST_DRAINED = 65_536
"""Bytes of a body that are read and dropped after an answer, rather than close the connection."""
LEAST_PROGRESS = 1024
"""Bytes of a body that must arrive within each `timeouts.body`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a caller may send, in bytes where nothing else is said."""

    target: int = 8192
    header: int = 8192
    """One line of the header section."""
    headers: int = 65_536
    """The whole header section."""
    header_count: int = 100
    """Lines of the header section."""
    body: int | None = None
    message: int = 16_777_216
    """One message of a WebSocket, in either direction."""
    requests_in_flight: int | None = None
    """Requests at once, in this process; more are refused."""
    connections: int | None = None
    """Connections at once, in this process; more wait. Never more than there are descriptors for."""
    connections_per_address: int | None = None
    """Connections at once from one address, in this process; more are closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a caller is waited for, in seconds."""

    head: float = 10.0
    """For a request's head, from the connection or from the head's first byte."""
    body: float = 30.0
    """In which at least `LEAST_PROGRESS` bytes of a body arrive."""
    keep_alive: float = 75.0
    """Between two requests."""


class CallerSlow(Exception):
    """The body stalls or drips."""


class CallerBroke(Exception):
    """The body is not what the head announced."""


class CallerLeft(ConnectionError):
    """Nobody is there to be answered."""


class Caller:
    """One request's connection, from the end of its head to the end of its answer."""

    def __init__(
        self, incoming: web.BaseRequest, *, journey: Journey, trace: Trace, body_timeout: float, keep_alive: bool = True
    ) -> None:
        self.incoming = incoming
        self.journey = journey
        self.trace = trace
        self.method = incoming.method
        self.target = target_of(incoming)
        """As it was sent."""
        self.host = incoming.headers.get("Host", "")
        """The `Host` header as it was sent."""
        self.raw_headers: RawHeaders = incoming.raw_headers
        self.is_1_1 = incoming.version >= (1, 1)
        self.content_length = incoming.content_length
        """What the head announced. `None`: there is no body, or it comes in chunks."""
        self.chunked = is_chunked(incoming)
        # RFC 9110, 10.1.1: a 100-continue expectation of an HTTP/1.0 request must be ignored.
        self.expects_continue = self.is_1_1 and "expect" in incoming.headers and self.has_body
        self.upgrades = asks_for_upgrade(incoming)
        """Whether it asks to speak another protocol from here on, in `Upgrade` and in `Connection`."""
        # The parser keeps the last trailer of a chunked body and puts it before the next request's headers: there is
        # no next request after one. And it loses what follows the head of an upgrade that it does not know.
        self.keep_alive = keep_alive and incoming.keep_alive and not self.chunked and not self.upgrades
        self.started = False
        """Whether the head of an answer was sent."""
        self.finished = False
        """Whether the answer was sent to its end; whoever leaves then does not leave early."""
        self.bytes_in = 0
        self.bytes_out = 0
        self._body_timeout = body_timeout
        self._patience = body_timeout
        self._progress = 0
        self._limit: int | None = None
        self._held: bytes | None = None
        self._out_in_chunks = False

    @property
    def has_body(self) -> bool:
        """Whether the head announced a body of at least one byte."""
        return self.chunked or bool(self.content_length)

    @property
    def sent_all(self) -> bool:
        """Whether the whole request has arrived."""
        return self.incoming.content.is_eof()

    @property
    def left(self) -> bool:
        """Whether the connection is gone."""
        transport = self.incoming.transport
        return transport is None or transport.is_closing()

    def limit_body(self, limit: int | None) -> None:
        """Refuse a body of more bytes: `BadRequest` at once where the head announces it, or else when it is read."""
        self._limit = limit
        if limit is not None and (self.content_length or 0) > limit:
            raise _too_large()

    async def read(self) -> bytes:
        """The next piece of the body; empty at its end. The first call asks for it, where the caller waits to be asked.

        Raises `CallerSlow`, `CallerBroke`, or `BadRequest` beyond the limit.
        """
        if self._held is not None:
            held, self._held = self._held, b""
            return held
        if self.expects_continue:
            self._ask_for_body()
        piece = await self._receive()
        self.bytes_in += len(piece)
        if self._limit is not None and self.bytes_in > self._limit:
            raise _too_large()
        return piece

    async def read_whole(self, most: int) -> bytes:
        """The whole body, of no more than `most` bytes; `read` gives it again. Raises what `read` raises."""
        self.limit_body(most)
        pieces = []
        while piece := await self.read():
            pieces.append(piece)
        self.replace_body(b"".join(pieces))
        return self._held or b""

    def replace_body(self, body: bytes) -> None:
        """Go on as if the caller had sent this; for a body that was read whole."""
        self._held = body
        self.content_length = len(body)
        self.chunked = False
        self.expects_continue = False

    def answer(self, answer: Answer, *, now: float) -> None:
        """Send an answer of the gateway's own. `now` in seconds since the epoch."""
        body_is_small = self.content_length is not None and self.content_length <= MOST_DRAINED
        if not self.sent_all and (self.expects_continue or not body_is_small):
            self.keep_alive = False
        self._send_head(answer.status, TITLES.get(answer.status, ""), lines_of(answer), now=now, body=answer.body)
        self.finished = True

    def start(
        self, status: int, reason: str, lines: Lines, *, length: int | None, now: float, first: bytes = b""
    ) -> None:
        """Send the head of an upstream's answer, and the first piece of its body if it is here.

        `length` of the body in bytes, where it is known. `Date` is added where the upstream sent none (RFC 9110,
        6.6.1). Raises `UnsafeHeader`, before anything is sent.
        """
        if not self.sent_all:
            self.keep_alive = False
        if has_no_body(self.method, status):
            if length is not None and tells_length(status):
                lines = [*lines, (b"Content-Length", b"%d" % length)]
        elif length is not None:
            lines = [*lines, (b"Content-Length", b"%d" % length)]
        elif self.is_1_1:
            self._out_in_chunks = True
            lines = [*lines, (b"Transfer-Encoding", b"chunked")]
        else:
            self.keep_alive = False
        self._send_head(status, reason, lines, now=now, body=self._framed(first) if first else b"")

    async def write(self, piece: bytes) -> None:
        """Send a piece of the answer's body, no sooner than the caller can take it. Raises `CallerLeft`."""
        self._send(self._framed(piece))
        await self._drain()

    async def finish(self) -> None:
        """The answer's body is complete."""
        if self._out_in_chunks:
            self._send(b"0\r\n\r\n")
        self.finished = True
        await self._drain()

    def abort(self) -> None:
        """End the connection so that the caller can tell that its answer is not complete."""
        self.keep_alive = False
        if (transport := self.incoming.transport) is not None:
            transport.abort()

    async def _drain(self) -> None:
        try:
            await self.incoming.writer.drain()
        except ConnectionError as error:
            raise CallerLeft("the caller left") from error

    def _ask_for_body(self) -> None:
        self.expects_continue = False
        if self.started:
            # The answer is under way, so nobody asked for the body in time, and now the caller will not send it.
            raise CallerBroke("the body was not asked for")
        self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.bytes_out = 0

    async def _receive(self) -> bytes:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._patience):
                piece = await self.incoming.content.readany()
        except TimeoutError:
            raise CallerSlow("the body did not arrive in time") from None
        except (web.RequestPayloadError, ConnectionError) as error:
            raise CallerBroke("the body broke off") from error
        self._patience -= loop.time() - began
        self._progress += len(piece)
        if self._progress >= LEAST_PROGRESS:
            self._patience, self._progress = self._body_timeout, 0
        return piece

    def _framed(self, piece: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self._out_in_chunks else piece

    def _send_head(self, status: int, reason: str, lines: Lines, *, now: float, body: bytes) -> None:
        connection = b"close" if not self.keep_alive else b"" if self.is_1_1 else b"keep-alive"
        octets = render(status, reason, lines, now=now, connection=connection)
        self.started = True
        # In one write, if it can be: each is a call of the system, and more than that to whoever reads it.
        self._send(octets + body)

    def _send(self, piece: bytes) -> None:
        transport = self.incoming.transport
        if transport is None or transport.is_closing():
            raise CallerLeft("the caller left")
        if piece:
            transport.write(piece)
            self.bytes_out += len(piece)


class Answered(web.StreamResponse):
    """What aiohttp is told in the end: the answer has been written, and whether there may be another request."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._may_go_on = keep_alive

    @property
    def keep_alive(self) -> bool:
        """Whether there may be another request."""
        return self._may_go_on

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing is left to send."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing is left to send."""


def _too_large() -> BadRequest:
    return BadRequest("body_too_large", "The request body is larger than this route accepts.", 413)
