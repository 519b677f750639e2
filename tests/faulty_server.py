"""An HTTP server on loopback that answers as its script says, wrongly for the most part, and keeps what it received.

async with faulty_server(hang_up(), document({"active": True})) as server:
    …                                  # the first request gets no answer, all later ones the document
    assert server.received[0].form["token"] == "…"
"""

import asyncio
import gzip
import json
import socket
import ssl
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl

MEBIBYTE = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes
    connection: int
    """Counted from one."""

    def header(self, name: str) -> str | None:
        """The first value of that name."""
        return next((value for given, value in self.headers if given == name.lower()), None)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Conversation:
    """One request, and the wire to answer it on."""

    received: Received
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *parts: bytes) -> None:
        if self.writer.is_closing():
            raise ConnectionResetError
        self.writer.writelines(parts)
        await self.writer.drain()
        await asyncio.sleep(
            0
        )  # Over TLS, `drain` may neither wait nor give way, and nobody would see the caller leave.

    async def until_the_caller_leaves(self) -> None:
        while await self.reader.read(READ):
            pass


Verb: TypeAlias = Callable[[Conversation], Awaitable[None]]
"""Does something with a request. The connection stays open for the next one, unless the verb closes it."""
READ = 65_536


class FaultyServer:
    """`script` holds the verbs for the requests to come; the last one stays for all that follow."""

    def __init__(self, script: tuple[Verb, ...], tls: ssl.SSLContext | None) -> None:
        self.script = list(script)
        self.received: list[Received] = []
        self.connections = 0
        """Accepted so far."""
        self.port = 0
        self._tls = tls
        self._listener: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._idle = asyncio.Event()
        self._news = asyncio.Event()

    @property
    def url(self) -> str:
        """The origin, without a trailing slash."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._open)

    async def start(self) -> None:
        """Listen; after a `stop`, on the same port as before."""
        self._listener = await asyncio.start_server(self._converse, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more, and cut every connection."""
        if self._listener is not None:
            self._listener.close()
        await self.cut()

    async def cut(self) -> None:
        """Close every connection, as a server does with those that are idle."""
        conversations = tuple(self._open)
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)

    async def until_all_left(self) -> None:
        """Wait until no connection is open; raises TimeoutError after five seconds."""
        async with asyncio.timeout(5):
            await self._idle.wait()

    async def until_received(self, requests: int) -> None:
        """Wait for that many requests in all; raises TimeoutError after five seconds."""
        async with asyncio.timeout(5):
            while len(self.received) < requests:
                self._news.clear()
                await self._news.wait()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        self._idle.clear()
        self.connections += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._answer_all(reader, writer, self.connections)
        finally:
            writer.close()
            del self._open[task]
            if not self._open:
                self._idle.set()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        while not writer.is_closing():
            received = await _receive(reader, connection)
            self.received.append(received)
            self._news.set()
            verb = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            await verb(Conversation(received, reader, writer))


@asynccontextmanager
async def faulty_server(*script: Verb, tls: ssl.SSLContext | None = None) -> AsyncIterator[FaultyServer]:
    """A server that runs until the end of the block."""
    server = FaultyServer(script, tls)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextmanager
def refusing_port() -> Iterator[int]:
    """A port that refuses connections, and that nobody else can take meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def black_hole() -> Iterator[int]:
    """A port that answers nothing at all: its queue is full, so that the kernel drops whoever knocks."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        knocking = [socket.socket() for _ in range(4)]
        try:
            for one in knocking:
                one.setblocking(False)
                one.connect_ex(listener.getsockname())
            yield listener.getsockname()[1]
        finally:
            for one in knocking:
                one.close()


# The verbs that answer well.


def answer(
    body: bytes = b"", *, status: int = 200, media_type: str = "application/json", headers: tuple[str, ...] = ()
) -> Verb:
    """A whole answer; `headers` are lines such as `Set-Cookie: a=b`."""

    async def verb(conversation: Conversation) -> None:
        lines = (f"Content-Type: {media_type}", f"Content-Length: {len(body)}", *headers)
        await conversation.send(_head(status, *lines), body)

    return verb


def document(value: object, *, status: int = 200) -> Verb:
    """A JSON document."""
    return answer(json.dumps(value).encode(), status=status)


def gzipped(body: bytes) -> Verb:
    """A whole answer in a content coding, whether or not the caller wants one."""
    return answer(gzip.compress(body), headers=("Content-Encoding: gzip",))


