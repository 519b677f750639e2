"""Real servers on loopback: an upstream that records bytes and plays answers, a gateway, a caller over raw sockets."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from gateway.caller import Limits, Timeouts
from gateway.exchange import Exchange
from gateway.headers import Forwarding, HeaderNames
from gateway.policy import Allow, Decision, Deny, Request
from gateway.ports import Clock
from gateway.proxy import Proxy
from gateway.router import Route, Router
from gateway.server import Gateway
from gateway.upstreams import Upstream, UpstreamOptions
from tests.fakes import FakeClock

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GOOD = "good"
"""The token that `Bearer` lets in."""


@dataclass
class Lanes:
    """Which lanes the gateways of a test have, where it does not say so itself: the fixture `lane` sets it."""

    express: bool = True


LANES = Lanes()

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Plays = Callable[["Recorded", Reader, Writer], Awaitable[None]]


@dataclass
class Recorded:
    """One request as the upstream read it from its socket."""

    connection: int
    head: bytes
    body: bytes = b""
    complete: bool = False
    """Whether the body came to its proper end."""

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def header(self, name: str) -> list[str]:
        """All values under that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


def play(*steps: bytes | float | None) -> Plays:
    """An answer: bytes are sent, a number is waited for in seconds, `None` resets the connection."""

    async def plays(_: Recorded, __: Reader, writer: Writer) -> None:
        for step in steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif step is None:
                writer.transport.abort()
            else:
                await asyncio.sleep(step)

    return plays


def then_close(*steps: bytes | float) -> Plays:
    """An answer after which the upstream closes the connection."""

    async def plays(recorded: Recorded, reader: Reader, writer: Writer) -> None:
        await play(*steps)(recorded, reader, writer)
        writer.close()

    return plays


class RecordingUpstream:
    """Keeps every byte that it gets. Plays `answers` in turn, the last one again and again."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.connections = 0
        self.open = 0
        self.answers: list[Plays] = [play(OK)]
        self.reads_body = True
        """Whether a body is read before the answer is played."""
        self.url = ""
        self.port = 0
        self.changed = asyncio.Condition()
        self._writers: set[Writer] = set()

    @property
    def last(self) -> Recorded:
        return self.requests[-1]

    def plays(self, *answers: Plays | bytes) -> None:
        self.answers = [play(answer) if isinstance(answer, bytes) else answer for answer in answers]

    async def serve(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        self.open += 1
        number = self.connections
        self._writers.add(writer)
        try:
            while not writer.transport.is_closing():
                await self._one(number, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._writers.discard(writer)
            self.open -= 1
            writer.close()
            await self._tell()

    async def _one(self, number: int, reader: Reader, writer: Writer) -> None:
        recorded = Recorded(number, await reader.readuntil(b"\r\n\r\n"))
        self.requests.append(recorded)
        await self._tell()
        if self.reads_body:
            await self._read_body(recorded, reader, writer)
            recorded.complete = True
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        playing = asyncio.ensure_future(answer(recorded, reader, writer))
        leaving = asyncio.ensure_future(_left(reader))
        await asyncio.wait({playing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not playing.done():
            playing.cancel()
            raise ConnectionResetError
        await playing

    async def _read_body(self, recorded: Recorded, reader: Reader, writer: Writer) -> None:
        if recorded.header("expect"):
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        for length in recorded.header("content-length"):
            while len(recorded.body) < int(length):
                piece = await reader.read(int(length) - len(recorded.body))
                if not piece:
                    raise asyncio.IncompleteReadError(b"", None)
                recorded.body += piece
        while recorded.header("transfer-encoding"):
            size = int(await reader.readuntil(b"\r\n"), 16)
            recorded.body += (await reader.readexactly(size + 2))[:-2]
            if not size:
                return

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, is_so: Callable[["RecordingUpstream"], bool]) -> None:
        """Wait until that is so, for a second at most."""
        async with asyncio.timeout(1), self.changed:
            await self.changed.wait_for(lambda: is_so(self))

    def hang_up(self) -> None:
        """Close every connection, as a server does with those that are idle for long."""
        for writer in self._writers:
            writer.close()


async def _left(reader: Reader) -> None:
    """Return when the other side has closed the connection."""
    while not reader._eof and reader.exception() is None:  # type: ignore[attr-defined]  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.005)


@asynccontextmanager
async def recording_upstream(tls: ssl.SSLContext | None = None) -> AsyncIterator[RecordingUpstream]:
    upstream = RecordingUpstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, ssl=tls)
    upstream.port = server.sockets[0].getsockname()[1]
    upstream.url = f"{'https' if tls else 'http'}://127.0.0.1:{upstream.port}"
    try:
        yield upstream
    finally:
        server.close()
        for writer in tuple(upstream._writers):
            writer.transport.abort()
        await upstream.until(lambda it: not it.open)


@dataclass(frozen=True, kw_only=True)
class Says:
    """A chain that always comes to the same decision, or to what it computes from the request."""

    decision: Decision | Exception | Callable[[Request], Decision | Awaitable[Decision]] = field(default_factory=Allow)
    reads_form: bool = False
    identity_headers: frozenset[str] = frozenset()

    def decide(self, request: Request, /) -> Decision | Awaitable[Decision]:
        if isinstance(self.decision, Exception):
            raise self.decision
        return self.decision if isinstance(self.decision, Allow | Deny) else self.decision(request)


def bearer(request: Request) -> Decision:
    """A stand-in for token enforcement: one token is good."""
    said = request.headers.getall("Authorization", ())
    if len(said) == 1 and said[0] == f"Bearer {GOOD}":
        return Allow(set_headers=(("X-User", "alice"),), drop_headers=frozenset({"authorization"}))
    return Deny(401, "token_missing", "No token was sent.", (("WWW-Authenticate", 'Bearer realm="api"'),))


@dataclass(kw_only=True)
class Serving:
    """A runtime for tests, and what the gateway recorded."""

    router: Router[Upstream]
    proxy: Proxy
    limits: Limits
    timeouts: Timeouts
    problem_base: str = "urn:tokenward:problem:"
    express: bool = True


@dataclass
class Running:
    """A gateway that listens."""

    gateway: Gateway
    port: int
    exchanges: list[Exchange]
    callers: list["RawCaller"] = field(default_factory=list)

    async def connect(self) -> "RawCaller":
        """A caller, that is gone at the end of the gateway at the latest."""
        caller = RawCaller(*await asyncio.open_connection("127.0.0.1", self.port))
        self.callers.append(caller)
        return caller

    async def ask(self, request: bytes, *, timeout: float = 2.0) -> "Reply":
        """One request on a connection of its own, and its whole answer."""
        caller = await self.connect()
        try:
            caller.send(request)
            return await caller.reply(timeout=timeout, method=request.split(b" ", 1)[0].decode())
        finally:
            caller.close()


@dataclass
class Recorder:
    exchanges: list[Exchange] = field(default_factory=list)

    def record(self, exchange: Exchange, /) -> None:
        self.exchanges.append(exchange)


ROUTE: Route[str] = Route(name="all", api="all", path="/", chain=Says(), upstream="")


@asynccontextmanager
async def gateway(
    upstream: str | UpstreamOptions,
    *routes: Route[str],
    clock: Clock | None = None,
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
    forwarding: Forwarding | None = None,
    express: bool | None = None,
) -> AsyncIterator[Running]:
    """A gateway in front of one upstream. `upstream` of the routes is filled in; without any, all is allowed."""
    clock = clock or FakeClock()
    limits = limits or Limits()
    options = UpstreamOptions(targets=(upstream,)) if isinstance(upstream, str) else upstream
    async with Upstream(options, clock) as opened:
        serving = Serving(
            router=Router([_with_upstream(route, opened) for route in routes or (ROUTE,)]),
            proxy=Proxy(
                clock=clock,
                scrub=HeaderNames.of(name for route in routes for name in route.chain.identity_headers),
                forwarding=forwarding or Forwarding(),
                body_limit=limits.body,
                message_limit=limits.message,
            ),
            limits=limits,
            timeouts=timeouts or Timeouts(),
            express=LANES.express if express is None else express,
        )
        recorder = Recorder()
        running = Gateway(serving, recorder, clock)
        server = await asyncio.get_running_loop().create_server(running, "127.0.0.1", 0)
        listening = Running(running, server.sockets[0].getsockname()[1], recorder.exchanges)
        try:
            yield listening
        finally:
            for caller in listening.callers:
                caller.close()
            server.close()
            await running.shutdown(0.2)


def _with_upstream(route: Route[str], upstream: Upstream) -> Route[Upstream]:
    return replace(route, upstream=upstream)  # type: ignore[arg-type, return-value]  # another type of upstream


@dataclass
class Reply:
    """An answer as the caller read it from its socket."""

    head: bytes
    body: bytes
    complete: bool
    """Whether the body came to its proper end."""

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def headers(self) -> list[tuple[str, str]]:
        lines = self.head.decode("latin-1").split("\r\n")[1:-2]
        return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]

    def header(self, name: str) -> list[str]:
        """All values under that name."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def closes(self) -> bool:
        return self.header("connection") == ["close"]


