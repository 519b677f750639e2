"""Who may use the API: every route of it is tried without credentials."""

import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.admin import PROBES, Admin
from gateway.build import this_build
from gateway.demo.identity_provider import run_identity_provider
from tests.gateways import INTENT, Caller, Served, calling, configuration, served
from tests.managed import managed

NOBODY = "http://127.0.0.1:9"
TOKEN = "a-token-for-operators-only"
ID = "00000000-0000-4000-8000-000000000000"


@asynccontextmanager
async def gateway(folder: Path, token: str | None = None) -> AsyncIterator[Served]:
    admin = {"listen": "127.0.0.1:0", **({} if token is None else {"token": token})}
    async with run_identity_provider() as idp, served(managed(idp.issuer, NOBODY, folder, admin=admin)) as it:
        yield it


def admin_of(it: Served, *, loopback: bool = True) -> Admin:
    office = it.serving.front_office
    assert office is not None
    return Admin(it.serving, this_build(), loopback=loopback, api=office.api)


def routes(it: Served) -> list[tuple[str, str]]:
    """Every route of the admin listener, but the probes, with an id where one is needed."""
    found = []
    for route in admin_of(it).application().router.routes():
        assert route.resource is not None
        found.append((route.method, route.resource.canonical.replace("{id}", ID)))
    return sorted(route for route in found if route[1] not in PROBES)


def headers(token: str | None) -> Mapping[str, str]:
    return INTENT if token is None else {**INTENT, "Authorization": f"Bearer {token}"}


@pytest.mark.case("C290", "C305")
@pytest.mark.parametrize("credential", [None, "", TOKEN[:-1], "another-token"])
async def test_every_management_route_is_closed_to_who_has_no_token(credential: str | None, tmp_path: Path) -> None:
    async with gateway(tmp_path, TOKEN) as it:
        tried = routes(it)
        assert sum(path.startswith("/api/") for _, path in tried) > 20
        for method, path in tried:
            answer = await it.operator.ask(method, path, headers=headers(credential))
            assert (answer.status, method == "HEAD" or answer.code) in {(401, True), (401, "admin_token_required")}


@pytest.mark.case("C290", "C305")
async def test_without_a_token_nothing_is_changed_by_who_does_not_say_that_it_is_meant(tmp_path: Path) -> None:
    async with gateway(tmp_path) as it:
        for method, path in routes(it):
            if method not in {"GET", "HEAD"}:
                for sent in ({}, {"Origin": "https://evil.example"}, {"X-Requested-With": "XMLHttpRequest"}):
                    answer = await it.operator.ask(method, path, headers=sent)
                    assert (answer.status, answer.code) == (403, "intent_required")


@pytest.mark.case("C305")
async def test_a_page_whose_name_was_made_to_point_here_reads_nothing(tmp_path: Path) -> None:
    async with gateway(tmp_path) as it:
        answer = await it.operator.ask("GET", "/api/v1/clients", headers={"Host": "evil.example"})
        assert (answer.status, answer.code) == (421, "host_not_local")


@pytest.mark.case("C290", "C305")
async def test_off_loopback_without_a_token_people_are_neither_shown_nor_changed(tmp_path: Path) -> None:
    async with gateway(tmp_path) as it, elsewhere(it) as ask:
        for method, path in routes(it):
            if path.startswith("/api/") and method != "HEAD":
                answer = await ask(method, path, headers=INTENT)
                assert (answer.status, answer.code) == (403, "admin_token_unset")


@asynccontextmanager
async def elsewhere(it: Served) -> AsyncIterator[Caller]:
    """The same admin listener as if its address were one that others reach."""
    listener = socket.create_server(("127.0.0.1", 0))
    async with admin_of(it, loopback=False).listening([listener]), calling(listener.getsockname()[1]) as ask:
        yield ask


async def test_a_gateway_without_a_store_has_no_such_api() -> None:
    async with served(configuration(NOBODY, NOBODY)) as it:
        answer = await it.operator.ask("GET", "/api/v1/clients")
        assert (answer.status, answer.code) == (404, "not_found")
