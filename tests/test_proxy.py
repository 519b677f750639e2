"""Forwarding what was allowed: streams, WebSockets, forms, and the end of a token."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from gateway.caller import Limits, Timeouts
from gateway.exchange import Flag
from gateway.policy import Allow, Decision, Deny, Request
from gateway.router import Route
from gateway.upstreams import UpstreamOptions
from tests.fakes import NOON, FakeClock
from tests.rfc.test_websocket import BINARY, TEXT, End, Frame, ends
from tests.servers import GOOD, ROUTE, Running, Says, bearer, gateway, play, recording_upstream, request

pytestmark = pytest.mark.usefixtures("lane")

GET = request("GET", "/next")
TOKEN = {"Authorization": f"Bearer {GOOD}"}
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """An upstream that speaks WebSocket."""
    server = web.Server(handler)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    finally:
        listener.close()
        await server.shutdown(0.1)


@asynccontextmanager
async def connected(running: Running, **options: object) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{running.port}/chat"
        async with session.ws_connect(url, **options) as socket:  # type: ignore[call-overload]  # passed on
            yield socket


class Echo:
    """Sends back what it gets, and remembers how it was asked and how it ended."""

    def __init__(self) -> None:
        self.request: web.BaseRequest | None = None
        self.closed: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def __call__(self, asked: web.BaseRequest) -> web.StreamResponse:
        self.request = asked
        socket = web.WebSocketResponse(protocols=("chat.v2",), max_msg_size=0)
        await socket.prepare(asked)
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data.startswith("close"):
                await socket.close(code=int(message.data.split()[1]), message=b"as told")
            elif message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        self.closed.set_result(socket.close_code)
        return socket


@pytest.mark.case("C212")
async def test_a_websocket_needs_a_token_and_carries_the_identity() -> None:
    echo = Echo()
    route = replace(ROUTE, chain=Says(decision=bearer, identity_headers=frozenset({"X-User"})))
    async with serving(echo) as url, gateway(url, route) as running:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            async with connected(running):
                pass
        assert refusal.value.status == 401
        assert echo.request is None
        async with connected(running, headers=TOKEN | {"X-User": "root"}, protocols=("chat.v1", "chat.v2")) as socket:
            await socket.send_str("grüß dich")
            assert await socket.receive_str() == "grüß dich"
            await socket.send_bytes(b"\x00\xff")
            assert await socket.receive_bytes() == b"\x00\xff"
            assert socket.protocol == "chat.v2"
            assert "Server" not in socket._response.headers
            request_id = socket._response.headers["X-Request-Id"]
        assert echo.request is not None
        assert echo.request.headers.getall("X-User") == ["alice"]
        assert "Authorization" not in echo.request.headers
        assert "Sec-WebSocket-Extensions" not in echo.request.headers
        assert await echo.closed == 1000
    assert [(exchange.status, exchange.flag) for exchange in running.exchanges] == [
        (401, Flag.DENIED),
        (101, Flag.NONE),
    ]
    assert running.exchanges[1].request_id == request_id


@pytest.mark.case("C212")
async def test_either_sides_close_code_reaches_the_other() -> None:
    echo = Echo()
    async with serving(echo) as url, gateway(url) as running:
        async with connected(running, autoclose=False) as socket:
            await socket.send_str("close 4001")
            message = await socket.receive()
            assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 4001, "as told")
        assert await echo.closed == 4001
        echo.closed = asyncio.get_running_loop().create_future()
        async with connected(running) as socket:
            await socket.close(code=4002)
        assert await echo.closed == 4002


@pytest.mark.case("C212")
async def test_pings_go_all_the_way() -> None:
    echo = Echo()
    async with serving(echo) as url, gateway(url) as running, connected(running, autoping=False) as socket:
        await socket.ping(b"hello")
        message = await socket.receive()
        assert (message.type, message.data) == (WSMsgType.PONG, b"hello")


async def test_a_message_above_the_limit_ends_the_socket() -> None:
    echo = Echo()
    async with serving(echo) as url, gateway(url, limits=Limits(message=1000)) as running:
        async with connected(running) as socket:
            await socket.send_str("a" * 999)
            assert len(await socket.receive_str()) == 999
            await socket.send_str("a" * 1001)
            message = await socket.receive()
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1009)
        assert await echo.closed == 1009


@pytest.mark.case("C247")
async def test_a_websocket_whose_caller_vanishes_is_closed_upstream() -> None:
    echo = Echo()
    async with serving(echo) as url, gateway(url) as running, connected(running) as socket:
        await socket.send_str("here")
        await socket.receive_str()
        connection = socket._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.abort()
        async with asyncio.timeout(3):
            assert await echo.closed in {1001, 1006, 1011}


@pytest.mark.case("C213")
@pytest.mark.parametrize("status", [200, 403])
async def test_an_upstream_that_declines_a_websocket_is_believed(status: int) -> None:
    async def declines(asked: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, text="no", headers={"X-Why": "closed"})

    async with serving(declines) as url, gateway(url) as running:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            async with connected(running):
                pass
        assert refusal.value.headers is not None
        assert (refusal.value.status, refusal.value.headers["X-Why"]) == (status, "closed")
        assert running.exchanges[0].upstream_status == status


async def test_a_websocket_to_nobody_is_a_bad_gateway() -> None:
    async with gateway("http://127.0.0.1:1") as running:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            async with connected(running):
                pass
        assert refusal.value.status == 502


async def test_a_websocket_counts_among_the_requests_of_its_target() -> None:
    echo = Echo()
    async with (
        serving(echo) as url,
        recording_upstream() as other,
        gateway(UpstreamOptions(targets=(url, other.url))) as running,
        connected(running) as socket,
    ):
        await socket.send_str("here")
        assert await socket.receive_str() == "here"
        assert [(await running.ask(GET)).status for _ in range(3)] == [200] * 3
        assert len(other.requests) == 3


async def test_subprotocols_that_nobody_speaks_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    echo = Echo()
    offered = ("bearer.s3cret",)
    async with serving(echo) as url, gateway(url) as running, connected(running, protocols=offered) as socket:
        assert socket.protocol is None
        await socket.send_str("x")
        await socket.receive_str()
    gateways_own = [record for record in caplog.records if "s3cret" in record.getMessage()]
    # The upstream of this test is aiohttp too, and logs the offer once.
    assert len(gateways_own) <= 1


@pytest.mark.case("C274")
async def test_a_stop_closes_websockets() -> None:
    echo = Echo()
    async with serving(echo) as url, gateway(url) as running, connected(running, autoclose=False) as socket:
        await socket.send_str("here")
        await socket.receive_str()
        await running.gateway.shutdown(0.1)
        assert (await socket.receive()).type in {WSMsgType.CLOSE, WSMsgType.CLOSED}
        assert running.exchanges[0].flag in {Flag.DRAINED, Flag.CALLER_LEFT}


def until(seconds: float) -> Says:
    return Says(decision=Allow(valid_until=NOON + seconds))


async def test_a_stream_ends_with_its_token() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, replace(ROUTE, chain=until(1))) as running:
        upstream.plays(play(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 9.0))
        reply = await running.ask(GET)
        assert (reply.body, reply.complete) == (b"hello", False)
        await upstream.until(lambda it: not it.open)
        assert running.exchanges[0].flag is Flag.TOKEN_ENDED


async def test_an_answer_that_ends_in_time_is_not_cut() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, replace(ROUTE, chain=until(-5))) as running:
        upstream.plays(play(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 0.1, b"k"))
        reply = await running.ask(GET)
        assert (reply.body, reply.complete) == (b"ok", True)
        assert running.exchanges[0].flag is Flag.NONE


async def test_a_websocket_ends_with_its_token() -> None:
    echo = Echo()
    async with serving(echo) as url, gateway(url, replace(ROUTE, chain=until(1))) as running:
        async with connected(running, autoclose=False) as socket:
            message = await socket.receive()
            assert (message.type, message.data, message.extra) == (WSMsgType.CLOSE, 1008, "token ended")
        assert await echo.closed == 1008
        async with asyncio.timeout(3):
            while not running.exchanges:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        assert running.exchanges[0].flag is Flag.TOKEN_ENDED


@asynccontextmanager
async def raw_tunnel(*routes: Route[str]) -> AsyncIterator[tuple[End, End, Running]]:
    """Both ends of a WebSocket, which read nothing unless they are told to."""
    async with ends(*routes) as (caller, upstream, running):
        for end in (caller, upstream):
            end.reader._limit = 1024  # type: ignore[attr-defined]  # what a reader takes of its own accord
        yield caller, upstream, running


async def pour(end: End) -> int:
    """Send messages until the other side takes no more; how many bytes that were."""
    octets = Frame(BINARY, b"\0" * 65_536).octets(end.masks)
    sent, before = 0, -1
    while sent != before:
        before = sent
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                while sent < 50_000_000:
                    end.writer.write(octets)
                    await end.writer.drain()
                    sent += 65_536
    return sent


@pytest.mark.case("C249")
@pytest.mark.parametrize("direction", ["to the upstream", "to the caller"])
async def test_neither_end_of_a_websocket_is_sent_faster_than_it_takes(direction: str) -> None:
    async with raw_tunnel() as (caller, upstream, _):
        source, sink = (caller, upstream) if direction == "to the upstream" else (upstream, caller)
        poured = await pour(source)
        assert poured < 30_000_000
        # The other way is free meanwhile.
        sink.send(Frame(TEXT, b"still here"))
        assert await source.receive() == (TEXT, b"still here")
        for _ in range(poured // 65_536):
            assert len((await sink.receive())[1]) == 65_536


@pytest.mark.parametrize("direction", ["to the upstream", "to the caller"])
async def test_a_websocket_ends_with_its_token_whoever_takes_nothing(direction: str) -> None:
    async with raw_tunnel(replace(ROUTE, chain=until(1))) as (caller, upstream, running):
        source, sink = (caller, upstream) if direction == "to the upstream" else (upstream, caller)
        pouring = asyncio.ensure_future(pour(source))
        async with asyncio.timeout(5):
            while not running.exchanges:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        assert running.exchanges[0].flag is Flag.TOKEN_ENDED
        (target,) = running.gateway.runtime.router.routes[0].upstream._targets
        assert target.tunnels == 0
        pouring.cancel()
        with suppress(ConnectionError):
            while await sink.reader.read(65_536):
                pass


async def test_a_websocket_may_be_silent_for_longer_than_any_answer() -> None:
    echo = Echo()
    async with serving(echo) as url:
        options = UpstreamOptions(targets=(url,), response_timeout=0.1, idle_timeout=0.1, keep_alive=0.1)
        async with (
            gateway(options, timeouts=Timeouts(head=0.1, body=0.1, keep_alive=0.1)) as running,
            connected(running) as socket,
        ):
            await asyncio.sleep(0.8)
            await socket.send_str("still here")
            assert await socket.receive_str() == "still here"


async def test_a_token_without_an_end_sets_no_timer() -> None:
    allow = Allow(valid_until=math.inf)
    async with (
        recording_upstream() as upstream,
        gateway(upstream.url, replace(ROUTE, chain=Says(decision=allow))) as running,
    ):
        upstream.plays(play(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 1.2, b"k"))
        assert (await running.ask(GET)).complete


def reads_token(request: Request) -> Decision:
    """A stand-in for a policy that takes tokens from forms and queries."""
    fields = request.form.getall("access_token", []) if request.form is not None else []
    if fields == [GOOD] or f"access_token={GOOD}" in request.query:
        return Allow(drop_parameters=frozenset({"access_token"}))
    return Deny(401, "token_missing", "No token was sent.")


FORM = replace(ROUTE, chain=Says(decision=reads_token, reads_form=True))
URLENCODED = "Content-Type: application/x-www-form-urlencoded"


async def test_a_policy_reads_a_form_and_the_upstream_gets_it_without_the_token() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, FORM) as running:
        body = b"a=%20+&access_token=good&b=\xc3\xa9"
        assert (await running.ask(request("POST", "/?x=1&access_token=q", URLENCODED, body=body))).status == 200
        assert (upstream.last.body, upstream.last.target) == (b"a=%20+&b=\xc3\xa9", "/?x=1")
        assert (await running.ask(request("POST", "/", URLENCODED, body=b"access_token=bad"))).status == 401
        assert len(upstream.requests) == 1


async def test_a_form_that_comes_in_chunks_or_is_asked_for_is_read_too() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, FORM) as running:
        body = b"11\r\naccess_token=good\r\n4\r\n&a=1\r\n0\r\n\r\n"
        assert (
            await running.ask(request("POST", "/", URLENCODED, "Transfer-Encoding: chunked", body=body))
        ).status == 200
        assert (upstream.last.body, upstream.last.header("content-length")) == (b"a=1", ["3"])
        caller = await running.connect()
        caller.send(request("POST", "/", URLENCODED, "Expect: 100-continue", "Content-Length: 17"))
        assert (await caller.reply()).status == 100
        caller.send(b"access_token=good")
        assert (await caller.reply()).status == 200
        assert upstream.last.body == b""


async def test_a_form_that_is_too_large_or_no_form_is_not_read() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, FORM) as running:
        assert (await running.ask(request("POST", "/", URLENCODED, "Content-Length: 65537"))).status == 413
        assert (await running.ask(request("POST", "/", URLENCODED, body=b"&".join([b"a"] * 1001)))).status == 400
        assert (await running.ask(request("POST", "/", URLENCODED, body=b"\xff"))).status == 400
        assert (
            await running.ask(request("POST", "/", "Content-Type: text/plain", body=b"access_token=good"))
        ).status == 401
        assert not upstream.requests


@pytest.mark.case("C014")
async def test_a_form_that_no_policy_reads_passes_through_unread() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        body = b"access_token=x&a=1"
        assert (await running.ask(request("POST", "/", URLENCODED, body=body))).status == 200
        assert upstream.last.body == body


@pytest.mark.case("C012")
async def test_a_dropped_query_parameter_is_not_forwarded() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, FORM) as running:
        assert (await running.ask(request("GET", "/a?access_token=good"))).status == 200
        assert (await running.ask(request("GET", "/a?b=%2f&access_token=good&c"))).status == 200
        assert [recorded.target for recorded in upstream.requests] == ["/a", "/a?b=%2f&c"]


@pytest.mark.case("C257")
@pytest.mark.parametrize("drip", [False, True])
async def test_a_body_that_stalls_or_drips_is_given_up(drip: bool) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, timeouts=Timeouts(body=0.3)) as running:
        caller = await running.connect()
        caller.send(request("POST", "/", "Content-Length: 1000", body=b"a"))

        async def drips() -> None:
            for _ in range(20):
                caller.send(b"a")
                await asyncio.sleep(0.05)

        dripping = asyncio.ensure_future(drips()) if drip else None
        reply = await caller.reply()
        assert (reply.status, reply.closes) == (408, True)
        assert running.exchanges[0].flag is Flag.CALLER_SLOW
        await upstream.until(lambda it: not it.open)
        assert not upstream.last.complete
        if dripping is not None:
            dripping.cancel()


async def test_a_body_that_flows_may_take_its_time() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, timeouts=Timeouts(body=0.3)) as running:
        caller = await running.connect()
        caller.send(request("POST", "/", "Content-Length: 8192"))
        for _ in range(4):
            await asyncio.sleep(0.2)
            caller.send(b"a" * 2048)
        assert (await caller.reply()).status == 200
        assert len(upstream.last.body) == 8192


async def test_an_answer_may_begin_before_the_request_has_ended() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, clock=FakeClock()) as running:

        async def echoes(_: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
            for _piece in range(2):
                writer.write(await reader.readexactly(5))

        upstream.reads_body = False
        upstream.plays(echoes)
        caller = await running.connect()
        caller.send(request("POST", "/", "Content-Length: 10", body=b"12345"))
        async with asyncio.timeout(1):
            head = await caller.reader.readuntil(b"12345")
        assert b"Connection: close" in head
        caller.send(b"67890")
        assert await caller.ended() == b"67890"


async def test_a_body_that_breaks_the_rules_ends_an_answer_that_has_begun() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.reads_body = False
        upstream.plays(play(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", 9.0))
        caller = await running.connect()
        caller.send(request("POST", "/", "Transfer-Encoding: chunked") + b"1\r\na\r\n")
        await caller.reader.readuntil(b"12345")
        caller.send(b"zz\r\n")
        assert await caller.ended() == b""
        await upstream.until(lambda it: not it.open)
        assert running.exchanges[0].flag is Flag.BAD_REQUEST
