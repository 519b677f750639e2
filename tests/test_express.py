"""The express lane: what takes it, what waits behind it, and the ways in which it could go wrong."""

import asyncio
import gc
from dataclasses import FrozenInstanceError, replace

import pytest

from gateway import connection
from gateway.caller import Limits, Timeouts
from gateway.exchange import Flag
from gateway.express import MOST_WAITING
from gateway.express_fields import Names
from gateway.express_head import read_plain
from gateway.express_request import plain_request
from gateway.headers import NO_NAMES
from gateway.policy import Allow, Decision, Request
from gateway.upstreams import UpstreamOptions
from tests.fakes import NOON, FakeClock
from tests.servers import (
    GOOD,
    OK,
    ROUTE,
    Running,
    Says,
    bearer,
    gateway,
    play,
    recording_upstream,
    request,
)

GET = request("GET", "/next")
ORDINARY = request("GET", "/%41")
TOKEN = f"Authorization: Bearer {GOOD}"
CHUNKED = request("POST", "/", "Transfer-Encoding: chunked", body=b"2\r\nhi\r\n0\r\n\r\n")
LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n" + b"a" * 30_000_000


async def idle(running: Running) -> None:
    """Wait until every exchange has ended."""
    async with asyncio.timeout(2):
        while running.gateway.in_flight:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "sent",
    [
        GET,
        request("GET", "/", TOKEN, "User-Agent: curl/8", "Accept: */*", "Connection: keep-alive"),
        request("GET", "/a.b/c~d?e=f&g", "Connection: close", "Cookie: a=b"),
        request("POST", "/", "Content-Type: application/json", body=b"{}"),
        request("HEAD", "/"),
        request("OPTIONS", "/", "Origin: https://a.example"),
    ],
)
async def test_a_common_request_takes_the_express_lane(sent: bytes) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        assert (await running.ask(sent)).status == 200
        assert running.gateway.expressed == 1
        assert len(running.exchanges) == 1


@pytest.mark.parametrize(
    "sent",
    [
        ORDINARY,
        CHUNKED,
        request("GET", "/", version="1.0"),
        request("GET", "/", "Expect: 100-continue"),
        request("GET", "/", "Connection: X-A"),
        request("GET", "/", "X_A: 1"),
        request("GET", "/", "X-A: \xe9"),
        request("GET", "/", "Transfer-Encoding: identity"),
        request("GET", "/", "Host: other"),
        request("GET", "/?a=%20"),
        request("GET", "/..;/"),
        request("GET", "/", "X-A: " + "a" * 8300),
        request("OPTIONS", "/", "Origin: a", "Access-Control-Request-Method: GET"),
        request("TRACE", "/"),
    ],
)
async def test_what_is_unusual_takes_the_ordinary_lane(sent: bytes) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        await running.ask(sent)
        assert running.gateway.expressed == 0
        assert len(running.exchanges) == 1


async def test_without_the_setting_there_is_no_express_lane() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=False) as running:
        await running.ask(GET)
        assert running.gateway.expressed == 0


async def test_a_connection_changes_lanes_with_each_request() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        caller = await running.connect()
        for sent in (GET, ORDINARY, ORDINARY, GET, GET):
            caller.send(sent)
            assert (await caller.reply()).status == 200
            await asyncio.sleep(0.01)
        assert running.gateway.expressed == 3


@pytest.mark.parametrize("lanes", ["ee", "oe", "eo", "eeooee", "oeoeoeoe", "e" * 50, "o" * 40 + "e" * 40])
async def test_requests_sent_at_once_are_answered_in_order(lanes: str) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        caller = await running.connect()
        kinds = {"e": "/e{}", "o": "/o%41{}"}
        caller.send(b"".join(request("GET", kinds[lane].format(number)) for number, lane in enumerate(lanes)))
        for _ in lanes:
            assert (await caller.reply()).body == b"ok"
        targets = [recorded.target for recorded in upstream.requests]
        assert targets == [kinds[lane].format(number).replace("%41", "A") for number, lane in enumerate(lanes)]


async def test_bodies_of_requests_sent_at_once_stay_with_their_requests() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        caller = await running.connect()
        for count in range(1, 5):
            caller.send(b"".join(request("POST", f"/{number}", body=b"%d" % number * 5) for number in range(count)))
            for _ in range(count):
                assert (await caller.reply()).status == 200
        assert all(recorded.body == recorded.target[1:].encode() * 5 for recorded in upstream.requests)
        assert running.gateway.expressed == len(upstream.requests) == 10


async def test_many_refused_requests_at_once_are_answered_one_after_the_other() -> None:
    route = replace(ROUTE, chain=Says(decision=bearer))
    async with recording_upstream() as upstream, gateway(upstream.url, route, express=True) as running:
        caller = await running.connect()
        caller.send(GET * 3000)
        for _ in range(3000):
            assert (await caller.reply()).status == 401
        assert running.gateway.expressed == 3000


