"""Probes: what is asked, what is believed of the answer, and which requests follow from it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.client_tls import http_tls
from gateway.dial import Dial
from gateway.exchange import Exchange, Flag
from gateway.outgoing import UpstreamEjected
from gateway.probe import Probe, ProbeOptions
from gateway.sharing import Lease, Shared
from gateway.target import Target
from gateway.upstream_connection import Patience, UpstreamConnection
from gateway.upstreams import Upstream, UpstreamOptions
from tests.acceptance.test_upstreams import unused_port
from tests.certificates import Authority
from tests.fakes import FakeClock
from tests.servers import RecordingUpstream, gateway, play, recording_upstream, request

ILL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
WELL = b"HTTP/1.1 204 No Content\r\n\r\n"
GET = request("GET", "/next", "Authorization: Bearer s3cret", "Cookie: a=s3cret")


class Nobody:
    """Keeps no connection."""

    def opened(self, connection: UpstreamConnection) -> None:
        """Whoever asked for it has it."""

    def answered(self) -> None:
        """Nobody keeps count."""

    broke = answered
    take_back = forget = opened


class Pauses:
    """Stands in for sleep: everybody waits until the time is moved, and nobody longer than that."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []
        self._now = 0.0

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        ends: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._now + seconds, ends))
        await ends

    def move(self, seconds: float) -> None:
        """Let that much time pass."""
        self._now += seconds
        late = [each for each in self._waiting if each[0] <= self._now]
        self._waiting = [each for each in self._waiting if each[0] > self._now]
        for _, ends in late:
            if not ends.done():
                ends.set_result(None)


def dial(url: str, authority: Authority | None = None, connect: float = 1) -> Dial:
    tls = None if authority is None else http_tls(str(authority.file))
    patience = Patience(connect=connect, response=1, idle=1, keep_alive=1)
    return Dial(url, patience=patience, tls=tls, resolver=aiohttp.ThreadedResolver(), now=FakeClock().monotonic)


@asynccontextmanager
async def probed(**options: object) -> AsyncIterator[tuple[RecordingUpstream, Probe]]:
    async with recording_upstream() as server:
        server.plays(WELL)
        yield server, Probe(dial(server.url), ProbeOptions(path="/healthz?full=1", **options))  # type: ignore[arg-type]  # passed on


async def verdicts(probe: Probe, times: int) -> list[bool]:
    found = []
    for _ in range(times):
        await probe.look()
        found.append(probe.is_up)
    return found


async def test_a_probe_asks_for_its_path_and_nothing_else() -> None:
    async with probed() as (server, probe):
        await probe.look()
        head = f"GET /healthz?full=1 HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUser-Agent: tokenward\r\n\r\n"
        assert server.last.head == head.encode()


