"""Settings → what is open because of them: everything in its place, and closed again in any case."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from typing import Any

import pytest

from gateway.policy import Allow, Decision, Request
from gateway.probe import ProbeOptions
from gateway.router import Route
from gateway.runtime import Runtime, World, open_runtime
from gateway.services import Services
from gateway.settings import Settings, parse
from gateway.settings.routes import ProbeSettings, UpstreamSettings
from gateway.sharing import Shared
from gateway.upstreams import UpstreamOptions
from tests import fakes
from tests.fakes import FakeClock, FakeMetrics

UPSTREAM = "http://127.0.0.1:9"
IDP = {
    "issuer": "https://idp.example.com",
    "introspection": {"client_id": "gateway", "client_secret": "s3cret-of-ours"},
}
OPEN: list[str] = []
"""The probes that are open, in the order in which they were opened."""
LENT: dict[str, Services] = {}
"""What each of them was lent."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A policy that tells when it is opened and closed, and may not open at all."""

    name: str
    fails: bool = False
    identity_headers: tuple[str, ...] = ()

    @asynccontextmanager
    async def open(self, services: Services) -> AsyncIterator["Probe"]:
        if self.fails:
            raise OSError(f"{self.name} cannot be opened")
        LENT[self.name] = services
        OPEN.append(self.name)
        await services.share("shared", lambda: shared())
        try:
            yield self
        finally:
            OPEN.remove(self.name)

    def decide(self, request: Request) -> Decision:
        return Allow()


@asynccontextmanager
async def shared() -> AsyncIterator[str]:
    """What several probes use."""
    OPEN.append("shared")
    yield "shared"
    OPEN.remove("shared")


@pytest.fixture
def world() -> World:
    OPEN.clear()
    LENT.clear()
    return World(clock=FakeClock(), metrics=FakeMetrics(), shared=Shared())


def probe(name: str, **options: Any) -> dict[str, Any]:
    return {"tests.test_runtime:Probe": {"name": name, **options}}


def route(*policies: dict[str, Any], path: str = "/orders", **options: Any) -> dict[str, Any]:
    return {"path": path, "upstream": UPSTREAM, "policies": list(policies), **options}


def settings(top: dict[str, Any] | None = None, **routes: Any) -> Settings:
    return parse(json.dumps({**(top or {}), "routes": routes}), environment={})


def found(runtime: Runtime, path: str, method: str = "GET") -> Route[Any]:
    match = runtime.router.find("api.example.com", method, path)
    assert isinstance(match, Route)
    return match


def chain_of(runtime: Runtime, path: str, request: Request) -> Any:
    return found(runtime, path).chain.decide(request)


async def test_a_policy_is_lent_what_its_route_is_about(world: World) -> None:
    top = {"providers": {"okta": IDP}, "clients": [{"provider": "okta", "client_id": "mobile", "apis": ["sales"]}]}
    configured = settings(top, orders=route(probe("one"), api="sales"), other=route(probe("two"), path="/other"))
    async with open_runtime(configured, world):
        one, two = LENT["one"], LENT["two"]
        assert (one.route, one.api) == ("orders", "sales")
        assert (two.route, two.api) == ("other", "other")
        assert one.clock is world.clock
        assert one.providers["okta"].issuer == "https://idp.example.com"
        assert one.directory.contract("okta", "mobile", "sales") is not None
        assert one.directory.contract("okta", "mobile", "other") is None


async def test_everything_is_closed_at_the_end_and_the_last_first(world: World) -> None:
    configured = settings(orders=route(probe("one"), probe("two")))
    async with open_runtime(configured, world):
        assert OPEN == ["one", "shared", "two"]
        ends = asyncio.Event()
        task = LENT["one"].tasks.start(ends.wait())
    assert OPEN == []
    assert task.cancelled()


async def test_what_was_opened_is_closed_where_the_rest_cannot_be(world: World) -> None:
    configured = settings(orders=route(probe("one"), probe("two", fails=True)))
    with pytest.raises(OSError, match="two cannot be opened"):
        async with open_runtime(configured, world):
            pytest.fail("it opened")
    assert OPEN == []
    assert list(world.shared) == []


