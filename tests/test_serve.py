"""A gateway in one process: what a reload changes and what it leaves alone, and how it ends."""

import asyncio
import json
import logging
import socket
import struct
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from gateway.demo.identity_provider import DemoProvider, run_identity_provider
from gateway.listeners import BACKLOG
from gateway.policy import Allow, Decision, Request
from gateway.serve import RESTART, Serving, serve
from gateway.services import Services
from gateway.settings import Settings, parse
from gateway.tasks import Tasks
from tests.gateways import Config, Served, configuration, enforcement, served, until
from tests.servers import RawCaller, Recorded, RecordingUpstream, Reply, play, recording_upstream, request

pytestmark = pytest.mark.usefixtures("lane")

PLAIN = "listen: 127.0.0.1:0\nadmin: {listen: 127.0.0.1:0}\ndrain: {delay: 0}\nroutes: {}\n"
HALF = b"half of it"
UPLOAD = request("POST", "/public", f"Content-Length: {2 * len(HALF)}")
STREAM = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nthe first bytes"


@dataclass(frozen=True, kw_only=True)
class Explodes:
    """A policy that cannot be opened."""

    secret: str = ""

    @asynccontextmanager
    async def open(self, services: Services) -> AsyncIterator["Explodes"]:
        """Raises what nobody foresaw."""
        raise RuntimeError(f"the policy holds {self.secret}")
        yield self

    def decide(self, request: Request) -> Decision:
        return Allow()


EXPLODES = {"tests.test_serve:Explodes": {"secret": "a thing to keep"}}


@dataclass
class World:
    """A gateway between a provider and an upstream."""

    provider: DemoProvider
    upstream: RecordingUpstream
    config: Config
    gateway: Served

    def token(self, scope: str = "orders.read") -> str:
        return self.provider.issue("shop", scope)

    async def under_way(self) -> RawCaller:
        """A connection whose request has arrived by half: at the caller's side, here and upstream."""
        caller = await self.gateway.caller.raw()
        known = len(self.upstream.requests)
        caller.send(UPLOAD + HALF)
        await self.upstream.until(lambda upstream: len(upstream.requests) > known)
        return caller

    def route(self, name: str, **options: Any) -> None:
        self.config["routes"][name] = {"upstream": self.upstream.url, "policies": [], **options}


@asynccontextmanager
async def world(**options: Any) -> AsyncIterator[World]:
    async with run_identity_provider() as provider, recording_upstream() as upstream:
        config = configuration(provider.issuer, upstream.url, **options)
        async with served(config) as gateway:
            yield World(provider, upstream, config, gateway)


async def finish(caller: RawCaller) -> Reply:
    """Send the other half of what is under way; the answer."""
    caller.send(HALF)
    return await caller.reply()


