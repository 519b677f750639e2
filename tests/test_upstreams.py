"""An upstream for whoever cannot wait, and at its end."""

import asyncio
import ssl
from pathlib import Path

import pytest

from gateway.exchange import Exchange
from gateway.outgoing import Outgoing, UpstreamBroke
from gateway.upstreams import Upstream, UpstreamOptions
from tests.certificates import Authority
from tests.fakes import FakeClock
from tests.servers import play, recording_upstream
from tests.test_target import ask

GET = Outgoing(method="GET", target="/", headers=[], host="api.example.com")


async def test_a_request_can_be_sent_and_answered_without_a_coroutine() -> None:
    async with (
        recording_upstream() as server,
        Upstream(UpstreamOptions(targets=(server.url,)), FakeClock()) as upstream,
    ):
        answer = await upstream.send(GET, Exchange(request_id="1", received_at=0))
        assert (await answer.read(), await answer.read()) == (b"ok", b"")
        target = upstream.choose()
        assert target is not None
        connection = target.take()
        assert connection is not None
        sink = ask(connection)
        assert await sink.done is None
        assert (sink.body, server.connections) == (b"ok", 1)


async def test_a_target_that_is_left_alone_is_not_chosen() -> None:
    clock = FakeClock()
    async with Upstream(UpstreamOptions(targets=("http://a",), failures=1), clock) as upstream:
        chosen = upstream.choose()
        assert chosen is not None
        chosen.breaker.failed()
        assert upstream.choose() is None
        clock.move(5)
        assert upstream.choose() is chosen


async def test_an_upstream_that_is_closed_breaks_off_what_is_under_way_and_leaves_nothing() -> None:
    async with recording_upstream() as server:
        server.plays(play(9.0))
        async with Upstream(UpstreamOptions(targets=(server.url,)), FakeClock()) as upstream:
            sending = asyncio.ensure_future(upstream.send(GET, Exchange(request_id="1", received_at=0)))
            await server.until(lambda it: bool(it.requests))
        with pytest.raises(UpstreamBroke):
            await sending
        await server.until(lambda it: not it.open)


def test_an_encrypted_key_is_an_error_and_never_asked_for_at_the_terminal(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue().locked()
    options = UpstreamOptions(targets=("https://a",), certificate_file=str(pair.certificate), key_file=str(pair.key))
    with pytest.raises(ssl.SSLError):
        Upstream(options, FakeClock())