async def test_what_is_shared_stays_open_from_one_runtime_to_the_next(world: World) -> None:
    first = open_runtime(settings(orders=route(probe("one"))), world)
    await first.__aenter__()
    async with open_runtime(settings(orders=route(probe("two"))), world):
        await first.__aexit__(None, None, None)
        assert OPEN == ["shared", "two"]
    assert OPEN == []


async def test_no_caller_may_send_the_identity_headers_of_any_route_on_any_other(world: World) -> None:
    configured = settings(orders=route(probe("one", identity_headers=["X-User"])), public=route(path="/public"))
    async with open_runtime(configured, world) as runtime:
        assert "x_user" in runtime.proxy.scrub
        assert "x-client" not in runtime.proxy.scrub


async def test_a_condition_decides_which_requests_a_policy_is_asked_about(world: World) -> None:
    closed = {"opening-hours": {"opens": 0, "closes": 1}, "when": {"methods": ["POST"], "paths": ["/orders/{id}"]}}
    async with open_runtime(settings(orders=route(closed)), world) as runtime:
        for method, path, refused in [
            ("POST", "/orders/7", True),
            ("GET", "/orders/7", False),
            ("POST", "/orders", False),
        ]:
            decision = chain_of(runtime, path, fakes.request(method=method, path=path))
            assert isinstance(decision, Allow) is not refused


async def test_a_policy_that_only_reports_lets_pass(world: World) -> None:
    closed = {"opening-hours": {"opens": 0, "closes": 1}, "report_only": True}
    async with open_runtime(settings(orders=route(closed)), world) as runtime:
        decision = chain_of(runtime, "/orders", fakes.request())
        assert isinstance(decision, Allow)
        assert decision.reported == (("opening-hours", "closed"),)


async def test_a_route_is_as_the_settings_say(world: World) -> None:
    options: dict[str, Any] = {
        "hosts": ["*.example.com"],
        "methods": ["GET"],
        "strip_prefix": "/orders",
        "add_prefix": "/v2",
        "body": 9,
    }
    async with open_runtime(settings(orders=route(preflight=True, exact=True, **options)), world) as runtime:
        orders = found(runtime, "/orders")
        assert (orders.hosts, orders.exact, orders.methods) == (("*.example.com",), True, frozenset({"GET"}))
        assert (orders.preflight, orders.body_limit) == (True, 9)
        assert orders.upstream_path("/orders") == "/v2"


async def test_limits_and_times_are_as_the_settings_say(world: World) -> None:
    top = {"limits": {"target": 99, "body": 7}, "timeouts": {"head": 3}, "problems": {"base": "https://p/"}}
    async with open_runtime(settings(top), world) as runtime:
        assert (runtime.limits.target, runtime.limits.body, runtime.proxy.body_limit) == (99, 7, 7)
        assert runtime.timeouts.head == 3
        assert runtime.problem_base == "https://p/"


def test_every_option_of_an_upstream_reaches_it() -> None:
    assert {each.name for each in fields(UpstreamOptions)} == set(UpstreamSettings.model_fields)
    assert {each.name for each in fields(ProbeOptions)} == {*ProbeSettings.model_fields, "host"}


@pytest.mark.parametrize(
    ("host", "hosts", "called"),
    [
        ("upstream", ["api.example.com"], ""),
        ("caller", ["*.example.com", "api.example.com", "b.example.com"], "api.example.com"),
        ("caller", ["*.example.com"], ""),
        ("caller", [], ""),
    ],
)
async def test_a_probe_is_asked_as_the_settings_say(host: str, hosts: list[str], called: str, world: World) -> None:
    probe = {"path": "/healthz", "interval": 7, "statuses": [204, "300-399"]}
    upstream = {"targets": [UPSTREAM], "host": host, "probe": probe}
    async with open_runtime(settings(orders=route(upstream=upstream, hosts=hosts)), world) as runtime:
        assert runtime.router.routes[0].upstream.options.probe == ProbeOptions(
            path="/healthz", interval=7, statuses=((204, 204), (300, 399)), host=called
        )
