"""Block K: reloads, ends, crashes, clocks and stores cost nobody a request, and never let one through."""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.demo.identity_provider import DemoProvider, run_identity_provider
from gateway.tasks import Tasks
from tests.fakes import NOON, FakeClock
from tests.gateways import (
    Config,
    Program,
    configuration,
    enforcement,
    free_port,
    program,
    served,
    until,
)
from tests.memory_group import memory_group
from tests.servers import RawCaller, RecordingUpstream, play, recording_upstream, request

NOBODY = "http://127.0.0.1:9"
HALF = b"half of it"
UPLOAD = request("POST", "/public", f"Content-Length: {2 * len(HALF)}")
GRACE = 2.0
"""Seconds that a process may take beyond its own times to end, on a machine that is busy."""
both = pytest.mark.parametrize("workers", [1, 2])


def get(path: str, token: str | None = None) -> bytes:
    return request("GET", path, *(() if token is None else (f"Authorization: Bearer {token}",)))


@dataclass
class World:
    """A gateway as a process, between a provider and an upstream."""

    provider: DemoProvider
    upstream: RecordingUpstream
    config: Config
    gateway: Program

    async def reload(self) -> int:
        """Put `config` in force; the status."""
        self.gateway.write(self.config)
        return (await self.gateway.operator.reload()).status

    async def under_way(self) -> RawCaller:
        """A connection whose request has arrived by half."""
        caller = await self.gateway.caller.raw()
        known = len(self.upstream.requests)
        caller.send(UPLOAD + HALF)
        await self.upstream.until(lambda upstream: len(upstream.requests) > known)
        return caller

    @property
    def workers(self) -> list[int]:
        """All but the admin process, which is started first."""
        return self.gateway.family()[1:]


@asynccontextmanager
async def world(folder: Path, **options: Any) -> AsyncIterator[World]:
    async with run_identity_provider() as provider, recording_upstream() as upstream:
        config = configuration(provider.issuer, upstream.url, **options)
        async with program(config, folder) as gateway:
            yield World(provider, upstream, config, gateway)


@dataclass
class Load:
    """Callers that keep asking what they know the answer to."""

    it: World
    expected: list[tuple[bytes, int]]
    answers: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    ends: bool = False

    async def ask(self) -> None:
        """One caller: on one connection, until it is told to leave it or loses it."""
        while not self.ends:
            try:
                caller = await self.it.gateway.caller.raw()
            except ConnectionError:
                self.refused += 1
                return
            try:
                await self._ask_on(caller)
            except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                self.lost += 1
            finally:
                caller.close()

    async def _ask_on(self, caller: RawCaller) -> None:
        closes = False
        while not closes and not self.ends:
            for sent, expected in self.expected:
                caller.send(sent)
                reply = await caller.reply(timeout=10)
                if not reply.complete:
                    raise ConnectionResetError("the answer broke off")
                self.answers[reply.status] += 1
                if reply.status != expected:
                    self.wrong.append(f"{reply.status} for {expected}: {reply.body!r}")
                if closes := reply.closes:
                    break

    async def have(self, count: int) -> None:
        """Wait until so many more were answered."""
        target = self.answers.total() + count

        async def are_answered() -> bool:
            return self.answers.total() >= target

        await until(are_answered)


@asynccontextmanager
async def load(it: World, callers: int = 6) -> AsyncIterator[Load]:
    """Valid, revoked and unknown tokens, and none, while the block runs."""
    good, signed, revoked = (it.provider.issue("shop", "orders.read", jwt=jwt) for jwt in (False, True, False))
    it.provider.revoke(revoked)
    expected = [
        (get("/orders", good), 200),
        (get("/orders", revoked), 401),
        (get("/orders", signed), 200),
        (get("/orders", it.provider.issue("shop", "nothing")), 403),
        (get("/orders"), 401),
        (get("/public"), 200),
    ]
    running, tasks = Load(it, expected), Tasks()
    asking = [tasks.start(running.ask()) for _ in range(callers)]
    try:
        await running.have(2 * len(expected) * callers)
        yield running
        running.ends = True
        async with asyncio.timeout(10):
            await asyncio.gather(*asking)
    finally:
        await tasks.close()


