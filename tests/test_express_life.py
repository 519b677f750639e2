"""The express lane while the gateway is reloaded, drains and ends."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import cast

import pytest

from gateway.exchange import Flag
from tests.acceptance import test_operation as operation
from tests.servers import OK, Serving, gateway, play, recording_upstream, request

GET = request("GET", "/next")


@pytest.mark.case("C273", "C274")
async def test_the_end_waits_for_requests_and_cuts_those_that_take_too_long() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        upstream.plays(play(0.3, OK), play(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 9.0))
        short = asyncio.ensure_future(running.ask(GET))
        await upstream.until(lambda it: len(it.requests) == 1)
        long = asyncio.ensure_future(running.ask(GET))
        await upstream.until(lambda it: len(it.requests) == 2)
        assert running.gateway.in_flight_by_route() == {"all": 2}
        await asyncio.sleep(0.05)
        running.gateway.drain()
        async with asyncio.timeout(3):
            await running.gateway.end(0.6)
        reply = await short
        assert (reply.complete, reply.closes) == (True, True)
        assert not (await long).complete
        assert [exchange.flag for exchange in running.exchanges] == [Flag.NONE, Flag.DRAINED]
        assert running.gateway.expressed == 2


@pytest.mark.case("C273", "C274")
async def test_the_shutdown_of_every_connection_waits_for_requests_on_the_express_lane() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        upstream.plays(play(0.3, OK), play(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 9.0))
        replies = []
        for count in (1, 2):
            replies.append(asyncio.ensure_future(running.ask(GET)))
            await upstream.until(lambda it, count=count: len(it.requests) == count)  # type: ignore[misc]  # no default
        async with asyncio.timeout(3):
            await running.gateway.shutdown(0.6)
        assert [(await reply).complete for reply in replies] == [True, False]
        assert [exchange.flag for exchange in running.exchanges] == [Flag.NONE, Flag.DRAINED]
        assert running.gateway.expressed == 2


async def test_a_runtime_is_not_given_back_before_its_last_request() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        upstream.plays(play(0.2, OK))
        first = asyncio.ensure_future(running.ask(GET))
        await upstream.until(lambda it: bool(it.requests))
        old = running.gateway.runtime
        retiring = asyncio.ensure_future(cast("Awaitable[object]", running.gateway.swap(old)))
        await asyncio.sleep(0.05)
        assert not retiring.done()
        assert (await first).status == 200
        assert await retiring is old


async def test_a_reload_opens_or_closes_the_lane_for_the_next_request_of_every_connection() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=False) as running:
        caller = await running.connect()
        runtime = running.gateway.runtime
        taken, retiring = [], []
        for express in (False, True, True, False, True):
            retiring.append(running.gateway.swap(replace(cast("Serving", runtime), express=express)))
            caller.send(GET)
            assert (await caller.reply()).status == 200
            taken.append(running.gateway.expressed)
            await asyncio.sleep(0.01)
        assert taken == [0, 1, 2, 2, 3]
        await asyncio.gather(*retiring)


async def test_what_is_sent_to_the_program_under_load_takes_the_express_lane() -> None:
    async with recording_upstream() as upstream, gateway(upstream.url, express=True) as running:
        for sent in (
            operation.get("/orders", "a.b.c"),
            operation.get("/public"),
            operation.UPLOAD + 2 * operation.HALF,
        ):
            assert (await running.ask(sent)).status == 200
        assert running.gateway.expressed == 3