async def test_a_target_that_is_known_to_be_ill_gets_no_request_after_a_reload_either() -> None:
    async with world() as it:
        it.upstream.plays(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
        probe = {"path": "/healthz", "interval": 0.02}
        it.route("probed", path="/probed", upstream={"targets": [it.upstream.url], "probe": probe})
        assert (await it.gateway.operator.reload()).status == 200
        name = f"tokenward_upstream_target_up route=probed target={it.upstream.url}"

        async def is_out() -> bool:
            return (await it.gateway.operator.metrics())[name] == 0

        await until(is_out)
        it.route("other", path="/other")
        assert (await it.gateway.operator.reload()).status == 200
        assert await it.gateway.caller.get("/probed") == 503
        # Its other routes do not probe it.
        assert await it.gateway.caller.get("/other") == 500
        it.route("probed", path="/probed")
        assert (await it.gateway.operator.reload()).status == 200
        assert await it.gateway.operator.metric(name) == 1
        assert await it.gateway.caller.get("/probed") == 500


# What a reload changes


@pytest.mark.case("C272")
async def test_a_route_that_is_removed_is_gone_for_the_first_request_after_the_reload() -> None:
    async with world() as it:
        assert await it.gateway.caller.get("/public") == 200
        del it.config["routes"]["public"]
        assert (await it.gateway.operator.reload()).status == 200
        assert await it.gateway.caller.get("/public") == 404


@pytest.mark.case("C272")
async def test_a_policy_that_became_stricter_refuses_the_first_request_after_the_reload() -> None:
    async with world() as it:
        token = it.token()
        assert await it.gateway.caller.get("/orders", token) == 200
        enforcement(it.config)["scopes"] = ["orders.write"]
        assert (await it.gateway.operator.reload()).status == 200
        assert await it.gateway.caller.get("/orders", token) == 403


@pytest.mark.case("C272")
async def test_what_is_under_way_ends_under_the_settings_that_it_began_with() -> None:
    async with world() as it:
        caller = await it.under_way()
        del it.config["routes"]["public"]
        await it.gateway.operator.reload()
        assert await it.gateway.caller.get("/public") == 404
        reply = await finish(caller)
        assert (reply.status, reply.body) == (200, b"ok")
        assert it.upstream.requests[0].body == 2 * HALF


async def test_connections_to_an_upstream_are_closed_after_the_last_request_that_used_them() -> None:
    async with world() as it:
        caller = await it.under_way()
        it.route("other", path="/other")
        await it.gateway.operator.reload()
        assert it.upstream.open == 1
        await finish(caller)
        await it.upstream.until(lambda upstream: not upstream.open)


async def test_limits_are_those_of_the_reload_for_connections_made_after_it() -> None:
    async with world() as it:
        it.config["limits"] = {"target": 20}
        await it.gateway.operator.reload()
        assert await it.gateway.caller.get("/public?is-longer-than-that") == 414


async def test_several_reloads_at_once_leave_the_last_one_in_force() -> None:
    slow, hurry, reads = threading.Event(), threading.Event(), 0
    first, last = (parse(f"{PLAIN}problems: {{base: '{base}'}}\n") for base in "ab")

    def read() -> Settings:
        nonlocal reads
        reads += 1
        if reads > 1:
            return last
        slow.set()
        hurry.wait(5)
        return first

    async with serve(first, read=read, admin_sockets=()) as serving:
        tasks = Tasks()
        both = [tasks.start(serving.reload())]
        await asyncio.to_thread(slow.wait, 5)
        both.append(tasks.start(serving.reload()))
        await asyncio.sleep(0)
        hurry.set()
        await asyncio.gather(*both)
        assert serving.settings is last


# What a reload does not change


@pytest.mark.case("C270")
async def test_a_configuration_with_mistakes_changes_nothing_and_says_where_they_are() -> None:
    async with world() as it:
        it.config["routes"]["public"]["polices"] = it.config["routes"]["public"].pop("policies")
        answer = await it.gateway.operator.reload()
        assert (answer.status, answer.code) == (422, "settings_invalid")
        assert "routes.public.polices: is not known here; did you mean policies?" in answer.text
        assert await it.gateway.caller.get("/public") == 200
        assert await it.gateway.operator.readiness() == "ready"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"policies": [EXPLODES]}, "the log of the process says why"),
        ({"policies": [], "upstream": "ca"}, "can't be opened: "),
    ],
    ids=["a policy that raises", "a certificate that is none"],
)
@pytest.mark.case("C270")
async def test_what_cannot_be_opened_changes_nothing(options: Config, told: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    async with world() as it:
        if options.get("upstream"):
            options = {**options, "upstream": {"targets": [it.upstream.url], "ca_file": str(tmp_path / "ca.pem")}}
        it.route("other", path="/other", **options)
        answer = await it.gateway.operator.reload()
        assert (answer.status, answer.code) == (422, "settings_invalid")
        assert told in answer.text
        assert "a thing to keep" not in answer.text
        assert await it.gateway.caller.get("/public") == 200
        assert await it.gateway.caller.get("/other") == 404
        metrics = await it.gateway.operator.metrics()
        assert metrics["tokenward_config_last_reload_successful"] == 0
        assert metrics["tokenward_config_reloads_total result=failure"] == 1


async def test_a_reload_that_succeeds_after_one_that_failed_is_told_as_such() -> None:
    async with world() as it:
        public = it.config["routes"].pop("public")
        it.config["routes"]["public"] = {}
        await it.gateway.operator.reload()
        it.config["routes"]["public"] = public
        assert (await it.gateway.operator.reload()).status == 200
        assert await it.gateway.operator.metric("tokenward_config_last_reload_successful") == 1


async def test_settings_without_a_file_cannot_be_read_again() -> None:
    async with serve(parse(PLAIN), admin_sockets=()) as serving:
        assert not (await serving.reload()).succeeded


async def test_verified_tokens_outlive_a_reload_that_leaves_their_provider_as_it_was() -> None:
    async with world() as it:
        token = it.token()
        assert await it.gateway.caller.get("/orders", token) == 200
        it.route("other", path="/other")
        await it.gateway.operator.reload()
        assert await it.gateway.caller.get("/orders", token) == 200
        assert it.provider.introspections == 1


@pytest.mark.case("C162")
async def test_verified_tokens_do_not_outlive_a_reload_that_changes_their_provider() -> None:
    async with world() as it:
        token = it.token()
        assert await it.gateway.caller.get("/orders", token) == 200
        it.config["providers"]["idp"]["dialect"] = {"scope": ["scp"]}
        await it.gateway.operator.reload()
        assert await it.gateway.caller.get("/orders", token) == 403
        assert it.provider.introspections == 2


async def test_what_needs_a_restart_is_warned_of_for_as_long_as_it_does(caplog: pytest.LogCaptureFixture) -> None:
    changed = (
        "listen: 127.0.0.2:0\nadmin: {listen: 127.0.0.2:0}\nworkers: 2\naccess_log: {to: 'off'}\n"
        "log_level: error\nmanagement: {bounds: {requests_per_hour: 1}}\nroutes: {}\n"
    )
    async with serve(parse(PLAIN), admin_sockets=()) as serving:
        told = [await warnings(serving, changed, caplog), await warnings(serving, changed, caplog)]
        assert told == [sorted(set(RESTART) - {"tls", "store", "portal"})] * 2
        assert await warnings(serving, PLAIN, caplog) == []
        await serving.change(parse(PLAIN))


async def warnings(serving: Serving, text: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Of which options the change to these settings warns."""
    caplog.clear()
    await serving.change(parse(text))
    return sorted(
        record.getMessage().partition(" ")[0] for record in caplog.records if record.levelno == logging.WARNING
    )


# What can be asked while it runs


async def test_it_is_not_ready_before_it_listens() -> None:
    async with serve(parse(PLAIN), sockets=(), admin_sockets=()) as serving:
        assert (await serving.ready()).reason == "starting"


async def test_requests_under_way_are_counted_by_route() -> None:
    async with world() as it:
        caller = await it.under_way()
        name = "tokenward_http_requests_in_flight route=public"
        assert await it.gateway.operator.metric(name) == 1
        await finish(caller)
        assert await it.gateway.operator.metric(name) == 0


async def test_a_purge_makes_the_provider_be_asked_again() -> None:
    async with world() as it:
        token = it.token()
        for _ in range(2):
            assert await it.gateway.caller.get("/orders", token) == 200
        assert await it.gateway.serving.purge("somebody-else") == 0
        assert await it.gateway.serving.purge("shop") == 1
        assert await it.gateway.caller.get("/orders", token) == 200
        assert it.provider.introspections == 2


async def test_routes_are_listed_as_they_are_in_force() -> None:
    async with world() as it:
        (orders, public) = await it.gateway.serving.routes()
        assert (orders.name, orders.policies, public.policies) == ("orders", ("token-enforcement",), ())
        it.config["routes"] = {"public": it.config["routes"]["public"]}
        await it.gateway.operator.reload()
        assert [view.name for view in await it.gateway.serving.routes()] == ["public"]


async def test_connections_wait_in_the_backlog_that_was_asked_for() -> None:
    async with world() as it:
        door = it.gateway.serving._door
        assert door is not None
        told = door.sockets[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
        most = int(Path("/proc/sys/net/core/somaxconn").read_text())
        # Of a socket that listens, the kernel tells the backlog as tcpi_sacked.
        assert struct.unpack("8x6I", told)[5] == min(BACKLOG, most)


# How it ends


async def drains(it: World) -> asyncio.Task[None]:
    """The gateway is told to end, and says so."""
    task = Tasks().start(it.gateway.serving.drain())
    await asyncio.sleep(0)
    assert not (await it.gateway.serving.ready()).ready
    return task


async def is_refused(it: World) -> bool:
    """Whether nobody listens any more."""
    try:
        (await it.gateway.caller.raw()).close()
    except ConnectionError:
        return True
    return False


@pytest.mark.case("C273", "C287")
async def test_it_is_not_ready_first_and_goes_on_serving_for_the_delay() -> None:
    async with world(drain={"delay": 0.3, "timeout": 5}) as it:
        kept = await it.gateway.caller.raw()
        kept.send(request("GET", "/public"))
        assert not (await kept.reply()).closes
        task = await drains(it)
        assert await it.gateway.operator.readiness() == "not ready: draining"
        assert await it.gateway.operator.ask.get("/livez") == 200
        assert await it.gateway.caller.get("/public") == 200
        kept.send(request("GET", "/public"))
        assert (await kept.reply()).closes
        assert await kept.ended() == b""
        assert not task.done()
        await task
        assert await is_refused(it)


@pytest.mark.case("C273")
async def test_what_is_under_way_when_the_listeners_close_is_finished() -> None:
    async with world() as it:
        caller = await it.under_way()
        idle = await it.gateway.caller.raw()
        task = await drains(it)
        while not await is_refused(it):
            pass
        # The rest of the body arrives now, long after nobody is accepted any more.
        reply = await finish(caller)
        assert (reply.status, reply.closes, reply.body) == (200, True, b"ok")
        assert it.upstream.requests[0].body == 2 * HALF
        await task
        assert await idle.ended() == b""


@pytest.mark.case("C273")
async def test_a_connection_that_is_kept_may_send_one_request_more_while_others_are_finished() -> None:
    async with world() as it:
        caller = await it.under_way()
        kept = await it.gateway.caller.raw()
        kept.send(request("GET", "/public"))
        await kept.reply()
        task = await drains(it)
        kept.send(request("GET", "/public"))
        assert (await kept.reply()).closes
        assert (await finish(caller)).status == 200
        await task


@pytest.mark.case("C274")
async def test_what_does_not_end_in_time_is_cut_and_told_from_callers_that_leave(tmp_path: Path) -> None:
    access_log = tmp_path / "access.log"
    async with world(drain={"delay": 0, "timeout": 0.1}, access_log={"to": str(access_log)}) as it:
        it.upstream.plays(play(STREAM, 60.0))
        download = await it.gateway.caller.raw()
        download.send(request("GET", "/public"))
        await download.reader.readuntil(b"first bytes")
        upload = await it.under_way()
        async with asyncio.timeout(5):
            await it.gateway.serving.drain()
        assert await download.ended() == b""
        assert await upload.ended() == b""
        await it.upstream.until(lambda upstream: not upstream.open)
    lines = [json.loads(line) for line in access_log.read_text().splitlines()]
    assert sorted((line["flag"], line["fault"], line["status"]) for line in lines) == [
        ("drained", "gateway", 0),
        ("drained", "gateway", 200),
    ]


@pytest.mark.case("C274")
async def test_an_endless_stream_of_events_is_cut() -> None:
    async def ticks(_: Recorded, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"8\r\ndata: 1\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with world(drain={"delay": 0, "timeout": 0.2}) as it:
        it.upstream.plays(ticks)
        caller = await it.gateway.caller.raw()
        caller.send(request("GET", "/public"))
        await caller.reader.readuntil(b"data: 1")
        async with asyncio.timeout(5):
            await it.gateway.serving.drain()
        rest = await caller.ended()
        assert rest.endswith(b"\r\n")
        assert b"0\r\n\r\n" not in rest


@pytest.mark.case("C274")
async def test_a_web_socket_is_closed_on_both_sides_with_1001() -> None:
    codes: asyncio.Queue[int | None] = asyncio.Queue()

    async def serve_socket(request: web.BaseRequest) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        codes.put_nowait(socket.close_code)
        return socket

    upstream = await asyncio.get_running_loop().create_server(web.Server(serve_socket), "127.0.0.1", 0)
    async with upstream, world(drain={"delay": 0, "timeout": 0.1}) as it:
        it.route("socket", path="/socket", upstream=f"http://127.0.0.1:{upstream.sockets[0].getsockname()[1]}")
        await it.gateway.operator.reload()
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{it.gateway.port}/socket") as caller,
        ):
            task = await drains(it)
            message = await caller.receive(5)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.GOING_AWAY)
            async with asyncio.timeout(5):
                await task
                assert await codes.get() == aiohttp.WSCloseCode.GOING_AWAY


async def test_a_caller_that_leaves_while_it_drains_is_not_counted_as_cut(tmp_path: Path) -> None:
    access_log = tmp_path / "access.log"
    async with world(access_log={"to": str(access_log)}) as it:
        caller = await it.under_way()
        task = await drains(it)
        caller.close()
        await task
    assert [json.loads(line)["flag"] for line in access_log.read_text().splitlines()] == ["caller_left"]


async def test_nothing_is_left_behind() -> None:
    before = asyncio.all_tasks()
    async with world() as it:
        assert await it.gateway.caller.get("/orders", it.token()) == 200
    while left := asyncio.all_tasks() - before:
        await asyncio.wait(left, timeout=5)
        assert all(task.done() for task in left), left
