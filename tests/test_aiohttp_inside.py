"""aiohttp is still made as we need it; and nobody else of the gateway knows how it is made."""

import ast
import asyncio
import importlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import http_parser, web

import gateway
from gateway import aiohttp_inside
from gateway.aiohttp_inside import (
    PARSER,
    CallersSocket,
    Handler,
    ParserMissing,
    asks_for_upgrade,
    break_body,
    is_chunked,
    passed_limit,
    require_parser,
    target_of,
)
from tests.servers import RawCaller, request

HANDSHAKE = (
    *("Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Version: 13"),
    *("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: b, a"),
)
CHUNKED = request("POST", "/", "Transfer-Encoding: chunked", body=b"2\r\nhi\r\n0\r\n\r\n")


class Open(Handler):
    """A connection whose inside can be looked at."""

    __slots__ = ("errors", "used")

    def __init__(self, server: web.Server, *, keep_alive: float) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=keep_alive,
            access_log=None,  # type: ignore[arg-type]  # the library tests for it
            max_line_size=100,
            max_field_size=200,
        )
        self.used = False
        self.errors: list[BaseException] = []

    @property
    def is_in_use(self) -> bool:
        return self.used

    async def answer_error(self, incoming: web.BaseRequest, error: BaseException) -> web.StreamResponse:
        self.errors.append(error)
        return web.Response(status=400)


@asynccontextmanager
async def opened(
    handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], *, keep_alive: float = 60.0
) -> AsyncIterator[tuple[RawCaller, Open]]:
    """A caller, and its connection at the server's side."""
    server = web.Server(handle)
    made: list[Open] = []

    def make() -> Open:
        made.append(Open(server, keep_alive=keep_alive))
        return made[-1]

    listener = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
    caller = RawCaller(*await asyncio.open_connection(*listener.sockets[0].getsockname()))
    await until(lambda: bool(made) and made[0].is_idle)
    try:
        yield caller, made[0]
    finally:
        caller.close()
        listener.close()
        await server.shutdown(1)


async def plain(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="ok")


# The parser


@pytest.mark.case("C207")
def test_requests_are_read_by_llhttp() -> None:
    assert PARSER == "llhttp"
    assert http_parser.HttpRequestParser.__module__ == "aiohttp._http_parser"
    require_parser()


def test_the_parser_in_python_is_refused() -> None:
    with pytest.raises(ParserMissing, match="lets ambiguous requests through"):
        require_parser("python")


@pytest.mark.parametrize(
    ("sent", "limit"),
    [
        (request("GET", "/" + "a" * 101), 100),
        (request("GET", "/", "X-A: " + "a" * 201), 200),
        (b"GET / HTTP/1.1\r\nHost: a\r\nno header\r\n\r\n", None),
    ],
)
async def test_an_error_says_which_limit_was_passed(sent: bytes, limit: int | None) -> None:
    async with opened(plain) as (caller, connection):
        caller.send(sent)
        assert (await caller.reply()).status == 400
        assert [passed_limit(error) for error in connection.errors] == [limit]


# A request


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (request("GET", "/%41/../b?c=%20#d"), ("/%41/../b?c=%20#d", False, False)),
        (CHUNKED, ("/", True, False)),
        (request("GET", "/", *HANDSHAKE), ("/", False, True)),
        (request("POST", "/", body=b"hi"), ("/", False, False)),
    ],
)
async def test_a_request_says_what_its_head_said(sent: bytes, said: tuple[str, bool, bool]) -> None:
    heard: list[tuple[str, bool, bool]] = []

    async def note(incoming: web.BaseRequest) -> web.StreamResponse:
        heard.append((target_of(incoming), is_chunked(incoming), asks_for_upgrade(incoming)))
        return web.Response()

    async with opened(note) as (caller, _):
        caller.send(sent)
        await caller.reply()
    assert heard == [said]


async def test_a_body_that_is_broken_is_an_error_for_its_reader() -> None:
    async def read(incoming: web.BaseRequest) -> web.StreamResponse:
        break_body(incoming.content)
        with pytest.raises(web.RequestPayloadError, match="malformed"):
            await incoming.content.readany()
        return web.Response(text="told")

    async with opened(read) as (caller, _):
        caller.send(request("POST", "/", "Content-Length: 5", body=b""))
        assert (await caller.reply()).body == b"told"


# A connection


async def test_a_connection_is_idle_before_and_after_a_request_and_not_meanwhile() -> None:
    going_on = asyncio.Event()

    async def wait(_: web.BaseRequest) -> web.StreamResponse:
        await going_on.wait()
        return web.Response()

    async with opened(wait) as (caller, connection):
        assert connection.loop is asyncio.get_running_loop()
        assert (connection.is_idle, connection.answers, connection.reads_requests) == (True, False, True)
        caller.send(request("GET", "/") + request("GET", "/") + CHUNKED)
        await until(lambda: connection.queue_length == 2)
        assert (connection.is_idle, connection.answers) == (False, True)
        first, second = connection.queued(0)
        assert connection.queued(1) == [second]
        assert (first.is_request, first.goes_on, first.body.is_eof()) == (True, False, True)
        assert (second.is_request, second.goes_on) == (True, True)
        going_on.set()
        for _ in range(3):
            await caller.reply()
        await until(lambda: connection.is_idle)


