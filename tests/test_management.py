"""The registry as a configuration has it, through its changes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.clients import ClientKey
from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import new_key
from gateway.management import Managed, offered, open_registry
from gateway.settings import Settings, parse
from tests.fakes import FakeClock, FakeMetrics

TEXT = """
providers:
  one: {{issuer: "http://127.0.0.1:1", introspection: {{client_id: g, client_secret: s}}, registration: {{timeout: {one}}}}}
  two: {{issuer: "http://127.0.0.1:2", introspection: {{client_id: g, client_secret: s}}, registration: {{}}}}
  none: {{issuer: "http://127.0.0.1:3", introspection: {{client_id: g, client_secret: s}}}}
tiers: {{gold: {{limits: [{{requests: 1, seconds: 1}}]}}}}
apis: {{orders: {{title: Orders, tiers: [gold], url: {url}}}}}
routes:
  orders: {{path: /orders, upstream: "http://127.0.0.1:4", policies: [{{token-enforcement: {{provider: one, scopes: [read]}}}}]}}
  more: {{path: /more, api: orders, upstream: "http://127.0.0.1:4", policies: [{{token-enforcement: {{provider: one, scopes: [write]}}}}]}}
  loose: {{path: /loose, upstream: "http://127.0.0.1:4", policies: [{{token-enforcement: {{provider: none}}}}]}}
  open: {{path: /open, upstream: "http://127.0.0.1:4", policies: []}}
"""  # noqa: E501 - a table


def settings(*, one: float = 5, url: str = "null") -> Settings:
    return parse(TEXT.format(one=one, url=url))


async def tell_nobody(_: ClientKey) -> None:
    return


@pytest.fixture
async def managed(tmp_path: Path) -> AsyncIterator[Managed]:
    clock = FakeClock()
    options = StoreOptions(url=SecretStr(f"sqlite:///{tmp_path}/s.db"), encryption_keys=(SecretStr(new_key()),))
    async with (
        open_store(options, clock) as store,
        open_registry(settings(), store, clock, FakeMetrics(), tell_nobody) as opened,
    ):
        yield opened


def test_what_is_listed_are_the_apis_whose_clients_can_be_registered_and_operators_know_all_that_want_tokens() -> None:
    assert {name: api.listed for name, api in offered(settings()).apis.items()} == {"orders": True, "loose": False}


def test_an_api_asks_for_the_scopes_of_all_its_routes_where_nothing_else_is_said() -> None:
    assert offered(settings()).apis["orders"].scopes == ("read", "write")


def test_an_api_is_reached_at_its_first_route_where_nothing_else_is_said() -> None:
    assert offered(settings()).apis["orders"].url == "http://127.0.0.1:8080/orders"
    assert offered(settings(url="https://api.example/v1")).apis["orders"].url == "https://api.example/v1"


async def test_a_reload_leaves_alone_what_it_does_not_change(managed: Managed) -> None:
    before = dict(managed.registry.registrars)
    await managed.offer(settings(url="https://api.example/v1"))
    assert dict(managed.registry.registrars) == before
    assert managed.registry.catalogue.apis["orders"].url == "https://api.example/v1"


async def test_a_registration_that_changes_is_opened_anew_and_the_others_stay(managed: Managed) -> None:
    before = dict(managed.registry.registrars)
    await managed.offer(settings(one=7))
    now = managed.registry.registrars
    assert now["one"] is not before["one"]
    assert now["two"] is before["two"]
    assert now["one"].registration.timeout == 7