def by_path(verbs: dict[str, Verb], otherwise: Verb) -> Verb:
    """A verb for each path."""

    async def verb(conversation: Conversation) -> None:
        await verbs.get(conversation.received.target.partition("?")[0], otherwise)(conversation)

    return verb


# The verbs that answer something else.


def html(status: int = 200) -> Verb:
    """A page for people, such as a login form or the error of a load balancer."""
    return answer(b"<!doctype html><title>Sign in</title>", status=status, media_type="text/html")


def redirect(to: str, status: int = 302) -> Verb:
    """A redirect."""
    return answer(status=status, headers=(f"Location: {to}",))


# The verbs that are slow.


def silent() -> Verb:
    """Takes the request and says nothing."""
    return Conversation.until_the_caller_leaves


def after(seconds: float, then: Verb) -> Verb:
    """The verb, a while later."""

    async def verb(conversation: Conversation) -> None:
        await asyncio.sleep(seconds)
        await then(conversation)

    return verb


def dripping(body: bytes, pause: float) -> Verb:
    """A byte of the body at a time, with a pause before each."""

    async def verb(conversation: Conversation) -> None:
        await conversation.send(_head(200, f"Content-Length: {len(body)}"))
        for byte in body:
            await asyncio.sleep(pause)
            await conversation.send(bytes((byte,)))

    return verb


# The verbs that break off.


def hang_up() -> Verb:
    """Takes the request and closes the connection."""

    async def verb(conversation: Conversation) -> None:
        conversation.writer.close()

    return verb


def reset() -> Verb:
    """Takes the request and resets the connection."""

    async def verb(conversation: Conversation) -> None:
        connection = conversation.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        conversation.writer.transport.abort()

    return verb


def half_a_head() -> Verb:
    """The beginning of an answer, and the end of the connection."""
    return _last_words(b"HTTP/1.1 200 OK\r\nContent-Type: appli")


def truncated(body: bytes) -> Verb:
    """A body that ends before its announced length."""
    return _last_words(_head(200, f"Content-Length: {len(body) + 10}"), body)


def overlong(body: bytes) -> Verb:
    """A body that goes on after its announced length; the connection stays open."""

    async def verb(conversation: Conversation) -> None:
        await conversation.send(_head(200, "Content-Length: 2"), body)

    return verb


def broken_chunk(body: bytes) -> Verb:
    """A chunked body with a chunk of no length."""
    return _last_words(_head(200, "Transfer-Encoding: chunked"), _chunk(body), b"nonsense\r\n")


def broken_head() -> Verb:
    """Not HTTP."""
    return _last_words(b"220 mail.example.com ESMTP\r\n\r\n")


# The verbs that are too much.


def huge(size: int) -> Verb:
    """A body of that many bytes, announced."""

    async def verb(conversation: Conversation) -> None:
        await conversation.send(_head(200, f"Content-Length: {size}"))
        for _ in range(size // READ):
            await conversation.send(b" " * READ)
        await conversation.send(b" " * (size % READ))

    return verb


def endless_chunks() -> Verb:
    """A chunked body without an end."""

    async def verb(conversation: Conversation) -> None:
        await conversation.send(_head(200, "Transfer-Encoding: chunked"))
        while True:
            await conversation.send(_chunk(b" " * READ))

    return verb


def bomb(mebibytes: int, coding: str = "gzip") -> Verb:
    """A small body (`gzip` or `deflate`) that becomes that large when it is decoded."""
    deflater = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    parts = [deflater.compress(bytes(MEBIBYTE)) for _ in range(mebibytes)]
    return answer(b"".join((*parts, deflater.flush())), headers=(f"Content-Encoding: {coding}",))


def bad_checksum(body: bytes) -> Verb:
    """A gzip body whose CRC is that of another one."""
    packed = gzip.compress(body)
    return answer(packed[:-8] + bytes(4) + packed[-4:], headers=("Content-Encoding: gzip",))


def _head(status: int, *lines: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status} So it is", *lines, "", "")).encode()


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def _last_words(*parts: bytes) -> Verb:
    async def verb(conversation: Conversation) -> None:
        await conversation.send(*parts)
        conversation.writer.close()

    return verb


async def _receive(reader: asyncio.StreamReader, connection: int) -> Received:
    request, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
    method, target, _ = request.split(" ")
    headers = tuple((name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines))
    length = next((int(value) for name, value in headers if name == "content-length"), 0)
    body = await reader.readexactly(length)
    return Received(method=method, target=target, headers=headers, body=body, connection=connection)
