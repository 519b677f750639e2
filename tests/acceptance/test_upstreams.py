"""Block I: what an upstream does wrong stays between it and the one caller, and looks like nothing else."""

import asyncio
import hashlib
import resource
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.addresses import SteadyResolver
from gateway.exchange import Flag
from gateway.upstreams import UpstreamOptions
from tests.certificates import Authority
from tests.fakes import FakeClock
from tests.servers import OK, ROUTE, RawCaller, Running, gateway, play, recording_upstream, request, then_close

GET = request("GET", "/next")
POST = request("POST", "/", body=b"hello")


def unused_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        return int(probing.getsockname()[1])


async def idle(running: Running) -> None:
    """Wait until every exchange has ended."""
    async with asyncio.timeout(2):
        while running.gateway.in_flight:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


@pytest.mark.case("C235")
async def test_an_upstream_that_refuses_is_a_bad_gateway_and_others_are_not() -> None:
    nobody = f"http://127.0.0.1:{unused_port()}"
    async with recording_upstream() as upstream, gateway(upstream.url) as good, gateway(nobody) as bad:
        reply = await bad.ask(POST)
        assert (reply.status, b'"upstream_unreachable"' in reply.body) == (502, True)
        assert bad.exchanges[0].flag is Flag.UPSTREAM_CONNECT
        assert (await good.ask(GET)).status == 200


@pytest.mark.case("C235")
async def test_an_upstream_that_does_not_accept_is_a_bad_gateway_in_time() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        options = UpstreamOptions(targets=(f"http://127.0.0.1:{full.getsockname()[1]}",), connect_timeout=0.2)
        async with gateway(options) as running:
            began = time.monotonic()
            assert (await running.ask(GET)).status == 502
            assert 0.1 < time.monotonic() - began < 1
        for each in waiting:
            each.close()


@pytest.mark.case("C235")
async def test_a_name_that_does_not_exist_is_a_bad_gateway() -> None:
    async with gateway("http://does-not-exist.invalid") as running:
        assert (await running.ask(GET)).status == 502


async def test_a_target_that_cannot_be_reached_is_passed_over_before_anything_is_sent() -> None:
    async with recording_upstream() as upstream:
        options = UpstreamOptions(targets=(f"http://127.0.0.1:{unused_port()}", upstream.url))
        async with gateway(options) as running:
            assert [(await running.ask(POST)).status for _ in range(6)] == [200] * 6
            assert len(upstream.requests) == 6


async def test_the_target_with_the_fewest_requests_is_asked() -> None:
    async with recording_upstream() as one, recording_upstream() as other:
        one.plays(play(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"))
        async with gateway(UpstreamOptions(targets=(one.url, other.url))) as running:
            streaming = await running.connect()
            streaming.send(GET)
            await one.until(lambda it: bool(it.requests))
            for _ in range(3):
                assert (await running.ask(GET)).status == 200
            assert (len(one.requests), len(other.requests)) == (1, 3)
            streaming.close()


async def test_targets_that_are_equally_free_take_turns() -> None:
    async with recording_upstream() as one, recording_upstream() as two, recording_upstream() as three:
        servers = (one, two, three)
        async with gateway(UpstreamOptions(targets=tuple(server.url for server in servers))) as running:
            assert [(await running.ask(GET)).status for _ in range(9)] == [200] * 9
            assert [len(server.requests) for server in servers] == [3, 3, 3]


async def test_more_requests_than_connections_wait_for_their_turn_and_are_all_answered() -> None:
    async with recording_upstream() as upstream:
        upstream.plays(play(0.01, OK))
        async with gateway(UpstreamOptions(targets=(upstream.url,), connections=3)) as running:
            replies = await asyncio.gather(*(running.ask(GET) for _ in range(30)))
            assert {reply.status for reply in replies} == {200}
            assert upstream.connections == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\n\r\nold",
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold",
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nold",
    ],
)
async def test_an_upstream_of_http_1_0_is_answered_for_in_1_1_and_gets_a_new_connection_each_time(
    answer: bytes,
) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(then_close(answer))
        caller = await running.connect()
        for _ in range(2):
            caller.send(GET)
            reply = await caller.reply()
            assert (reply.head[:12], reply.body, reply.complete) == (b"HTTP/1.1 200", b"old", True)
        assert upstream.connections == 2