async def test_what_waits_behind_a_request_is_bounded() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        upstream.plays(play(0.3, OK), OK)
        caller = await running.connect()
        caller.send(GET)
        await upstream.until(lambda it: bool(it.requests))
        caller.send(request("POST", "/", body=b"a" * 20_000_000))
        await asyncio.sleep(0.2)
        (lane,) = (each._express for each in running.gateway.connections)  # type: ignore[attr-defined]
        assert MOST_WAITING < len(lane._behind) < MOST_WAITING + 300_000
        assert [(await caller.reply(timeout=5)).status for _ in range(2)] == [200, 200]
        assert len(upstream.last.body) == 20_000_000


async def test_an_upstream_that_answers_before_the_body_has_ended_ends_both_connections() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        upstream.reads_body = False
        upstream.plays(play(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"))
        caller = await running.connect()
        caller.send(request("POST", "/", "Content-Length: 200", body=b"123"))
        reply = await caller.reply()
        assert (reply.status, reply.body, reply.closes) == (403, b"no", True)
        assert running.gateway.expressed == 1
        await upstream.until(lambda it: not it.open)
        # What comes late of the body is neither a request nor the beginning of another caller's.
        caller.send(b"4" * 157 + GET + GET)
        assert b"HTTP/1.1" not in await caller.ended()
        upstream.reads_body = True
        upstream.plays(OK)
        assert (await running.ask(GET)).status == 200
        assert [recorded.line for recorded in upstream.requests[1:]] == ["GET /next HTTP/1.1"]


async def test_the_timer_between_two_requests_lets_a_busy_connection_be() -> None:
    times = Timeouts(keep_alive=0.2)
    async with recording_upstream() as upstream, gateway(upstream.url, timeouts=times, express=True) as running:
        upstream.plays(play(0.7, OK), OK)
        caller = await running.connect()
        caller.send(GET)
        assert (await caller.reply()).status == 200
        for _ in range(4):
            await asyncio.sleep(0.1)
            caller.send(GET)
            assert (await caller.reply()).status == 200
        assert running.gateway.expressed == 5
        assert await caller.ended(timeout=1) == b""


@pytest.mark.case("C257")
@pytest.mark.parametrize("drips", [False, True])
async def test_a_body_that_does_not_come_in_time_is_answered_and_the_upstream_sees_an_abort(drips: bool) -> None:
    times = Timeouts(body=0.3)
    async with recording_upstream() as upstream, gateway(upstream.url, timeouts=times, express=True) as running:
        caller = await running.connect()
        caller.send(request("POST", "/", "Content-Length: 100", body=b"12345"))

        async def drip() -> None:
            while True:
                await asyncio.sleep(0.05)
                caller.send(b"6")

        dripping = asyncio.ensure_future(drip() if drips else asyncio.sleep(0))
        reply = await caller.reply()
        dripping.cancel()
        assert (reply.status, reply.closes, running.exchanges[0].flag) == (408, True, Flag.CALLER_SLOW)
        assert running.gateway.expressed == 1
        await upstream.until(lambda it: not it.open)
        assert not upstream.last.complete


async def test_an_answer_ends_with_the_token() -> None:
    clock = FakeClock()
    route = replace(ROUTE, chain=Says(decision=Allow(valid_until=NOON + 10)))
    async with recording_upstream() as upstream, gateway(upstream.url, route, clock=clock, express=True) as running:
        upstream.plays(play(b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n", 0.2, b"data: 2\n\n", 30.0))
        clock.move(9.9)
        caller = await running.connect()
        caller.send(GET)
        received = await caller.ended(timeout=4)
        assert b"data: 2" in received
        assert not received.endswith(b"0\r\n\r\n")
        assert running.exchanges[0].flag is Flag.TOKEN_ENDED


async def test_neither_side_is_faster_than_the_other() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        upstream.plays(LARGE)
        caller = await running.connect()
        caller.send(GET)
        await asyncio.sleep(0.3)
        (carrier,) = running.gateway.connections
        assert carrier.transport is not None
        assert carrier.transport.get_write_buffer_size() < 2_000_000
        assert len((await caller.reply(timeout=5)).body) == 30_000_000
        assert (await running.ask(GET)).status == 200
        assert running.gateway.expressed == 2


async def test_a_body_is_sent_as_fast_as_the_upstream_takes_it() -> None:
    async with recording_upstream() as upstream:
        upstream.reads_body = False
        upstream.plays(play(5.0))
        options = UpstreamOptions(targets=(upstream.url,), response_timeout=0.5)
        async with gateway(options, express=True) as running:
            caller = await running.connect()
            caller.send(request("POST", "/", "Content-Length: 50000000", body=b"a" * 30_000_000))
            reply = await caller.reply(timeout=5)
            assert (reply.status, reply.closes) == (504, True)
            assert running.gateway.expressed == 1
            assert running.exchanges[0].bytes_in < 20_000_000


async def later(request: Request) -> Decision:
    await asyncio.sleep(0.05)
    return bearer(request)


async def test_a_body_waits_for_a_decision_that_takes_time() -> None:
    route = replace(ROUTE, chain=Says(decision=later))
    async with recording_upstream() as upstream, gateway(upstream.url, route, express=True) as running:
        for size in (5, 3_000_000):
            caller = await running.connect()
            caller.send(request("POST", "/", TOKEN, body=b"a" * size) + request("POST", "/", body=b"b" * 5))
            assert [(await caller.reply()).status for _ in range(2)] == [200, 401]
            assert upstream.last.body == b"a" * size
        assert running.gateway.expressed == 4
        assert running.exchanges[0].bytes_in == 5


async def test_a_request_that_is_cut_off_at_once_leaves_nothing_unawaited(recwarn: pytest.WarningsRecorder) -> None:
    route = replace(ROUTE, chain=Says(decision=later))
    async with recording_upstream() as upstream, gateway(upstream.url, route, express=True) as running:
        await running.connect()
        await asyncio.sleep(0.01)
        (found,) = running.gateway.connections
        found.data_received(request("GET", "/", TOKEN))
        found.connection_lost(None)
        assert running.exchanges[0].flag is Flag.CALLER_LEFT
        await asyncio.sleep(0.1)
        gc.collect()
        assert not [each for each in recwarn if each.category is RuntimeWarning]
        assert not upstream.requests


@pytest.mark.parametrize("size", [10, 65_000, 70_000])
@pytest.mark.parametrize("pause", [0.0, 0.05])
async def test_what_is_left_of_a_refused_body_is_dropped_or_ends_the_connection(size: int, pause: float) -> None:
    route = replace(ROUTE, chain=Says(decision=bearer))
    async with recording_upstream() as upstream, gateway(upstream.url, route, express=True) as running:
        caller = await running.connect()
        caller.send(request("POST", "/", f"Content-Length: {size}"))
        await asyncio.sleep(pause)
        caller.send(b"a" * size + request("GET", "/", TOKEN))
        first = await caller.reply()
        assert first.status == 401
        if first.closes:
            assert size > 65_536
            assert b"HTTP/1.1" not in await caller.ended()
        else:
            assert (await caller.reply()).status == 200


async def test_the_rest_of_a_refused_body_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.express.LINGER", 0.1)
    route = replace(ROUTE, chain=Says(decision=bearer))
    async with recording_upstream() as upstream, gateway(upstream.url, route, express=True) as running:
        caller = await running.connect()
        caller.send(request("POST", "/", "Content-Length: 10"))
        assert (await caller.reply()).status == 401
        assert await caller.ended(timeout=2) == b""


async def test_a_caller_that_leaves_is_told_from_one_that_was_answered() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        upstream.plays(play(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1", 9.0))
        caller = await running.connect()
        caller.send(GET)
        await caller.reader.readuntil(b"1")
        caller.close()
        await upstream.until(lambda it: not it.open)
        await idle(running)
        assert running.exchanges[0].flag is Flag.CALLER_LEFT


async def test_more_requests_than_the_limit_are_left_to_the_ordinary_lane() -> None:
    async with (
        recording_upstream() as upstream,
        gateway(upstream.url, limits=Limits(requests_in_flight=1), express=True) as running,
    ):
        upstream.plays(play(0.2, OK))
        first = asyncio.ensure_future(running.ask(GET))
        await upstream.until(lambda it: bool(it.requests))
        assert (await running.ask(GET)).status == 503
        assert (await first).status == 200
        assert running.gateway.expressed == 1


async def test_a_connection_with_half_a_request_is_not_free() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        for half in (b"GET /half HT", ORDINARY + b"GET /half HT", b"\r\n", CHUNKED[:-5], CHUNKED + b"G"):
            caller = await running.connect()
            before = set(running.gateway.connections)
            caller.send(half)
            await asyncio.sleep(0.05)
            open_now = [each for each in before if each.transport is not None]
            assert not any(each.is_free for each in open_now if isinstance(each, connection.Connection))
            caller.close()
            await asyncio.sleep(0.02)


def test_the_facts_that_policies_are_given_are_the_usual_ones_and_cannot_be_changed() -> None:
    head = read_plain(request("GET", "/a?b", "X-A: 1"), Names(NO_NAMES), Limits())
    assert head is not None
    facts = plain_request(head, "api.example.com", "127.0.0.1", 5.0, "orders")
    usual = Request(
        method="GET",
        host="api.example.com",
        path="/a",
        query="b",
        headers=facts.headers,
        caller_ip="127.0.0.1",
        received_at=5.0,
        api="orders",
    )
    assert facts == usual
    assert type(facts) is Request
    assert replace(facts, principal=None) == usual
    with pytest.raises(FrozenInstanceError):
        facts.path = "/other"  # type: ignore[misc]  # that is what it is about