# Reload


@pytest.mark.case("C269")
@both
async def test_a_hundred_reloads_cost_nobody_a_request_and_change_no_verdict(workers: int, tmp_path: Path) -> None:
    async with world(tmp_path, workers=workers) as it, load(it) as callers:
        for number in range(100):
            # Every other one replaces the memory of tokens as well, and what is asked of the provider with it.
            it.config["providers"]["idp"]["limits"] = {"verified_tokens": 1000 + number // 2}
            it.config["routes"]["other"] = {"path": f"/other/{number}", "upstream": it.upstream.url, "policies": []}
            assert await it.reload() == 200
        await callers.have(50)
        assert (callers.lost, callers.refused, callers.wrong) == (0, 0, [])
        assert callers.answers.total() > 500
        metrics = await it.gateway.operator.metrics()
        assert metrics["tokenward_config_reloads_total result=success"] == 101 * workers


@pytest.mark.case("C270")
@both
async def test_a_file_with_mistakes_leaves_the_configuration_before_in_force(workers: int, tmp_path: Path) -> None:
    async with world(tmp_path, workers=workers) as it:
        good = it.provider.issue("shop", "orders.read")
        for text, told in MISTAKES:
            it.gateway.write(text)
            answer = await it.gateway.operator.reload()
            assert (answer.status, answer.code) == (422, "settings_invalid")
            assert told in answer.text
            assert await it.gateway.operator.metric("tokenward_config_last_reload_successful") == 0
            assert await it.gateway.caller.get("/orders", good) == 200
            assert await it.gateway.caller.get("/orders") == 401
        metrics = await it.gateway.operator.metrics()
        assert metrics["tokenward_config_reloads_total result=failure"] == len(MISTAKES) * workers
        assert await it.reload() == 200
        assert await it.gateway.operator.metric("tokenward_config_last_reload_successful") == 1
        assert await it.gateway.operator.readiness() == "ready"


ROUTE = "routes: {a: {path: /a, upstream: 'http://127.0.0.1:9', policies: [%s]}}"
MISTAKES = [
    ("routes: {", "is not YAML"),
    ("rouets: {}", "did you mean routes?"),
    (ROUTE % "{opening-hours: {}, when: {regex: '('}}", "is no RE2 expression"),
    (ROUTE % "{token-enforcement: {provider: nobody}}", "there is no provider 'nobody'"),
    ("routes: {}\nadmin: {token: '${file:nowhere}'}", "nowhere"),
    ("routes: {}\nadmin: {token: '${NO_SUCH_VARIABLE}'}", "NO_SUCH_VARIABLE"),
]


@pytest.mark.case("C272")
async def test_every_worker_obeys_from_the_first_request_after_the_reload(tmp_path: Path) -> None:
    async with world(tmp_path, workers=2) as it:
        good = it.provider.issue("shop", "orders.read")
        callers = [await caller_of(it, worker) for worker in it.workers]
        for caller in callers:
            assert await status(caller, "/orders", good) == 200
        under_way = await it.under_way()
        del it.config["routes"]["public"]
        enforcement(it.config)["scopes"] = ["orders.write"]
        assert await it.reload() == 200
        for caller in callers:
            assert await status(caller, "/orders", good) == 403
            assert await status(caller, "/public") == 404
        under_way.send(HALF)
        assert (await under_way.reply()).status == 200


async def status(caller: RawCaller, path: str, token: str | None = None) -> int:
    caller.send(get(path, token))
    return (await caller.reply(timeout=10)).status


async def caller_of(it: World, worker: int) -> RawCaller:
    """A connection to this worker: the others are held still until it has one."""
    with stopped(*set(it.workers) - {worker}):
        caller = await it.gateway.caller.raw()
        await status(caller, "/public")
    return caller


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


# The end


@pytest.mark.case("C273", "C287")
@both
async def test_sigterm_first_says_so_then_closes_then_finishes_and_ends_with_0(workers: int, tmp_path: Path) -> None:
    async with world(tmp_path, workers=workers, drain={"delay": 0.5, "timeout": 10}) as it:
        under_way = await it.under_way()
        kept = await it.gateway.caller.raw()
        assert await status(kept, "/public") == 200
        it.gateway.tell(signal.SIGTERM)
        await until_readiness(it, "not ready: draining")
        assert await it.gateway.operator.ask.get("/livez") == 200
        assert await it.gateway.caller.get("/public") == 200
        kept.send(get("/public"))
        assert (await kept.reply()).closes
        await until_refused(it)
        assert await it.gateway.operator.readiness() == "not ready: draining"
        under_way.send(HALF)
        reply = await under_way.reply()
        assert (reply.status, reply.body, reply.closes) == (200, b"ok", True)
        async with asyncio.timeout(GRACE):
            assert await it.gateway.ended() == 0
        assert it.upstream.requests[0].body == 2 * HALF


async def until_readiness(it: World, expected: str) -> None:
    async def is_so() -> bool:
        return await it.gateway.operator.readiness() == expected

    await until(is_so, expected)


async def until_refused(it: World) -> None:
    async def is_refused() -> bool:
        try:
            (await it.gateway.caller.raw()).close()
        except ConnectionError:
            return True
        return False

    await until(is_refused)


@pytest.mark.case("C273")
@both
async def test_callers_that_heed_connection_close_lose_nothing_when_it_ends(workers: int, tmp_path: Path) -> None:
    async with world(tmp_path, workers=workers, drain={"delay": 1, "timeout": 10}) as it, load(it) as callers:
        it.gateway.tell(signal.SIGTERM)
        await until_readiness(it, "not ready: draining")
        for caller in [await it.gateway.caller.raw() for _ in range(20)]:
            # New ones are taken while load balancers find out.
            caller.send(get("/public"))
            assert (await caller.reply()).status == 200
        callers.ends = True
        assert await it.gateway.ended() == 0
        assert (callers.lost, callers.wrong) == (0, [])


@pytest.mark.case("C274")
@both
async def test_what_never_ends_is_cut_in_time(workers: int, tmp_path: Path) -> None:
    async with websocket_upstream() as sockets, world(
        tmp_path, workers=workers, drain={"delay": 0, "timeout": 0.5}, access_log={"to": "stdout"}
    ) as it:  # fmt: skip
        it.config["routes"]["socket"] = {"path": "/socket", "upstream": sockets, "policies": []}
        assert await it.reload() == 200
        events, download = await endless(it, EVENTS), await endless(it, DOWNLOAD)
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{it.gateway.caller.port}/socket"
            async with session.ws_connect(url) as socket:
                it.gateway.tell(signal.SIGTERM)
                message = await socket.receive(10)
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.GOING_AWAY)
                for caller in (events, download):
                    assert not (await caller.ended(timeout=5)).endswith(b"0\r\n\r\n")
                async with asyncio.timeout(0.5 + GRACE):
                    assert await it.gateway.ended() == 0
        assert it.gateway.stdout.count('"flag":"drained"') == 3