async def test_a_request_that_cannot_be_read_is_queued_as_an_error() -> None:
    async with opened(plain) as (_, connection):
        connection.data_received(b"\0")
        (queued,) = connection.queued(0)
        assert not queued.is_request
        assert not connection.is_idle


async def test_a_connection_that_was_upgraded_reads_no_requests_and_is_not_idle() -> None:
    sockets: list[CallersSocket] = []

    async def accept(incoming: web.BaseRequest) -> web.StreamResponse:
        sockets.append(CallersSocket(protocol="a", heartbeat=None))
        await sockets[0].prepare(incoming)
        await sockets[0].receive()
        return sockets[0]

    async with opened(accept) as (caller, connection):
        caller.send(request("GET", "/", *HANDSHAKE))
        reply = await caller.reply()
        assert (reply.status, sockets[0].chosen, sockets[0].ws_protocol) == (101, "a", "a")
        assert "server" not in {name.lower() for name, _ in reply.headers}
        assert not connection.reads_requests
        assert not connection.is_idle


@pytest.mark.parametrize("close", ["close", "force_close"])
async def test_a_connection_that_is_about_to_close_is_not_idle(close: str) -> None:
    async with opened(plain) as (_, connection):
        assert connection.is_idle
        getattr(connection, close)()
        assert not connection.is_idle


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (request("POST", "/", body=b"a" * 900_000), "_reading_paused"),
        (request("GET", "/") * 100, "_buffer_paused"),
    ],
)
async def test_a_connection_that_holds_what_is_sent_says_so(sent: bytes, why: str) -> None:
    going_on = asyncio.Event()

    async def wait(incoming: web.BaseRequest) -> web.StreamResponse:
        await going_on.wait()
        await incoming.read()
        return web.Response()

    async with opened(wait) as (caller, connection):
        caller.send(sent)
        await until(lambda: bool(getattr(connection, why)))
        going_on.set()
        await until(lambda: connection.is_idle and not getattr(connection, why))


# The timer between two requests


async def test_an_idle_connection_is_closed_after_its_patience() -> None:
    async with opened(plain, keep_alive=0.05) as (caller, _):
        assert await caller.ended(timeout=2) == b""


async def test_one_that_somebody_uses_is_not_until_the_pause_after_that() -> None:
    async with opened(plain, keep_alive=0.1) as (caller, connection):
        connection.used = True
        with pytest.raises(TimeoutError):
            await caller.ended(timeout=0.4)
        connection.used = False
        began = connection.loop.time()
        connection.begin_pause()
        assert await caller.ended(timeout=2) == b""
        assert connection.loop.time() - began >= 0.1


async def test_a_pause_that_begins_again_lasts_its_whole_time() -> None:
    async with opened(plain, keep_alive=0.2) as (caller, connection):
        for _ in range(4):
            await asyncio.sleep(0.1)
            connection.begin_pause()
        assert connection.is_idle
        assert await caller.ended(timeout=2) == b""


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.001)


# Nobody else


def modules() -> Iterator[str]:
    """Those that speak of aiohttp, but for the one that knows it."""
    root = Path(gateway.__path__[0])
    for file in sorted(root.rglob("*.py")):
        if "aiohttp" in file.read_text() and file != Path(aiohttp_inside.__file__):
            yield ".".join(file.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")


def knows(module: str) -> Iterator[str]:
    """Private names of aiohttp's that classes of a module use or replace."""
    found = importlib.import_module(module)
    for _, made in inspect.getmembers(found, inspect.isclass):
        theirs = [base for base in made.__mro__ if base.__module__.startswith("aiohttp.")]
        if made.__module__ != module or not theirs:
            continue
        private = {name for base in theirs for name in (*vars(base), *slots(base)) if is_private(name)}
        tree = ast.parse(inspect.getsource(made))
        said = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} | set(vars(made))
        yield from (f"{made.__name__}.{name}" for name in said & private - {"_abc_impl"})


def slots(made: type) -> tuple[str, ...]:
    return tuple(getattr(made, "__slots__", ()))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


@pytest.mark.parametrize("module", list(modules()))
def test_no_other_module_knows_how_aiohttp_is_made(module: str) -> None:
    assert not list(knows(module))
    # The linter finds what is not a subclass's own; it must have nothing to overlook here.
    assert "SLF001" not in inspect.getsource(importlib.import_module(module))


def test_a_module_that_knows_would_be_found() -> None:
    assert set(knows("tests.test_aiohttp_inside")) == {"Knows._waiter", "Knows._process_keepalive"}


class Knows(Handler):
    """What no module of the gateway may hold."""

    def _process_keepalive(self) -> None:
        self._waiter = None