async def test_trailers_and_interim_answers_of_an_upstream_reach_nobody() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie\r\n\r\n"
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(interim + head + b"2\r\nok\r\n0\r\nSet-Cookie: a=1\r\nX-A: b\r\n\r\n", OK)
        caller = await running.connect()
        caller.send(GET)
        async with asyncio.timeout(2):
            whole = await caller.reader.readuntil(b"0\r\n\r\n")
        assert (whole[:15], whole.endswith(b"\r\n\r\n2\r\nok\r\n0\r\n\r\n")) == (b"HTTP/1.1 200 OK", True)
        assert not any(word in whole for word in (b"100", b"103", b"Link", b"Cookie", b"railer", b"X-A"))
        caller.send(GET)
        assert (await caller.reply()).body == b"ok"
        assert upstream.connections == 1


@pytest.mark.case("C236")
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_changes_something_is_never_sent_twice(method: str) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        assert (await running.ask(GET)).status == 200
        upstream.plays(play(None))
        reply = await running.ask(request(method, "/", body=b"hello"))
        assert (reply.status, running.exchanges[-1].flag) == (502, Flag.UPSTREAM_RESET)
        assert [recorded.line.split()[0] for recorded in upstream.requests] == ["GET", method]
        # Nor without a body, and on a new connection.
        assert (await running.ask(request(method, "/"))).status == 502
        assert len(upstream.requests) == 3


@pytest.mark.case("C236")
async def test_a_get_is_sent_again_when_an_idle_connection_was_dead_and_only_then() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        assert (await running.ask(GET)).status == 200
        upstream.plays(play(None), OK)
        assert (await running.ask(GET)).status == 200
        assert (len(upstream.requests), running.exchanges[-1].retries) == (3, 1)
        upstream.hang_up()
        await upstream.until(lambda it: not it.open)
        upstream.plays(play(None), OK)
        assert (await running.ask(GET)).status == 502
        assert len(upstream.requests) == 4


@pytest.mark.case("C236")
async def test_a_get_with_a_body_or_an_answer_that_had_begun_is_not_sent_again() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        await running.ask(GET)
        upstream.plays(play(None), OK)
        assert (await running.ask(request("GET", "/", body=b"hello"))).status == 502
        upstream.plays(OK)
        await running.ask(GET)
        upstream.plays(then_close(b"HTTP/1.1 200 OK\r\nContent-"), OK)
        assert (await running.ask(GET)).status == 502
        assert len(upstream.requests) == 4


@pytest.mark.case("C238")
async def test_a_body_that_breaks_off_is_a_connection_that_breaks_off() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        for broken in (then_close(head, 0.05), play(head, 0.05, None)):
            upstream.plays(broken)
            reply = await running.ask(GET)
            assert (reply.status, reply.complete) == (200, False)
            await idle(running)
            assert running.exchanges[-1].flag is Flag.UPSTREAM_RESET


@pytest.mark.case("C239")
async def test_chunks_that_break_off_are_never_ended() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for tail in (b"5\r\n12345\r\n", b"5\r\n123", b"5\r\n12345\r\nzz\r\n"):
            upstream.plays(then_close(head + b"1\r\na\r\n", 0.05, tail, 0.05))
            caller = await running.connect()
            caller.send(GET)
            received = await caller.ended()
            assert b"0\r\n\r\n" not in received
            assert (await running.ask(GET)).complete is False


@pytest.mark.case("C240")
async def test_a_head_that_does_not_come_is_a_gateway_timeout() -> None:
    async with recording_upstream() as upstream:
        upstream.plays(play(5.0))
        async with gateway(UpstreamOptions(targets=(upstream.url,), response_timeout=0.2)) as running:
            for sent in (GET, POST):
                began = time.monotonic()
                reply = await running.ask(sent)
                assert (reply.status, running.exchanges[-1].flag) == (504, Flag.UPSTREAM_TIMEOUT)
                assert 0.15 < time.monotonic() - began < 1
            await upstream.until(lambda it: not it.open)


@pytest.mark.case("C240")
async def test_a_body_that_the_upstream_does_not_take_is_a_gateway_timeout() -> None:
    async with recording_upstream() as upstream:
        upstream.reads_body = False
        upstream.plays(play(5.0))
        async with gateway(UpstreamOptions(targets=(upstream.url,), response_timeout=0.3)) as running:
            caller = await running.connect()
            caller.send(request("POST", "/", "Content-Length: 50000000", body=b"a" * 30_000_000))
            assert (await caller.reply(timeout=5)).status == 504