@asynccontextmanager
async def websocket_upstream() -> AsyncIterator[str]:
    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    async with await asyncio.get_running_loop().create_server(web.Server(serve), "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n7\r\ndata: 1\r\n"
DOWNLOAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\ndata: 1"


async def endless(it: World, answer: bytes) -> RawCaller:
    """A caller whose answer has begun, and does not go on."""
    it.upstream.plays(play(answer, 60.0))
    caller = await it.gateway.caller.raw()
    caller.send(get("/public"))
    await caller.reader.readuntil(b"data: 1")
    return caller


# Crashes


@pytest.mark.case("C275")
async def test_a_worker_that_is_killed_takes_its_own_requests_only_and_is_replaced_within_a_second(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, workers=2) as it, load(it) as callers:
        survivor, victim = it.workers
        stays = await caller_of(it, survivor)
        os.kill(victim, signal.SIGKILL)
        async with asyncio.timeout(1):
            await until_born(it, {survivor, victim})
        assert await status(stays, "/public") == 200
        await callers.have(20)
        lost = callers.lost
        # Each caller has one request under way, and no more than that is lost.
        assert lost <= 6
        assert (callers.refused, callers.wrong) == (0, [])
        await callers.have(200)
        assert callers.lost == lost
        assert await it.gateway.operator.metric("tokenward_worker_exits_total") == 1


@pytest.mark.case("C288")
async def test_a_worker_that_runs_out_of_memory_is_replaced_as_one_that_is_killed(tmp_path: Path) -> None:
    async with world(tmp_path, workers=2) as it, load(it) as callers:
        survivor, victim = it.workers
        stays = await caller_of(it, survivor)
        with memory_group(OUT_OF_MEMORY) as group:
            group.add(victim)
            # Heads that never end, as much as a head may hold: they lie in the memory of whoever accepted them.
            hoard = [await it.gateway.caller.raw() for _ in range(400)]
            for caller in hoard:
                caller.send(UNFINISHED)
            async with asyncio.timeout(30):
                await until_born(it, {survivor, victim})
            assert group.kills() >= 1
        assert await status(stays, "/public") == 200
        lost = callers.lost
        assert lost <= 6
        assert (callers.refused, callers.wrong) == (0, [])
        await callers.have(200)
        assert callers.lost == lost
        for caller in hoard:
            caller.close()
        for worker in it.workers:
            assert resident(worker) < 300 * 1024 * 1024


OUT_OF_MEMORY = 6 * 1024 * 1024
"""Bytes that the worker may take beyond what it has."""
UNFINISHED = get("/public").removesuffix(b"\r\n") + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 8000) for n in range(7))


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def until_born(it: World, old: set[int]) -> None:
    async def is_so() -> bool:
        return bool(set(it.workers) - old)

    await until(is_so)


