"""The life of a request, and of the gateway that serves it."""

import asyncio
import json
import logging
from dataclasses import replace
from typing import cast

import pytest

from gateway import connection
from gateway.caller import Limits, Timeouts
from gateway.exchange import Flag
from gateway.policy import Allow, Decision, Deny, Principal, Request, Unavailable
from gateway.server import Gateway
from tests.fakes import NOON, FakeClock
from tests.servers import GOOD, ROUTE, Recorder, Says, Serving, bearer, gateway, play, recording_upstream, request

pytestmark = pytest.mark.usefixtures("lane")

GET = request("GET", "/next")
TOKEN = f"Authorization: Bearer {GOOD}"


def chain(decision: object) -> Says:
    """A chain that may also do what no policy should."""
    return Says(decision=cast("Decision", decision))


async def test_a_policy_gets_the_facts() -> None:
    seen: list[Request] = []

    def sees(request: Request) -> Decision:
        seen.append(request)
        return Allow()

    async with recording_upstream() as upstream, gateway(upstream.url, replace(ROUTE, chain=chain(sees))) as running:
        await running.ask(request("PUT", "/a%41?b=%20", "X-A: 1", "x-a: 2", host="API.example.com:80"))
    (facts,) = seen
    assert (facts.method, facts.host, facts.path, facts.query) == ("PUT", "api.example.com", "/aA", "b=%20")
    assert (facts.caller_ip, facts.received_at, facts.api) == ("127.0.0.1", NOON, "all")
    assert facts.headers.getall("X-A") == ["1", "2"]
    assert facts.form is None


async def test_a_decision_may_be_waited_for() -> None:
    async def later(request: Request) -> Decision:
        await asyncio.sleep(0)
        return bearer(request)

    async with recording_upstream() as upstream, gateway(upstream.url, replace(ROUTE, chain=chain(later))) as running:
        assert (await running.ask(GET)).status == 401
        assert not upstream.requests
        assert (await running.ask(request("GET", "/", TOKEN))).status == 200


async def test_a_refusal_is_a_problem_document_with_the_requests_id() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, replace(ROUTE, chain=chain(bearer))) as running:
        reply = await running.ask(GET)
        assert reply.header("www-authenticate") == ['Bearer realm="api"']
        assert reply.header("cache-control") == ["no-store"]
        document = json.loads(reply.body)
        assert (document["status"], document["code"]) == (401, "token_missing")
        assert [document["instance"]] == reply.header("x-request-id") == [running.exchanges[0].request_id]
        assert running.exchanges[0].flag is Flag.DENIED
        assert not reply.closes
        head = await running.ask(request("HEAD", "/"))
        assert (head.status, head.body) == (401, b"")
        assert int(head.header("content-length")[0]) > 0


async def raises_later(request: Request) -> Decision:
    raise Unavailable("The provider is down.", code="provider_unreachable", retry_after=7)


@pytest.mark.parametrize(
    "decision", [Unavailable("The provider is down.", code="provider_unreachable", retry_after=7), raises_later]
)
async def test_a_policy_that_cannot_say_never_lets_the_request_through(decision: object) -> None:
    async with (
        recording_upstream() as upstream,
        gateway(upstream.url, replace(ROUTE, chain=chain(decision))) as running,
    ):
        reply = await running.ask(GET)
        assert (reply.status, reply.header("retry-after")) == (503, ["7"])
        assert not upstream.requests
        assert (running.exchanges[0].result, running.exchanges[0].code) == ("unavailable", "provider_unreachable")
        assert running.exchanges[0].flag is Flag.UNAVAILABLE


async def breaks_later(request: Request) -> Decision:
    raise KeyError("oops")


async def says_yes(request: Request) -> bool:
    return True


@pytest.mark.parametrize(
    "decision",
    [ValueError("oops"), breaks_later, says_yes, lambda request: None, Deny(401, "c", "d", (("A\nB", "c"),))],
)
async def test_a_policy_that_breaks_never_lets_the_request_through(
    decision: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        recording_upstream() as upstream,
        gateway(upstream.url, replace(ROUTE, chain=chain(decision))) as running,
    ):
        reply = await running.ask(GET)
        assert (reply.status, json.loads(reply.body)["code"]) == (500, "internal_error")
        assert b"oops" not in reply.body
        assert not upstream.requests
        assert running.exchanges[0].flag is Flag.FAILED
        assert [record.getMessage() for record in caplog.records if record.exc_info] == ["a request failed"]
        assert (await running.ask(GET)).status == 500


