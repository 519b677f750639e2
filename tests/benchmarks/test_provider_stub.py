"""The identity provider for machines without nginx's Lua module, and that it does what the other one does."""

import base64
import json
from collections.abc import AsyncIterator

import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from benchmarks.provider_stub import CLIENT_AUTH, Provider, application
from benchmarks.templates import FOLDER

SENT = {"Authorization": CLIENT_AUTH}


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[TestClient]:  # type: ignore[type-arg]  # of the request, which is not used
    async with TestClient(TestServer(application(Provider("http://idp", json.dumps({"keys": []}))))) as client:
        yield client


async def introspect(provider: TestClient, token: str) -> dict[str, object]:  # type: ignore[type-arg]  # as above
    async with provider.post("/introspect", data={"token": token}, headers=SENT) as answer:
        said: dict[str, object] = await answer.json()
        return said


async def test_a_token_that_begins_with_ok_is_active_and_another_is_not(provider: TestClient) -> None:  # type: ignore[type-arg]  # as above
    assert (await introspect(provider, "ok1"))["active"] is True
    assert await introspect(provider, "other") == {"active": False}


async def test_a_revoked_token_is_not_active(provider: TestClient) -> None:  # type: ignore[type-arg]  # as above
    await provider.get("/control?revoke=ok1")
    assert await introspect(provider, "ok1") == {"active": False}


async def test_a_client_that_is_not_known_is_refused(provider: TestClient) -> None:  # type: ignore[type-arg]  # as above
    assert (await provider.post("/introspect", data={"token": "ok1"})).status == 401


async def test_calls_are_counted_since_the_last_look(provider: TestClient) -> None:  # type: ignore[type-arg]  # as above
    await introspect(provider, "ok1")
    await introspect(provider, "ok2")
    await provider.get("/jwks")
    assert await (await provider.get("/control")).json() == {"introspections": 2, "jwks": 1}
    assert await (await provider.get("/control")).json() == {"introspections": 0, "jwks": 0}


def test_both_providers_have_the_same_endpoints_and_know_the_same_client() -> None:
    other = (FOLDER / "provider.conf").read_text()
    app = application(Provider("http://idp", "{}"))
    paths = {resource.canonical for resource in app.router.resources()}
    assert all(f"location = {path} " in other for path in paths)
    assert base64.b64decode(CLIENT_AUTH.removeprefix("Basic ")) == b"gateway:gateway-secret"