@pytest.mark.case("C278")
async def test_who_waits_to_be_accepted_is_served_whichever_workers_die(tmp_path: Path) -> None:
    async with world(tmp_path, workers=2) as it:
        killed = it.workers
        for worker in killed:
            os.kill(worker, signal.SIGSTOP)
        waiting = [await it.gateway.caller.raw() for _ in range(20)]
        for caller in waiting:
            caller.send(get("/public"))
        for worker in killed:
            os.kill(worker, signal.SIGKILL)
        assert [(await caller.reply(timeout=10)).status for caller in waiting] == [200] * 20


@pytest.mark.case("C278")
async def test_a_worker_that_ends_by_itself_costs_nobody_a_request(tmp_path: Path) -> None:
    async with world(tmp_path, workers=2, drain={"delay": 0.5, "timeout": 5}) as it, load(it) as callers:
        for worker in it.workers:
            os.kill(worker, signal.SIGTERM)
            await until_replaced(it, worker)
        await callers.have(50)
        assert (callers.lost, callers.refused, callers.wrong) == (0, 0, [])


async def until_replaced(it: World, worker: int) -> None:
    async def is_so() -> bool:
        return worker not in it.workers and await it.gateway.operator.metric("tokenward_workers") == 2

    await until(is_so)


# Clocks


@asynccontextmanager
async def clocked(clock: FakeClock, providers: FakeClock) -> AsyncIterator[Any]:
    """A gateway that verifies JWTs by keys and remembers nothing, and a provider, each with a clock of its own."""
    async with run_identity_provider(clock=providers) as provider, recording_upstream() as upstream:
        config = configuration(provider.issuer, upstream.url)
        enforcement(config).update(order="keys_only", leeway=5, cache={"max_age": 0})
        async with served(config, clock=clock) as gateway:

            async def ask(token: str) -> int:
                answer = await gateway.caller("GET", "/orders", token)
                return answer.status

            yield ask, lambda: provider.issue("shop", "orders.read", jwt=True, lifetime=600)


@pytest.mark.case("C279")
async def test_a_token_lives_from_its_issue_to_its_expiry_and_the_leeway_around_both() -> None:
    clock, other = FakeClock(), FakeClock()
    async with clocked(clock, other) as (ask, issue):
        token = issue()
        for seconds, expected in [(-6, 401), (-5, 200), (0, 200), (599, 200), (604.9, 200), (605, 401)]:
            clock.step(seconds)
            assert await ask(token) == expected, seconds
            clock.step(-seconds)