async def test_what_happened_is_recorded() -> None:
    principal = Principal(provider="okta", client_id="mobile", subject="alice", scopes=frozenset(), claims={})
    allow = Allow(principal=principal, notes=(("cache", "hit"),), reported=(("rate-limit", "over"),))
    async with recording_upstream() as upstream, gateway(upstream.url, replace(ROUTE, chain=chain(allow))) as running:
        await running.ask(request("POST", "/a?secret", "User-Agent: test", body=b"hello"))
        (exchange,) = running.exchanges
        assert (exchange.method, exchange.host, exchange.path) == ("POST", "api.example.com", "/a")
        assert (exchange.route, exchange.api, exchange.upstream) == ("all", "all", upstream.url)
        assert (exchange.status, exchange.upstream_status, exchange.result, exchange.flag) == (
            200,
            200,
            "allow",
            Flag.NONE,
        )
        assert (exchange.provider, exchange.client_id, exchange.subject) == ("okta", "mobile", "alice")
        assert (exchange.notes, exchange.reported) == ((("cache", "hit"),), (("rate-limit", "over"),))
        assert (exchange.bytes_in, exchange.user_agent, exchange.received_at) == (5, "test", NOON)
        assert exchange.bytes_out > 2
        assert "secret" not in repr(exchange)


@pytest.mark.case("C311")
async def test_every_request_is_recorded_once() -> None:
    routes = [replace(ROUTE, path="/api", chain=chain(bearer))]
    async with recording_upstream() as upstream, gateway(upstream.url, *routes) as running:
        for sent in (
            request("GET", "/api", TOKEN),
            request("GET", "/api"),
            request("GET", "/none"),
            request("TRACE", "/api"),
            request("GET", "/.."),
            b"junk\r\n\r\n",
            request("GET", "/" + "a" * 9000),
        ):
            await running.ask(sent)
        assert [exchange.status for exchange in running.exchanges] == [200, 401, 404, 405, 400, 400, 414]
        assert all(exchange.code for exchange in running.exchanges[1:])
        assert len({exchange.request_id for exchange in running.exchanges}) == 7


async def test_a_route_that_does_not_take_a_method_says_which_it_takes() -> None:
    route = replace(ROUTE, methods=frozenset({"GET", "POST"}))
    async with recording_upstream() as upstream, gateway(upstream.url, route) as running:
        reply = await running.ask(request("PUT", "/"))
        assert (reply.status, reply.header("allow")) == (405, ["GET, POST"])


@pytest.mark.case("C267")
async def test_more_requests_than_the_limit_are_refused_and_the_others_finish() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, limits=Limits(requests_in_flight=1)) as running:
        upstream.plays(play(0.2, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        first = asyncio.ensure_future(running.ask(GET))
        await upstream.until(lambda it: bool(it.requests))
        refused = await running.ask(GET)
        assert (refused.status, refused.header("retry-after"), running.exchanges[0].flag) == (503, ["1"], Flag.SHED)
        assert (await first).status == 200
        assert (await running.ask(GET)).status == 200


@pytest.mark.case("C256")
@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: h\r\nX: "])
async def test_a_head_that_does_not_come_in_time_ends_the_connection(sent: bytes) -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, timeouts=Timeouts(head=0.2)) as running:
        for requests_before in (0, 1):
            caller = await running.connect()
            for _ in range(requests_before):
                caller.send(GET)
                await caller.reply()
            if not sent and requests_before:
                continue  # between two requests the patience is another one
            caller.send(sent)
            assert await caller.ended(timeout=1) == b""


@pytest.mark.case("C256")
async def test_a_head_that_drips_ends_the_connection_all_the_same() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, timeouts=Timeouts(head=0.2)) as running:
        caller = await running.connect()

        async def drips() -> None:
            for byte in GET * 5:
                caller.send(bytes([byte]))
                await asyncio.sleep(0.02)

        dripping = asyncio.ensure_future(drips())
        assert await caller.ended(timeout=1) == b""
        dripping.cancel()


