"""One connection to an upstream: sends a request, tells a sink what comes back, and never what is ambiguous.

Nothing is created per request but the head that is read: no task, no future, no timer. Whoever keeps the connections
looks at their deadlines from time to time.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, cast

from gateway.answer_parser import END, LARGEST_HEAD, AnswerHead, Chunks, Framing, Malformed, may_become_head, read_head
from gateway.outgoing import UpstreamBroke, UpstreamFailure, UpstreamInvalid, UpstreamSilent


class Sink(Protocol):
    """Whoever an answer is for. It is told of the head, of pieces, and in the end of one of `end` and `failed`.

    After that, as after `abort`, the connection is another's: it must not be touched any more.
    """

    def head(self, head: AnswerHead, /) -> None:
        """The answer has begun."""

    def piece(self, piece: bytes, /) -> None:
        """A part of the answer's body, at least one byte."""

    def end(self) -> None:
        """The answer is complete."""

    def failed(self, failure: UpstreamFailure, /) -> None:
        """There is no answer, or no end of it."""

    def go_on(self) -> None:
        """100 Continue: the request's body is waited for."""

    def hold_body(self) -> None:
        """The upstream takes no more of the request's body for now."""

    def resume_body(self) -> None:
        """It takes more again."""


class Home(Protocol):
    """Whoever keeps the connection while nobody uses it."""

    def opened(self, connection: "UpstreamConnection", /) -> None:
        """The connection is there."""

    def answered(self) -> None:
        """There is the head of an answer."""

    def broke(self) -> None:
        """A connection that had not been idle ended before an answer."""

    def take_back(self, connection: "UpstreamConnection", /) -> None:
        """The connection can be used again."""

    def forget(self, connection: "UpstreamConnection", /) -> None:
        """The connection is at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an upstream is waited for, in seconds."""

    connect: float
    """For a connection, name look-up and TLS included; and for one that may be made."""
    response: float
    """From the request's last byte to the answer's head; and for each piece of a body to be taken."""
    idle: float
    """Between two pieces of the answer's body."""
    keep_alive: float
    """How long an idle connection is kept."""


class State(Enum):
    """What the next byte of the upstream is."""

    IDLE = "one that nobody asked for"
    HEAD = "a part of the head"
    COUNTED = "a part of a body of known length"
    CHUNKED = "a part of a body in chunks"
    OPEN = "a part of a body that ends with the connection"
    CLOSED = "of no interest"


# Looked up once: through the enumeration each takes as long as a call, and there are a dozen for each request.
_IDLE, _HEAD, _COUNTED, _CHUNKED, _OPEN, _CLOSED = State
_BY_LENGTH, _IN_CHUNKS, _NO_BODY = Framing.COUNTED, Framing.CHUNKED, Framing.NONE