@pytest.mark.case("C279")
async def test_a_clock_that_jumps_an_hour_and_back_is_judged_by_what_it_says_each_time() -> None:
    clock = FakeClock()
    async with clocked(clock, FakeClock()) as (ask, issue):
        token = issue()
        for jump, expected in [(0, 200), (3600, 401), (-3600, 200), (-3600, 401), (3600, 200)]:
            clock.step(jump)
            assert await ask(token) == expected


@pytest.mark.case("C279")
@pytest.mark.parametrize("now", [2**31 - 1, 2**31 + 1, 2**32 + 1, 4_102_444_800], ids=["2038", "after", "2106", "2100"])
async def test_times_beyond_32_bits_are_times_like_any_other(now: float) -> None:
    clock = FakeClock(now)
    async with clocked(clock, FakeClock(now)) as (ask, issue):
        token = issue()
        assert await ask(token) == 200
        clock.move(606)
        assert await ask(token) == 401


@pytest.mark.case("C279")
async def test_a_second_that_comes_twice_changes_nothing() -> None:
    leap = NOON + 0.5
    clock = FakeClock(leap)
    async with clocked(clock, FakeClock(leap)) as (ask, issue):
        token = issue()
        assert await ask(token) == 200
        clock.step(-1)
        assert await ask(token) == 200


# Providers


@pytest.mark.case("C284", "C287")
@both
async def test_it_starts_without_its_provider_and_heals_when_that_is_there(workers: int, tmp_path: Path) -> None:
    port = free_port()
    async with recording_upstream() as upstream:
        config = configuration(f"http://127.0.0.1:{port}", upstream.url, workers=workers)
        async with program(config, tmp_path) as gateway:
            assert await gateway.caller.get("/public") == 200
            answer = await gateway.caller("GET", "/orders", "some-token")
            assert (answer.status, answer.code) == (503, "provider_metadata")
            assert int(answer.headers["Retry-After"]) >= 1
            assert await provider_state(gateway) == ["failing"]
            assert await gateway.operator.ask.get("/livez") == 200
            async with run_identity_provider(port=port) as provider, asyncio.timeout(10):
                # Nobody asks for anything meanwhile: it finds the provider by itself.
                await gateway.until_logged("provider idp: its metadata is known", workers)
                token = provider.issue("shop", "orders.read")
                for _ in range(10):
                    assert await gateway.caller.get("/orders", token) == 200


@pytest.mark.case("C285")
@pytest.mark.parametrize("order", ["introspect_only", "keys_only"])
async def test_workers_that_learned_at_different_times_forget_once_each(order: str, tmp_path: Path) -> None:
    async with world(tmp_path, workers=2) as it:
        age = 0.6
        enforcement(it.config).update(order=order, cache={"max_age": age, "max_age_without_exp": age})
        it.config["providers"]["idp"]["keys"] = {"refresh_after": age, "cool_down": 0.1}
        assert await it.reload() == 200
        early, late = [await caller_of(it, worker) for worker in it.workers]
        token = it.provider.issue("shop", "orders.read", jwt=True)
        assert await status(early, "/orders", token) == 200
        await asyncio.sleep(age / 2)  # the one thing that is tried here: a difference in age
        assert await status(late, "/orders", token) == 200
        it.provider.revoke(token)
        it.provider.rotate_keys(keep_old=False)
        async with asyncio.timeout(2 * age + GRACE):
            # What is known in one worker is believed for its time; after that, the other's is of no account.
            await until_refuses(early, token)
            await until_refuses(late, token)
        for caller in (early, late, early, late):
            assert await status(caller, "/orders", token) == 401
        fresh = it.provider.issue("shop", "orders.read", jwt=True)
        for caller in (early, late, early, late):
            assert await status(caller, "/orders", fresh) == 200


async def until_refuses(caller: RawCaller, token: str) -> None:
    async def is_so() -> bool:
        return await status(caller, "/orders", token) == 401

    await until(is_so)


async def provider_state(gateway: Program) -> list[str]:
    answer = await gateway.operator.ask("GET", "/readyz?verbose")
    assert answer.status == 200
    return [provider["state"] for provider in json.loads(answer.text)["providers"]]
