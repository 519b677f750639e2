"""What introspection says (RFC 7662), and what revocation takes back (RFC 7009)."""

import pytest

from gateway.demo.identity_provider import DemoProvider
from tests.demo.asking import RETURN_TO, Ask
from tests.fakes import FakeClock

SHOP = ("shop", "shop-secret")


@pytest.fixture(autouse=True)
def web(provider: DemoProvider) -> None:
    provider.add_client(
        "web",
        scope="openid orders.read",
        token_endpoint_auth_method="none",
        grant_types=["authorization_code", "refresh_token"],
        redirect_uris=[RETURN_TO],
    )


@pytest.mark.parametrize("jwt", [False, True])
async def test_introspection_tells_all_about_an_active_token(
    provider: DemoProvider, ask: Ask, clock: FakeClock, jwt: bool
) -> None:
    token = provider.issue("shop", "a b", jwt=jwt, subject="alice", audience=["x", "y"], lifetime=60)
    answer = await ask.introspect(token, token_type_hint="access_token")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.body.pop("jti")
    assert answer.body == {
        "active": True,
        "token_type": "Bearer",
        "iss": provider.issuer,
        "sub": "alice",
        "client_id": "shop",
        "scope": "a b",
        "aud": ["x", "y"],
        "iat": clock.time(),
        "exp": clock.time() + 60,
    }


@pytest.mark.parametrize("jwt", [False, True])
async def test_a_token_is_inactive_from_the_very_second_it_expires(
    provider: DemoProvider, ask: Ask, clock: FakeClock, jwt: bool
) -> None:
    token = provider.issue("shop", "a", jwt=jwt, lifetime=60)
    clock.move(59)
    assert await ask.is_active(token)
    clock.move(1)
    assert not await ask.is_active(token)


async def test_of_an_inactive_token_introspection_says_nothing_else(ask: Ask) -> None:
    assert (await ask.introspect("unknown")).body == {"active": False}


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "anything"])
async def test_a_refresh_token_is_not_an_active_access_token(ask: Ask, hint: str) -> None:
    tokens = await ask.tokens()
    assert (await ask.introspect(tokens["refresh_token"], token_type_hint=hint)).body == {"active": False}
    assert (await ask.introspect(tokens["access_token"], token_type_hint=hint)).body["active"] is True


async def test_a_public_client_cannot_introspect(provider: DemoProvider, ask: Ask) -> None:
    answer = await ask.post("/introspect", {"token": provider.issue("shop", "a"), "client_id": "web"})
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")


async def test_introspection_and_revocation_want_a_token(ask: Ask) -> None:
    for path in ("/introspect", "/revoke"):
        answer = await ask.post(path, {}, SHOP)
        assert (answer.status, answer.body["error"]) == (400, "invalid_request")


async def test_introspections_are_counted_refusals_included(provider: DemoProvider, ask: Ask) -> None:
    await ask.introspect("unknown")
    await ask.post("/introspect", {"token": "x"}, ("gateway", "wrong"))
    assert provider.introspections == 2


@pytest.mark.parametrize("jwt", [False, True])
async def test_a_revoked_token_is_inactive(provider: DemoProvider, ask: Ask, jwt: bool) -> None:
    token, other = [provider.issue("shop", "a", jwt=jwt) for _ in range(2)]
    assert (await ask.post("/revoke", {"token": token, "token_type_hint": "refresh_token"}, SHOP)).status == 200
    assert not await ask.is_active(token)
    assert await ask.is_active(other)


async def test_an_unknown_token_is_revoked_already(ask: Ask) -> None:
    assert (await ask.post("/revoke", {"token": "unknown", "token_type_hint": "whatever"}, SHOP)).status == 200


async def test_a_client_cannot_revoke_the_token_of_another(provider: DemoProvider, ask: Ask) -> None:
    token = provider.issue("shop", "a")
    assert (await ask.post("/revoke", {"token": token}, ("gateway", "gateway-secret"))).status == 400
    assert (await ask.post("/revoke", {"token": token, "client_id": "web"})).status == 400
    assert await ask.is_active(token)


async def test_with_its_refresh_token_a_login_ends(ask: Ask) -> None:
    tokens = await ask.tokens()
    assert (await ask.post("/revoke", {"token": tokens["refresh_token"], "client_id": "web"})).status == 200
    assert not await ask.is_active(tokens["access_token"])


async def test_with_its_client_a_token_dies(provider: DemoProvider, ask: Ask) -> None:
    token = provider.issue("shop", "a", jwt=True)
    provider.delete_client("shop")
    assert not await ask.is_active(token)


async def test_the_owner_of_the_provider_revokes_without_a_request(provider: DemoProvider, ask: Ask) -> None:
    token = provider.issue("shop", "a")
    provider.revoke(token)
    assert not await ask.is_active(token)