class UpstreamConnection(asyncio.Protocol):
    """Serves one request at a time. `start` one, `send` and `finish` its body; or `abort`."""

    __slots__ = (
        "_begun",
        "_chunks",
        "_full",
        "_home",
        "_keep_alive",
        "_left",
        "_now",
        "_patience",
        "_paused",
        "_sent",
        "_sink",
        "_to_head",
        "_transport",
        "deadline",
        "server_name",
        "state",
        "was_idle",
    )

    def __init__(
        self, home: Home, patience: Patience, now: Callable[[], float], *, server_name: str | None = None
    ) -> None:
        self.server_name = server_name
        """What TLS was asked for."""
        self.deadline = math.inf
        """When the upstream is late, by `now`."""
        self.state = _IDLE
        self.was_idle = False
        """Whether it was kept, and gave no byte since: it may have been dead before it was used again."""
        self._home = home
        self._patience = patience
        self._now = now
        self._sink: Sink | None = None
        self._transport = cast("asyncio.Transport", None)  # until there is a connection
        self._to_head = False
        self._sent = True
        self._full = False
        self._begun = b""
        self._left = 0
        self._chunks: Chunks | None = None
        self._keep_alive = False
        self._paused = False

    # --- for whoever uses it ---

    @property
    def usable(self) -> bool:
        """Whether a request may be started."""
        return self.state is _IDLE and not self._transport.is_closing()

    def start(self, sink: Sink, octets: bytes, *, to_head: bool = False, whole: bool = True) -> None:
        """Send a request: the whole of it, or its head. `to_head`: its method is HEAD."""
        if not self.usable:
            sink.failed(UpstreamBroke("no answer", was_idle=True))
            return
        self._sink = sink
        self._to_head = to_head
        self._sent = whole
        self.state = _HEAD
        self.deadline = self._now() + self._patience.response if whole else math.inf
        self._transport.write(octets)

    def send(self, piece: bytes) -> None:
        """Send a part of the request's body, framed already."""
        self._transport.write(piece)

    def finish(self) -> None:
        """The request's body has ended."""
        self._sent = True
        if self.state is _HEAD:
            self.deadline = self._now() + self._patience.response

    def pause(self) -> None:
        """Let the upstream wait."""
        if not self._paused:
            self._paused = True
            self.deadline = math.inf
            self._transport.pause_reading()

    def resume(self) -> None:
        """Let it send again."""
        if self._paused:
            self._paused = False
            self.deadline = self._now() + self._patience.idle
            self._transport.resume_reading()

    def abort(self) -> None:
        """Whoever asked is gone; the sink is told nothing more."""
        self._sink = None
        self._close()

    # --- for whoever keeps it ---

    def expire(self) -> None:
        """The deadline has passed."""
        if self.state is _IDLE:
            self._close()
        elif self.state is _HEAD:
            self._fail(UpstreamSilent("no answer in time"))
        else:
            self._fail(UpstreamSilent("the body stalled"))

    def end(self) -> None:
        """End it, whatever it is doing."""
        if self._sink is None:
            self._close()
        else:
            self._fail(UpstreamBroke("the connection was ended"))

    # --- for the transport ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for a request. Should nobody send one, having left in this very moment, it ends like an idle one."""
        self._transport = cast("asyncio.Transport", transport)
        self.deadline = self._now() + self._patience.keep_alive
        self._home.opened(self)

    def data_received(self, data: bytes) -> None:
        """Pass on what is a part of the answer; end the connection at what is none."""
        state = self.state
        if state is _HEAD:
            self._read_head(data)
        elif state is _COUNTED:
            self._count(data)
        elif state is _CHUNKED:
            self._decode(data)
        elif state is _OPEN:
            self._pass_on(data)
        elif state is _IDLE:
            # RFC 9112, 9.2: without a request outstanding, what comes "MUST NOT" be taken for an answer.
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        """An end of an answer, where it is one that ends so."""
        state, sink = self.state, self._sink
        if sink is None:
            self._close()
        elif state is _OPEN and exc is None:
            self._complete(exceeded=False)
        elif state is _HEAD:
            self._fail(UpstreamBroke("no answer", was_idle=self.was_idle))
        else:
            self._fail(UpstreamBroke("the body broke off"))

    def pause_writing(self) -> None:
        """The request's body waits for the upstream."""
        self._full = True
        if self._sink is not None and not self._sent:
            if self.state is _HEAD:
                self.deadline = self._now() + self._patience.response
            self._sink.hold_body()

    def resume_writing(self) -> None:
        """The request's body waits for the caller again."""
        self._full = False
        if self._sink is not None and not self._sent:
            if self.state is _HEAD:
                self.deadline = math.inf
            self._sink.resume_body()

    # --- the answer ---

    def _read_head(self, data: bytes) -> None:
        self.was_idle = False
        if self._begun:
            data = self._begun + data
        while self.state is _HEAD:
            end = data.find(END, 0, LARGEST_HEAD) + len(END)
            if end < len(END):
                self._begin(data)
                return
            try:
                head = read_head(data[:end], to_head=self._to_head)
            except Malformed:
                self._fail(UpstreamInvalid("not an answer"))
                return
            data = data[end:]
            self._begun = b""
            if head.status >= 200:
                self._answer(head, data)
                return
            self._interim(head)

    def _begin(self, data: bytes) -> None:
        self._begun = data
        if not may_become_head(data):
            self._fail(UpstreamInvalid("not an answer"))

    def _interim(self, head: AnswerHead) -> None:
        if head.status == 100 and self._sink is not None and not self._sent:
            self._sink.go_on()

    def _answer(self, head: AnswerHead, rest: bytes) -> None:
        sink = self._sink
        if sink is None:
            return
        self._keep_alive = head.keep_alive
        self._home.answered()
        framing = head.framing
        if framing is _BY_LENGTH:
            self.state = _COUNTED
            self._left = head.length or 0
        elif framing is _IN_CHUNKS:
            self.state = _CHUNKED
            self._chunks = Chunks()
        else:
            self.state = _OPEN
        self.deadline = self._now() + self._patience.idle
        sink.head(head)
        if framing is _NO_BODY:
            self._complete(exceeded=bool(rest))
        elif rest:
            self.data_received(rest)

    def _count(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left > 0:
            self._pass_on(data)
            return
        exceeded = self._left < 0
        self._pass_on(data[: self._left] if exceeded else data)
        self._complete(exceeded=exceeded)

    def _decode(self, data: bytes) -> None:
        chunks = self._chunks
        if chunks is None:
            return
        try:
            piece = chunks.feed(data)
        except Malformed:
            self._fail(UpstreamInvalid("the body is malformed"))
            return
        if piece:
            self._pass_on(piece)
        if chunks.complete:
            self._complete(exceeded=chunks.exceeded)

    def _pass_on(self, piece: bytes) -> None:
        if self._sink is not None:
            if not self._paused:
                self.deadline = self._now() + self._patience.idle
            self._sink.piece(piece)

    def _complete(self, *, exceeded: bool) -> None:
        """The answer is here; keep the connection if nothing else is on its way in it, in either direction."""
        sink, self._sink = self._sink, None
        if sink is None:
            return
        self._chunks = None
        in_step = self._sent and not self._full and not exceeded
        if in_step and self._keep_alive and not self._transport.is_closing():
            self._rest()
        else:
            self._close()
        sink.end()

    def _rest(self) -> None:
        self.state = _IDLE
        self.was_idle = True
        self.deadline = self._now() + self._patience.keep_alive
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._home.take_back(self)

    def _fail(self, failure: UpstreamFailure) -> None:
        sink, self._sink = self._sink, None
        if self.state is _HEAD and isinstance(failure, UpstreamBroke) and not failure.was_idle:
            self._home.broke()
        self._close()
        if sink is not None:
            sink.failed(failure)

    def _close(self) -> None:
        if self.state is not _CLOSED:
            self.state = _CLOSED
            self.deadline = math.inf
            self._chunks = None
            self._begun = b""
            self._transport.abort()
            self._home.forget(self)
