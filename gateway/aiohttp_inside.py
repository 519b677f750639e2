"""What we know of aiohttp that its documentation does not promise: all of it is here, and nothing else is.

`tests/test_aiohttp_inside.py` fails where a new version is made differently.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeAlias

from aiohttp import ClientWebSocketResponse, WebSocketError, WSCloseCode, http_parser, web
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.helpers import set_exception
from aiohttp.http import RawRequestMessage, WebSocketReader
from aiohttp.http_exceptions import LineTooLong
from aiohttp.streams import StreamReader

from gateway.frames import Frames

# Of the two names aiohttp binds the first to the extension's class, where there is one.
PARSER = "python" if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy else "llhttp"
"""What reads requests: `llhttp`, or `python` where aiohttp was installed without its extension."""


class ParserMissing(RuntimeError):
    """Requests would be read by the parser in Python, which lets ambiguous ones through."""


def require_parser(parser: str = PARSER) -> None:
    """Raises `ParserMissing` for another parser than llhttp."""
    if parser != "llhttp":
        raise ParserMissing(
            "aiohttp's HTTP parser in C is missing, and the one in Python lets ambiguous requests through; "
            "install aiohttp with its extensions, and leave AIOHTTP_NO_EXTENSIONS unset"
        )


# A request


def target_of(incoming: web.BaseRequest) -> str:
    """The target as it was sent, and not a URL made of it."""
    return str(incoming._message.path)  # noqa: SLF001 - see above, and so below


def is_chunked(incoming: web.BaseRequest) -> bool:
    """Whether its body comes in chunks."""
    return bool(incoming._message.chunked)  # noqa: SLF001


def asks_for_upgrade(incoming: web.BaseRequest) -> bool:
    """Whether it asks to speak another protocol from here on, in `Upgrade` and in `Connection`."""
    return bool(incoming._message.upgrade)  # noqa: SLF001


def break_body(body: StreamReader) -> None:
    """Tell whoever reads the body that there is no end of it."""
    set_exception(body, web.RequestPayloadError("the body is malformed"))


def passed_limit(error: BaseException) -> int | None:
    """Which limit a line of the head is beyond, where that is what the parser complains of."""
    return int(error.args[1]) if isinstance(error, LineTooLong) else None


class Queued(NamedTuple):
    """What the parser has read, and nobody has taken up."""

    is_request: bool
    """Whether it is a request, and not an error."""
    goes_on: bool
    """Whether what follows its head is not told by a length: chunks, or another protocol."""
    body: StreamReader


# A connection


class Handler(web.RequestHandler):
    """aiohttp's connection, with a name for each thing that we use of its inside."""

    __slots__ = ()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The one that it runs on."""
        return self._loop

    @property
    def queue_length(self) -> int:
        """How many requests nobody has taken up."""
        return len(self._messages)

    def queued(self, start: int) -> list[Queued]:
        """Those of them that are behind the first `start`."""
        return [_queued(message, body) for message, body in list(self._messages)[start:]]

    @property
    def reads_requests(self) -> bool:
        """Whether what comes is HTTP, and not another protocol."""
        return self._payload_parser is None and not self._upgraded

    @property
    def answers(self) -> bool:
        """Whether a request is being answered, or will be in this turn of the loop."""
        return self._waiter is None and bool(self._request_count)

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a request: it has none in hand, is not about to close, and reads."""
        waiter = self._waiter
        return (
            waiter is not None
            and not waiter.done()
            and not self._messages
            and self._payload_parser is None
            and not (self._upgraded or self._close or self._force_close)
            and not (self._buffer_paused or self._reading_paused)
        )

    @property
    def is_in_use(self) -> bool:
        """Whether somebody else uses the connection, so that it is not idle although it waits for a request."""
        return False

    def begin_pause(self) -> None:
        """The patience between two requests begins."""
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._keepalive_handle is None:
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)

    def _process_keepalive(self) -> None:
        """The library's timer between two requests: it knows nothing of who else uses the connection."""
        if self.is_in_use:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()

    async def answer_error(self, incoming: web.BaseRequest, error: BaseException) -> web.StreamResponse:
        """Answer what the parser could not read."""
        raise NotImplementedError

    def _make_error_handler(self, err_info: Any) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
        error: BaseException = err_info.exc

        async def answer(incoming: web.BaseRequest) -> web.StreamResponse:
            return await self.answer_error(incoming, error)

        return answer


def _queued(message: object, body: StreamReader) -> Queued:
    if isinstance(message, RawRequestMessage):
        return Queued(True, message.chunked or message.upgrade, body)
    return Queued(False, False, body)


# A WebSocket


class _Watch:
    """Hands what comes on to the library's parser, as long as it is sound."""

    def __init__(self, parser: WebSocketReader, queue: WebSocketDataQueue, *, masked: bool) -> None:
        self._parser = parser
        self._queue = queue
        self._frames = Frames(masked=masked)
        self._failed = False

    def feed_eof(self) -> None:
        """Nothing more will come."""
        self._parser.feed_eof()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Whether that was the end, and what is behind it."""
        if self._failed:
            return True, b""
        sound = self._frames.sound(data)
        if sound == len(data):
            return self._parser.feed_data(data)
        self._failed = True
        if not self._parser.feed_data(data[:sound])[0]:
            self._queue.set_exception(WebSocketError(WSCloseCode.PROTOCOL_ERROR, "a frame that may not be"))
        return True, b""


class _Watched:
    """A socket that puts a `_Watch` in the place of the parser that the library gives it."""

    _masked: bool
    _reader: Any
    _watch: _Watch | None = None

    @property
    def _parser(self) -> _Watch | None:
        return self._watch

    @_parser.setter
    def _parser(self, parser: WebSocketReader | None) -> None:
        self._watch = None if parser is None else _Watch(parser, self._reader, masked=self._masked)


class CallersSocket(_Watched, web.WebSocketResponse[bool]):  # type: ignore[misc]  # `_parser` is a property here
    """A caller's socket, whose 101 does not tell what software this is."""

    _masked = True

    def __init__(self, *, protocol: str, **options: Any) -> None:
        super().__init__(protocols=(protocol,), **options)
        self.chosen = protocol
        """The one subprotocol that it may speak; empty for none."""

    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers.popall("Server", None)


class ServersSocket(_Watched, ClientWebSocketResponse[bool]):  # type: ignore[misc]  # `_parser` is a property here
    """A socket to a server."""

    _masked = False


Socket: TypeAlias = CallersSocket | ServersSocket


async def end_socket(socket: Socket, code: int, reason: bytes, *, patience: float) -> None:
    """Close it, and cut it off where the other side takes no part in that for so many seconds."""
    writer = socket._writer  # noqa: SLF001
    if writer is None:
        return
    try:
        async with asyncio.timeout(patience):
            await socket.close(code=code, message=reason)
    except TimeoutError:
        # The library lets the transport wait until everything is taken, for ever if need be.
        writer.transport.abort()
    except asyncio.CancelledError:
        asyncio.get_running_loop().call_later(patience, writer.transport.abort)
        # All who wait until something is taken wait for one future. When one of them was cancelled, the others are told
        # that they were, and so is whoever comes later.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