@pytest.mark.case("C240")
async def test_a_body_that_stalls_breaks_off_and_one_that_flows_does_not() -> None:
    events = [step for number in range(6) for step in (b"data: %d\n\n" % number, 0.1)]
    async with recording_upstream() as upstream:
        upstream.plays(
            then_close(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", *events),
            play(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", 5.0),
        )
        async with gateway(UpstreamOptions(targets=(upstream.url,), idle_timeout=0.3)) as running:
            reply = await running.ask(GET)
            assert (reply.complete, reply.body.count(b"data:")) == (True, 6)
            reply = await running.ask(GET)
            assert (reply.body, reply.complete) == (b"12345", False)
            await idle(running)
            assert running.exchanges[-1].flag is Flag.UPSTREAM_TIMEOUT


@pytest.mark.case("C240")
async def test_an_event_is_passed_on_as_it_comes() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(play(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n", 5.0))
        caller = await running.connect()
        caller.send(GET)
        async with asyncio.timeout(1):
            await caller.reader.readuntil(b"data: 1\n\n")
        caller.close()
        await upstream.until(lambda it: bool(it.requests))


@pytest.mark.case("C242")
@pytest.mark.parametrize("pause", [0.0, 0.05])
@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", b"200 OK"), ("GET", b"204 No Content"), ("GET", b"304 Not Modified")]
)
async def test_a_body_where_none_may_be_reaches_nobody(method: str, status: bytes, pause: float) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(play(b"HTTP/1.1 " + status + b"\r\nContent-Length: 4\r\n\r\n", pause, b"evil"), OK)
        caller = await running.connect()
        caller.send(request(method, "/"))
        first = await caller.reply(method=method)
        assert first.status == int(status[:3])
        await asyncio.sleep(0.1)
        caller.send(GET)
        second = await caller.reply()
        assert (second.status, second.body) == (200, b"ok")
        assert upstream.connections == 2


@pytest.mark.case("C243")
@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked",
        b"Content-Length: 2\r\nContent-Length: 3",
        b"Content-Length: 2, 2",
        b"Content-Length: -2",
        b"Content-Length: x",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: chunked\r\nX: y\x00z",
        b"Transfer-Encoding: chunked\r\nX : y",
        b"Content-Length: 2\r\nX: a\x01b",
    ],
)
async def test_an_answer_whose_framing_is_not_sound_is_a_bad_gateway(head: bytes) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(play(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n2\r\nok\r\n0\r\n\r\n"), OK)
        reply = await running.ask(GET)
        assert (reply.status, running.exchanges[-1].flag) == (502, Flag.UPSTREAM_PROTOCOL)
        assert (await running.ask(GET)).body == b"ok"
        assert upstream.connections == 2


@pytest.mark.case("C243")
@pytest.mark.parametrize(
    "first", [b"junk\r\n\r\n", b"HTTP/2.0 200 OK\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"\x00" * 20]
)
async def test_what_is_no_answer_is_a_bad_gateway(first: bytes) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(then_close(first))
        assert (await running.ask(GET)).status == 502


@pytest.mark.case("C243")
async def test_an_upgrade_that_nobody_asked_for_is_a_bad_gateway() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")
        assert (await running.ask(GET)).status == 502


@pytest.mark.case("C245")
@pytest.mark.parametrize("lines", [b"X: " + b"a" * 9000, b"\r\n".join([b"X: a"] * 200), b"X: " + b"a" * 5_000_000])
async def test_a_head_that_is_too_large_is_a_bad_gateway_that_names_the_limit(lines: bytes) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(then_close(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n\r\n"))
        reply = await running.ask(GET)
        assert reply.status == 502
        assert b"8190 bytes a line or 128 lines" in reply.body


@pytest.mark.case("C246")
@pytest.mark.parametrize("pause", [0.0, 0.05])
@pytest.mark.parametrize("extra", [OK.replace(b"ok", b"EV"), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: ", b"junk"])
async def test_an_answer_that_nobody_asked_for_reaches_nobody(extra: bytes, pause: float) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(play(OK, pause, extra), OK)
        assert (await running.ask(GET)).body == b"ok"
        await asyncio.sleep(0.1)
        assert (await running.ask(GET)).body == b"ok"
        assert upstream.connections == 2


@pytest.mark.case("C246")
async def test_an_answer_behind_a_large_one_reaches_nobody() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        large = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"a" * 2_000_000
        upstream.plays(play(large + OK.replace(b"ok", b"EV")), OK)
        assert len((await running.ask(GET)).body) == 2_000_000
        await asyncio.sleep(0.05)
        assert (await running.ask(GET)).body == b"ok"


@pytest.mark.case("C247")
async def test_a_caller_that_leaves_takes_the_upstreams_connection_along() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(play(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\nsecret", 30.0))
        before = len(asyncio.all_tasks())

        async def leave(during_body: bool) -> None:
            caller = await running.connect()
            caller.send(GET)
            if during_body:
                await caller.reader.readuntil(b"secret")
            caller.close()

        for _ in range(50):
            await asyncio.gather(*(leave(number % 2 == 0) for number in range(20)))
        await upstream.until(lambda it: not it.open)
        await idle(running)
        upstream.plays(OK)
        assert (await running.ask(GET)).body == b"ok"
        assert {exchange.flag for exchange in running.exchanges[:-1]} == {Flag.CALLER_LEFT}
        upstream.hang_up()
        await upstream.until(lambda it: not it.open)
        async with asyncio.timeout(2):
            while len(asyncio.all_tasks()) > before:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)


@pytest.mark.case("C247")
async def test_a_caller_that_leaves_before_the_head_takes_the_request_along() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(play(30.0))
        for sent in (GET, request("POST", "/", "Content-Length: 10", body=b"12345")):
            caller = await running.connect()
            caller.send(sent)
            method = sent.split(b" ")[0].decode()
            await upstream.until(lambda it, m=method: bool(it.requests) and it.last.line.startswith(m))  # type: ignore[misc]
            caller.close()
            await idle(running)
        await upstream.until(lambda it: not it.open)


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def read_slowly(caller: RawCaller, total: int) -> str:
    digest, received = hashlib.sha256(), 0
    while received < total:
        piece = await caller.reader.read(65_536)
        assert piece
        digest.update(piece)
        received += len(piece)
    return digest.hexdigest()


@pytest.mark.case("C248")
async def test_a_large_body_passes_both_ways_unchanged_and_is_not_kept() -> None:
    size, block = 100_000_000, bytes(range(256)) * 4096
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        received = hashlib.sha256()

        async def echoes(_: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            left = size
            while left:
                piece = await reader.read(min(left, 262_144))
                received.update(piece)
                left -= len(piece)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            for start in range(0, size, len(block)):
                writer.write(block[: min(len(block), size - start)])
                await writer.drain()

        upstream.reads_body = False
        upstream.plays(echoes)
        caller = await running.connect()
        before = peak()
        sent = hashlib.sha256()
        caller.send(request("PUT", "/", f"Content-Length: {size}"))
        for start in range(0, size, len(block)):
            piece = block[: min(len(block), size - start)]
            sent.update(piece)
            caller.send(piece)
            await caller.writer.drain()
        async with asyncio.timeout(30):
            await caller.reader.readuntil(b"\r\n\r\n")
            assert await read_slowly(caller, size) == sent.hexdigest() == received.hexdigest()
        assert peak() - before < 32_000_000
        assert running.exchanges[0].bytes_in == size


@pytest.mark.case("C249")
async def test_a_slow_reader_slows_the_upstream_and_nobody_else() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        written = 0

        async def pours(_: object, __: object, writer: asyncio.StreamWriter) -> None:
            nonlocal written
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            while True:
                writer.write(b"a" * 65_536)
                await writer.drain()
                written += 65_536

        upstream.plays(pours, OK)
        before = peak()
        slow = RawCaller(*await asyncio.open_connection("127.0.0.1", running.port, limit=1024))
        slow.send(GET)
        async with asyncio.timeout(5):
            last = -1
            while written != last or not written:
                last = written
                await asyncio.sleep(0.3)
        assert written < 50_000_000
        assert peak() - before < 32_000_000
        assert (await running.ask(GET)).body == b"ok"
        slow.close()
        await upstream.until(lambda it: it.open <= 1)


@pytest.mark.case("C249")
async def test_an_upstream_that_takes_nothing_slows_the_caller_and_nobody_else() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.reads_body = False
        upstream.plays(play(30.0), OK)
        before, written = peak(), 0
        caller = await running.connect()
        caller.send(request("PUT", "/", "Content-Length: 1000000000"))
        with suppress(TimeoutError):
            while written < 100_000_000:
                caller.send(b"a" * 65_536)
                async with asyncio.timeout(0.5):
                    await caller.writer.drain()
                written += 65_536
        assert written < 50_000_000
        assert peak() - before < 32_000_000
        assert (await running.ask(GET)).body == b"ok"


@pytest.mark.case("C246")
@pytest.mark.parametrize("body", ["Content-Length: 200", "Transfer-Encoding: chunked"])
async def test_after_an_answer_before_the_end_of_the_request_neither_connection_is_used_again(body: str) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.reads_body = False
        caller = await running.connect()
        caller.send(request("POST", "/", body, body=b"3\r\nabc\r\n"))
        reply = await caller.reply()
        assert (reply.status, reply.body, reply.closes) == (200, b"ok", True)
        # The rest of the body would be a request of its own, to the upstream or to us.
        caller.send(request("GET", "/smuggled") * 3)
        assert (await running.ask(GET)).body == b"ok"
        assert await caller.ended() == b""
        assert [recorded.line.split()[:2] for recorded in upstream.requests] == [["POST", "/"], ["GET", "/next"]]
        assert upstream.connections == 2


async def test_connections_are_kept_for_a_while_and_never_ended_in_the_middle_of_an_answer() -> None:
    async with recording_upstream() as upstream:
        options = UpstreamOptions(targets=(upstream.url,), keep_alive=0.2)
        async with gateway(options) as running:
            upstream.plays(OK, play(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 0.9, b"k"), OK)
            for _ in range(2):
                assert (await running.ask(GET)).body == b"ok"
            assert upstream.connections == 1
            await upstream.until(lambda it: not it.open)
            assert (await running.ask(GET)).body == b"ok"
            assert upstream.connections == 2


@pytest.mark.case("C273")
async def test_what_is_under_way_when_the_gateway_drains_is_answered_and_then_all_connections_end() -> None:
    async with recording_upstream() as upstream:
        async with gateway(upstream.url) as running:
            assert (await running.ask(GET)).body == b"ok"
            upstream.plays(play(0.2, OK))
            caller = await running.connect()
            caller.send(GET)
            await upstream.until(lambda it: len(it.requests) == 2)
            running.gateway.drain()
            reply = await caller.reply()
            assert (reply.body, reply.closes, upstream.open) == (b"ok", True, 1)
        await upstream.until(lambda it: not it.open)


class ScriptedResolver(AbstractResolver):
    """Resolves every name as it is told, or fails."""

    def __init__(self) -> None:
        self.address: str | None = "127.0.0.1"

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        if self.address is None:
            raise OSError("NXDOMAIN")
        return [ResolveResult(hostname=host, host=self.address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        pass


@pytest.mark.case("C250")
async def test_the_last_good_addresses_outlive_a_failing_resolver() -> None:
    scripted = ScriptedResolver()
    steady = SteadyResolver(scripted)
    assert (await steady.resolve("h", 80))[0]["host"] == "127.0.0.1"
    scripted.address = None
    assert (await steady.resolve("h", 80))[0]["host"] == "127.0.0.1"
    with pytest.raises(OSError, match="NXDOMAIN"):
        await steady.resolve("other", 80)
    scripted.address = "127.0.0.2"
    assert (await steady.resolve("h", 80))[0]["host"] == "127.0.0.2"


@pytest.mark.case("C252")
async def test_the_callers_expectation_is_the_upstreams_to_answer() -> None:
    expecting = request("POST", "/", "Expect: 100-continue", "Content-Length: 5")
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        caller = await running.connect()
        caller.send(expecting)
        assert (await caller.reply()).head == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert upstream.last.header("expect") == ["100-continue"]
        caller.send(b"hello")
        assert (await caller.reply()).status == 200
        upstream.reads_body = False
        upstream.plays(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        reply = await running.ask(expecting)
        assert (reply.status, reply.closes) == (417, True)
        assert upstream.last.body == b""


@pytest.mark.case("C252")
async def test_an_upstream_that_ignores_the_expectation_gets_the_body_all_the_same() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:

        async def reads(recorded: object, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert await reader.readexactly(5) == b"hello"
            writer.write(OK)

        upstream.reads_body = False
        upstream.plays(reads)
        caller = await running.connect()
        caller.send(request("POST", "/", "Expect: 100-continue", "Content-Length: 5"))
        assert (await caller.reply()).status == 100
        caller.send(b"hello")
        assert (await caller.reply()).status == 200


@pytest.mark.case("C254")
async def test_when_no_target_is_left_the_answer_is_fast_and_the_first_probe_ends_it() -> None:
    clock = FakeClock()
    port = unused_port()
    async with gateway(UpstreamOptions(targets=(f"http://127.0.0.1:{port}",), failures=2), clock=clock) as running:
        assert [(await running.ask(GET)).status for _ in range(2)] == [502, 502]
        began = time.monotonic()
        reply = await running.ask(GET)
        assert time.monotonic() - began < 0.05
        assert (reply.status, reply.header("retry-after")) == (503, ["5"])
        assert running.exchanges[-1].flag is Flag.UPSTREAM_EJECTED
        clock.move(5)
        assert (await running.ask(GET)).status == 502
        assert (await running.ask(GET)).status == 503
        clock.move(5)
        server = await asyncio.start_server(_says_ok, "127.0.0.1", port)
        assert [(await running.ask(GET)).status for _ in range(2)] == [200, 200]
        server.close()


async def _says_ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    writer.close()


async def test_answers_of_500_eject_nobody() -> None:
    async with (
        recording_upstream() as upstream,
        gateway(UpstreamOptions(targets=(upstream.url,), failures=1)) as running,
    ):
        upstream.plays(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
        assert [(await running.ask(GET)).status for _ in range(3)] == [500] * 3


async def test_when_all_connections_are_taken_the_answer_is_503() -> None:
    async with recording_upstream() as upstream:
        upstream.plays(play(5.0))
        options = UpstreamOptions(targets=(upstream.url,), connections=1, connect_timeout=0.2)
        async with gateway(options) as running:
            caller = await running.connect()
            caller.send(GET)
            await upstream.until(lambda it: bool(it.requests))
            assert (await running.ask(GET)).status == 503
            caller.close()


@pytest.mark.case("C255")
@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nx:a \t\r\nContent-Length: 2\r\n\r\nok", 200),
        (b"HTTP/1.1 200 OK\nX: a\nContent-Length: 2\n\nok", 502),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok", 502),
        (b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\nok", 502),
        (b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok", 502),
    ],
)
async def test_what_a_lax_upstream_sends_is_written_strictly_or_not_at_all(raw: bytes, status: int) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(raw)
        reply = await running.ask(GET)
        assert reply.status == status
        assert reply.head.count(b"\n") == reply.head.count(b"\r\n") == reply.head.count(b"\r")
        assert not any(line[:1] in {b" ", b"\t"} for line in reply.head.split(b"\r\n"))


def listening(authority: Authority, names: list[str | None]) -> ssl.SSLContext:
    """TLS of an upstream that notes for which name it was asked."""
    tls = authority.issue("api.example.com").serve()
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    return tls


@pytest.mark.case("C232")
async def test_tls_asks_for_the_name_in_host_and_connections_are_not_shared_between_names(tmp_path: Path) -> None:
    authority, names = Authority(tmp_path), list[str | None]()
    async with recording_upstream(listening(authority, names)) as upstream:
        options = UpstreamOptions(targets=(upstream.url,), host="caller", ca_file=str(authority.file))
        async with gateway(options) as running:
            for _ in range(2):
                assert (await running.ask(request("GET", "/"))).status == 200
            # Its certificate is for another name.
            assert (await running.ask(request("GET", "/", host="other.example.com"))).status == 502
            assert names == ["api.example.com", "other.example.com"]
            assert {value for recorded in upstream.requests for value in recorded.header("host")} == {"api.example.com"}


async def test_an_upstream_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    async with recording_upstream(Authority(tmp_path).issue().serve()) as upstream, gateway(upstream.url) as running:
        assert (await running.ask(GET)).status == 502
        assert not upstream.requests


async def test_an_upstream_may_ask_for_our_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours = authority.issue("gateway")
    async with recording_upstream(authority.issue().serve(client_ca=authority.file)) as upstream:
        options = UpstreamOptions(
            targets=(upstream.url,),
            ca_file=str(authority.file),
            certificate_file=str(ours.certificate),
            key_file=str(ours.key),
        )
        async with gateway(options) as running:
            assert (await running.ask(GET)).status == 200


async def test_compressed_answers_redirects_and_cookies_are_the_callers_business() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, replace(ROUTE, name="r")) as running:
        upstream.plays(
            b"HTTP/1.1 302 Found\r\nLocation: http://other/\r\nSet-Cookie: a=1\r\nContent-Encoding: gzip\r\n"
            b"Content-Length: 4\r\n\r\njunk"
        )
        for _ in range(2):
            reply = await running.ask(request("GET", "/", "Accept: text/html"))
            assert (reply.status, reply.body) == (302, b"junk")
            names = {name.lower() for name, _ in upstream.last.headers}
            assert not names & {"cookie", "user-agent", "accept-encoding", "content-type"}


def test_the_library_is_recent_enough() -> None:
    assert tuple(int(part) for part in aiohttp.__version__.split(".")[:3]) >= (3, 14, 3)