class RawCaller:
    """A caller that sends what it is told to, byte by byte."""

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def reply(self, *, timeout: float = 2.0, method: str = "GET") -> Reply:
        """The next answer. One that breaks off is given as far as it came; raises TimeoutError when none comes."""
        async with asyncio.timeout(timeout):
            head = await self.reader.readuntil(b"\r\n\r\n")
            reply = Reply(head, b"", complete=False)
            if method == "HEAD" or reply.status in {100, 101, 204, 304}:
                reply.complete = True
                return reply
            try:
                await self._read_body(reply)
            except (asyncio.IncompleteReadError, ConnectionError):
                return reply
            reply.complete = True
            return reply

    async def _read_body(self, reply: Reply) -> None:
        if reply.header("transfer-encoding"):
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                reply.body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        elif length := reply.header("content-length"):
            while len(reply.body) < int(length[0]):
                if not (piece := await self.reader.read(int(length[0]) - len(reply.body))):
                    raise asyncio.IncompleteReadError(b"", None)
                reply.body += piece
        else:
            reply.body = await self.reader.read()

    async def ended(self, *, timeout: float = 3.0) -> bytes:
        """What still comes until the connection ends; raises TimeoutError when it does not end."""
        async with asyncio.timeout(timeout):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    def close(self) -> None:
        self.writer.transport.abort()


def request(
    method: str = "GET",
    target: str = "/",
    *headers: str | bytes,
    host: str | None = "api.example.com",
    body: bytes = b"",
    version: str = "1.1",
) -> bytes:
    """The bytes of a request. `headers` are whole lines."""
    lines: Iterable[str | bytes] = (*((f"Host: {host}",) if host is not None else ()), *headers)
    encoded = [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    if body and not any(re.match(rb"(?i)(content-length|transfer-encoding):", line) for line in encoded):
        encoded.append(b"Content-Length: %d" % len(body))
    start = f"{method} {target} HTTP/{version}".encode("latin-1")
    return b"\r\n".join((start, *encoded, b"", body))
