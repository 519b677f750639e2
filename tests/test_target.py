"""The connections to one server: lent, taken back, bounded, and ended when nobody needs them."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.answer_parser import AnswerHead
from gateway.breaker import Breaker, State
from gateway.dial import Dial
from gateway.outgoing import UpstreamBroke, UpstreamEjected, UpstreamFailure, UpstreamRefused
from gateway.target import Target
from gateway.upstream_connection import Patience, UpstreamConnection
from tests.certificates import Authority
from tests.fakes import FakeClock
from tests.servers import RecordingUpstream, play, recording_upstream

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Waits:
    """A sink whose answer can be waited for."""

    def __init__(self) -> None:
        self.done: asyncio.Future[UpstreamFailure | None] = asyncio.get_running_loop().create_future()
        self.body = b""

    def head(self, head: AnswerHead) -> None:
        """Of no interest."""

    def piece(self, piece: bytes) -> None:
        self.body += piece

    def end(self) -> None:
        self.done.set_result(None)

    def failed(self, failure: UpstreamFailure) -> None:
        self.done.set_result(failure)

    def go_on(self) -> None:
        """No body is sent."""

    hold_body = resume_body = go_on


def ask(connection: UpstreamConnection) -> Waits:
    sink = Waits()
    connection.start(sink, GET)
    return sink


def target(
    origin: str, clock: FakeClock, *, most: int = 2, connect: float = 0.2, tls: ssl.SSLContext | None = None
) -> Target:
    dial = Dial(
        origin,
        patience=Patience(connect=connect, response=10, idle=20, keep_alive=30),
        tls=tls,
        resolver=aiohttp.ThreadedResolver(),
        now=clock.monotonic,
    )
    breaker = Breaker(clock, failures=2, cool_down=5)
    return Target(dial, breaker=breaker, most=most, now=clock.monotonic, is_used=lambda: None)


@asynccontextmanager
async def served(most: int = 2) -> AsyncIterator[tuple[RecordingUpstream, Target, FakeClock]]:
    """A server, a target in front of it, and the target's clock."""
    clock = FakeClock()
    async with recording_upstream() as upstream:
        opened = target(upstream.url, clock, most=most)
        yield upstream, opened, clock
        opened.end()


async def test_the_connection_that_was_used_last_is_taken_first_and_at_once() -> None:
    async with served() as (upstream, lender, _):
        assert lender.take() is None
        first, second = await lender.lend(), await lender.lend()
        for connection in (first, second):
            assert await ask(connection).done is None
        assert [lender.take(), lender.take(), lender.take()] == [second, first, None]
        assert upstream.connections == 2


async def test_what_a_target_has_in_flight_is_known() -> None:
    async with served() as (upstream, lender, _):
        upstream.plays(play(9.0))
        busy = ask(await lender.lend())
        assert lender.in_flight == 1
        lender.end()
        assert isinstance(await busy.done, UpstreamBroke)
        assert lender.in_flight == 0


async def test_no_more_connections_are_made_than_there_may_be() -> None:
    async with served(most=1) as (upstream, lender, _):
        connection = await lender.lend()
        with pytest.raises(UpstreamEjected):
            await lender.lend()
        waiting = asyncio.ensure_future(lender.lend())
        await asyncio.sleep(0)
        assert await ask(connection).done is None
        assert await waiting is connection
        assert upstream.connections == 1


async def test_whoever_waits_may_give_up_without_harm_to_the_next() -> None:
    async with served(most=1) as (_, lender, __):
        connection = await lender.lend()
        impatient, patient = (asyncio.ensure_future(lender.lend()) for _ in range(2))
        await asyncio.sleep(0)
        lender.take_back(connection)
        # Its turn has come, and it does not take it.
        impatient.cancel()
        assert await patient is connection
        assert lender.in_flight == 1


@pytest.mark.case("C236")
async def test_a_new_connection_is_new_though_others_are_idle() -> None:
    async with served(most=1) as (upstream, lender, _):
        idle = await lender.lend()
        assert await ask(idle).done is None
        assert await lender.lend_new() is not idle
        await upstream.until(lambda it: it.connections == 2)
        assert lender.in_flight == 1


async def test_a_connection_that_the_upstream_gives_up_is_forgotten() -> None:
    async with served() as (upstream, lender, _):
        assert await ask(await lender.lend()).done is None
        assert lender.is_in_use
        upstream.hang_up()
        await upstream.until(lambda it: not it.open)
        async with asyncio.timeout(1):
            while lender.is_in_use:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.005)
        assert lender.take() is None


async def test_an_idle_connection_ends_in_time_and_one_in_use_does_not() -> None:
    async with served() as (upstream, lender, clock):
        upstream.plays(play(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", 0.1, b"k"))
        idle, busy = await lender.lend(), await lender.lend()
        assert await ask(idle).done is None
        clock.move(29.9)
        lender.sweep()
        sink = ask(busy)
        clock.move(0.1)
        lender.sweep()
        assert (idle.usable, lender.take()) == (False, None)
        assert (await sink.done, sink.body) == (None, b"ok")
        assert lender.take() is busy


async def refused(lender: Target) -> None:
    with pytest.raises(UpstreamRefused):
        await lender.lend()


@pytest.mark.case("C235", "C254")
async def test_a_target_that_refuses_is_left_alone_after_a_while() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        lender = target(f"http://127.0.0.1:{bound.getsockname()[1]}", FakeClock())
        states = []
        for _ in range(2):
            await refused(lender)
            states.append(lender.breaker.state)
        assert states == [State.CLOSED, State.OPEN]
        assert lender.in_flight == 0


async def test_what_changes_is_logged_once_and_not_with_each_failure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.target")
    lender = target("http://a:1", FakeClock())
    for _ in range(4):
        lender.broke()
    assert not lender.is_up
    for _ in range(2):
        lender.answered()
    assert lender.is_up
    assert [record.getMessage() for record in caplog.records] == [
        "http://a:1 is left alone for a while: it failed several times in a row",
        "http://a:1 answers again",
    ]


@pytest.mark.case("C235")
@pytest.mark.parametrize("name", ["does-not-exist.invalid", "a" * 64 + ".invalid"])
async def test_a_name_that_is_none_is_refused(name: str) -> None:
    await refused(target(f"http://{name}", FakeClock(), connect=2))


@pytest.mark.case("C235")
async def test_a_tls_handshake_that_does_not_end_is_given_up() -> None:
    async with recording_upstream() as upstream:
        lender = target(upstream.url.replace("http", "https"), FakeClock(), tls=ssl.create_default_context())
        await refused(lender)
        await upstream.until(lambda it: not it.open)


@pytest.mark.case("C232")
async def test_a_connection_is_lent_for_its_own_server_name_only_and_makes_way_for_another(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = ssl.create_default_context(cafile=str(authority.file))
    async with recording_upstream(authority.issue("*.example.com").serve()) as upstream:
        lender = target(upstream.url, FakeClock(), tls=tls, most=1, connect=2)
        first = await lender.lend("a.example.com")
        assert await ask(first).done is None
        assert [lender.take(), lender.take("b.example.com")] == [None, None]
        second = await lender.lend("b.example.com")
        assert await ask(second).done is None
        assert (first.usable, lender.take("a.example.com"), lender.take("b.example.com")) == (False, None, second)
        lender.end()