async def test_a_request_that_takes_long_is_not_cut_by_the_patience_for_heads() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, timeouts=Timeouts(head=0.1)) as running:
        upstream.plays(play(0.4, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        caller = await running.connect()
        caller.send(GET + b"GET /half")
        assert (await caller.reply()).status == 200


async def test_an_idle_connection_ends_after_keep_alive() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, timeouts=Timeouts(keep_alive=0.2)) as running:
        caller = await running.connect()
        caller.send(GET)
        assert not (await caller.reply()).closes
        assert await caller.ended(timeout=1) == b""


async def test_connections_are_kept_and_used_again_on_both_sides() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        caller = await running.connect()
        for _ in range(3):
            caller.send(GET)
            assert (await caller.reply()).status == 200
        assert (upstream.connections, len(running.gateway.connections)) == (1, 1)


@pytest.mark.case("C269", "C272")
async def test_a_swapped_runtime_serves_what_begins_and_the_old_one_finishes_what_has_begun() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(play(0.2, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        old = cast("Serving", running.gateway.runtime)
        new = replace(old, router=type(old.router)([]))
        first = asyncio.ensure_future(running.ask(GET))
        await upstream.until(lambda it: bool(it.requests))
        retiring = asyncio.ensure_future(cast("asyncio.Future[object]", running.gateway.swap(new)))
        assert running.gateway.runtime is new
        assert (await running.ask(GET)).status == 404
        assert not retiring.done()
        assert (await first).status == 200
        assert await retiring is old


async def test_an_idle_runtime_is_given_back_at_once() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        old = running.gateway.runtime
        assert await running.gateway.swap(old) is old


@pytest.mark.case("C273")
async def test_a_draining_gateway_answers_and_ends_each_connection() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        caller = await running.connect()
        caller.send(GET)
        assert not (await caller.reply()).closes
        running.gateway.draining = True
        caller.send(GET)
        reply = await caller.reply()
        assert (reply.status, reply.closes) == (200, True)
        assert await caller.ended() == b""


@pytest.mark.case("C274")
async def test_a_shutdown_waits_for_requests_and_cuts_those_that_take_too_long() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        upstream.plays(
            play(0.2, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
            play(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 9.0),
        )
        short = asyncio.ensure_future(running.ask(GET))
        await upstream.until(lambda it: len(it.requests) == 1)
        long = asyncio.ensure_future(running.ask(GET))
        await upstream.until(lambda it: len(it.requests) == 2)
        async with asyncio.timeout(3):
            await running.gateway.shutdown(0.5)
        assert (await short).complete
        assert not (await long).complete
        assert {exchange.flag for exchange in running.exchanges} >= {Flag.NONE}
        assert len(running.exchanges) == 2


@pytest.mark.case("C139")
async def test_a_caller_that_leaves_while_a_policy_asks_ends_the_question() -> None:
    asked = asyncio.Event()
    ended = asyncio.Event()

    async def asks(request: Request) -> Decision:
        asked.set()
        try:
            await asyncio.sleep(9)
        finally:
            ended.set()
        return Allow()

    async with recording_upstream() as upstream, gateway(upstream.url, replace(ROUTE, chain=chain(asks))) as running:
        caller = await running.connect()
        caller.send(GET)
        await asked.wait()
        caller.close()
        async with asyncio.timeout(1):
            await ended.wait()
            while not running.exchanges:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        assert running.exchanges[0].flag is Flag.CALLER_LEFT
        assert not upstream.requests


async def test_a_gateway_needs_nothing_of_aiohttps_application() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url) as running:
        served = cast("Serving", running.gateway.runtime)
        assert isinstance(Gateway(served, Recorder(), FakeClock())(), connection.Connection)


@pytest.mark.case("C307")
async def test_no_token_is_in_a_log_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    route = replace(ROUTE, chain=chain(bearer))
    async with recording_upstream() as upstream, gateway(upstream.url, route) as running:
        for sent in (TOKEN, "Authorization: Bearer s3cret-s3cret", "Authorization : Bearer s3cret-s3cret"):
            await running.ask(request("GET", "/?access_token=s3cret-s3cret", sent))
        upstream.plays(play(None))
        await running.ask(request("POST", "/", TOKEN, "X: s3cret-s3cret"))
        assert "s3cret" not in caplog.text + repr(running.exchanges)