async def test_each_question_has_a_connection_of_its_own_that_ends_with_the_answer() -> None:
    async with probed() as (server, probe):
        server.plays(WELL, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234")
        for _ in range(2):
            await probe.look()
            await server.until(lambda it: not it.open)
        assert server.connections == 2


async def test_a_server_that_is_well_stays_up() -> None:
    async with probed() as (_, probe):
        assert await verdicts(probe, 3) == [True, True, True]


async def test_the_first_answer_counts_at_once_and_later_ones_in_a_row() -> None:
    async with probed(failures=3, successes=2) as (server, probe):
        server.plays(ILL, WELL, ILL, WELL, WELL, ILL, ILL, WELL, ILL, ILL, ILL)
        assert await verdicts(probe, 11) == [False] * 4 + [True] * 6 + [False]


@pytest.mark.parametrize(
    ("status", "statuses", "is_up"),
    [
        (b"200", ((200, 299),), True), (b"299", ((200, 299),), True), (b"300", ((200, 299),), False),
        (b"199", ((200, 299),), False), (b"404", ((200, 299), (404, 404)), True), (b"403", ((404, 404),), False),
    ],
)  # fmt: skip
async def test_the_status_says_whether_it_is_well(
    status: bytes, statuses: tuple[tuple[int, int], ...], is_up: bool
) -> None:
    async with probed(statuses=statuses, timeout=0.1) as (server, probe):
        server.plays(b"HTTP/1.1 " + status + b" X\r\nContent-Length: 0\r\n\r\n")
        assert await verdicts(probe, 1) == [is_up]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (play(b"junk\r\n\r\n"), "not an answer"),
        (play(None), "no answer"),
        (play(b"HTTP/1.1 200 OK\r\nX: "), "no answer in time"),
        (play(ILL), "answered 503"),
    ],
)
async def test_why_a_server_is_out_is_logged_once(answer: object, why: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.probe")
    async with probed(timeout=0.1) as (server, probe):
        server.plays(answer, answer, WELL, WELL)  # type: ignore[arg-type]  # one of those above
        assert await verdicts(probe, 4) == [False, False, True, True]
        await server.until(lambda it: not it.open)
        assert [record.getMessage() for record in caplog.records] == [
            f"{server.url} fails its probe, and gets no requests until it passes: {why}",
            f"{server.url} passes its probe, and gets requests again",
        ]


async def test_a_server_that_refuses_is_out() -> None:
    assert await verdicts(Probe(dial(f"http://127.0.0.1:{unused_port()}"), ProbeOptions(path="/")), 1) == [False]


async def test_tls_is_spoken_as_to_requests_for_the_name_that_they_use(tmp_path: Path) -> None:
    authority, names = Authority(tmp_path), list[str | None]()
    tls = authority.issue("api.example.com").serve()
    tls.sni_callback = lambda _socket, name, _context: names.append(name)
    async with recording_upstream(tls) as server:
        assert await verdicts(
            Probe(dial(server.url, authority), ProbeOptions(path="/", host="api.example.com")), 1
        ) == [True]
        assert (server.last.header("host"), names) == (["api.example.com"], ["api.example.com"])
        # Its certificate is not for this one.
        assert await verdicts(Probe(dial(server.url, authority), ProbeOptions(path="/")), 1) == [False]
        assert len(server.requests) == 1


async def test_servers_are_not_all_asked_at_once_and_each_is_asked_again_after_the_interval() -> None:
    pauses = Pauses()
    async with recording_upstream() as server:
        targets = tuple(f"http://127.0.0.{number}:{server.port}" for number in range(1, 9))
        options = UpstreamOptions(targets=targets, probe=ProbeOptions(path="/", interval=7))
        async with Upstream(options, FakeClock(), pause=pauses):
            await asyncio.sleep(0)
            first = tuple(pauses.asked)
            assert len(set(first)) == len(first) == 8
            assert all(0 <= pause < 7 for pause in first)
            for round_ in (1, 2):
                pauses.move(7)
                await server.until(lambda it, least=round_: len(it.requests) == least)  # type: ignore[misc]
                async with asyncio.timeout(1):
                    while len(pauses.asked) < 8 * (round_ + 1):  # noqa: ASYNC110 - nothing tells
                        await asyncio.sleep(0.005)
            assert set(pauses.asked[8:]) == {7}


@asynccontextmanager
async def two_servers() -> AsyncIterator[tuple[RecordingUpstream, RecordingUpstream]]:
    async with recording_upstream() as one, recording_upstream() as other:
        yield one, other


def options(*servers: RecordingUpstream, **more: object) -> UpstreamOptions:
    probe = ProbeOptions(path="/healthz", failures=1)
    return UpstreamOptions(targets=tuple(server.url for server in servers), probe=probe, **more)  # type: ignore[arg-type]  # passed on


def judge_of(upstream: Upstream, index: int) -> Probe:
    judge = upstream._targets[index]._judge
    assert isinstance(judge, Probe)
    return judge


@pytest.mark.usefixtures("lane")
@pytest.mark.case("C254")
async def test_a_target_that_fails_its_probe_gets_no_request_until_it_passes() -> None:
    async with two_servers() as (one, other), gateway(options(one, other)) as running:
        upstream = running.gateway.runtime.router.routes[0].upstream
        probe = judge_of(upstream, 0)
        one.plays(ILL)
        await probe.look()
        assert [(await running.ask(GET)).status for _ in range(3)] == [200] * 3
        assert [recorded.target for recorded in one.requests] == ["/healthz"]
        assert dict(upstream.health()) == {one.url: False, other.url: True}
        one.plays(WELL)
        await probe.look()
        assert (await running.ask(GET)).status == 204
        assert one.last.target == "/next"
        # Nothing of what callers send is in what we ask.
        asked = [recorded.head for recorded in one.requests if recorded.target == "/healthz"]
        assert len(asked) == 2
        assert not any(b"s3cret" in head for head in asked)


@pytest.mark.usefixtures("lane")
@pytest.mark.case("C254")
async def test_when_all_targets_fail_their_probes_the_answer_is_503_at_once_until_the_first_passes() -> None:
    async with two_servers() as (one, other), gateway(options(one, other)) as running:
        upstream = running.gateway.runtime.router.routes[0].upstream
        for server in (one, other):
            server.plays(ILL)
        for index in (0, 1):
            await judge_of(upstream, index).look()
        reply = await running.ask(GET)
        assert (reply.status, reply.header("retry-after")) == (503, ["5"])
        assert b'"upstream_unavailable"' in reply.body
        assert running.exchanges[-1].flag is Flag.UPSTREAM_EJECTED
        other.plays(WELL)
        await judge_of(upstream, 1).look()
        assert (await running.ask(GET)).status == 204
        assert [len(server.requests) for server in (one, other)] == [1, 3]


async def test_a_target_that_passes_its_probe_and_fails_requests_is_left_alone_all_the_same() -> None:
    clock = FakeClock()
    async with two_servers() as (one, other):
        only = UpstreamOptions(targets=(one.url,), probe=ProbeOptions(path="/"), failures=1)
        async with Upstream(only, clock) as upstream:
            target = upstream.choose()
            assert isinstance(target, Target)
            target.broke()
            await judge_of(upstream, 0).look()
            assert (upstream.choose(), dict(upstream.health())) == (None, {one.url: False})
            clock.move(5)
            assert upstream.choose() is target
        assert other.connections == 0


async def test_a_probe_does_not_wait_for_the_connections_of_requests() -> None:
    async with (
        recording_upstream() as server,
        Upstream(options(server, connections=1, connect_timeout=0.2), FakeClock()) as upstream,
    ):
        (target,) = upstream._targets
        busy = await target.lend()
        await judge_of(upstream, 0).look()
        assert (target.is_up, target.in_flight, len(server.requests)) == (True, 1, 1)
        busy.end()


async def test_upstreams_that_ask_in_the_same_way_share_what_is_known_and_the_next_configuration_keeps_it() -> None:
    shared = Shared()
    async with recording_upstream() as server:
        server.plays(ILL)
        one, next_, other = Lease(shared), Lease(shared), Lease(shared)
        async with Upstream(options(server), FakeClock(), share=one) as before:
            await judge_of(before, 0).look()
            async with Upstream(options(server, connect_timeout=9), FakeClock(), share=other) as changed:
                assert changed.choose() is not None
            after = Upstream(options(server), FakeClock(), share=next_)
            await after.__aenter__()
        await one.end()
        assert judge_of(after, 0) is judge_of(before, 0)
        with pytest.raises(UpstreamEjected):
            await after.open_websocket(None, Exchange(request_id="1", received_at=0), protocols=(), most=1)  # type: ignore[arg-type]  # it never gets that far
        await after.__aexit__()
        await next_.end()
        await other.end()
    assert list(shared) == []


async def test_a_certificate_that_was_renewed_begins_anew(tmp_path: Path) -> None:
    authority, shared = Authority(tmp_path), Lease(Shared())
    async with recording_upstream(authority.issue().serve()) as server:
        with_ca = options(server, ca_file=str(authority.file))
        async with Upstream(with_ca, FakeClock(), share=shared) as before:
            authority.file.write_bytes(authority.file.read_bytes() + Authority(tmp_path).file.read_bytes())
            async with Upstream(with_ca, FakeClock(), share=shared) as after:
                assert judge_of(after, 0) is not judge_of(before, 0)
    await shared.end()


async def test_the_end_of_an_upstream_ends_its_probes() -> None:
    async with recording_upstream() as server:
        before = len(asyncio.all_tasks())
        server.plays(play(9.0))
        async with Upstream(options(server), FakeClock(), pause=Pauses()):
            await asyncio.sleep(0)
            assert len(asyncio.all_tasks()) == before + 1
        assert len(asyncio.all_tasks()) == before
