"""The token endpoint, for an application that acts for itself (RFC 6749, 4.4)."""

import logging

import jwt
import pytest

from gateway.demo.identity_provider import AUDIENCE, DemoProvider
from tests.demo.asking import Ask, basic
from tests.demo.test_metadata_and_keys import published_keys, verify

SHOP = ("shop", "shop-secret")
GRANT = ("grant_type", "client_credentials")


async def test_the_answer_has_what_rfc_6749_asks_for(ask: Ask) -> None:
    answer = await ask.post("/token", [GRANT, ("scope", "orders.read")], SHOP)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.body.pop("access_token")
    assert answer.body == {"token_type": "Bearer", "expires_in": 600, "scope": "orders.read"}


async def test_without_a_scope_the_token_has_all_that_was_registered(ask: Ask) -> None:
    assert (await ask.post("/token", [GRANT], SHOP)).body["scope"] == "orders.read orders.write"


@pytest.mark.parametrize("scope", ["openid", "orders.read openid", "admin", 'a"b'])
async def test_no_client_gets_a_scope_that_it_was_not_registered_for(ask: Ask, scope: str) -> None:
    answer = await ask.post("/token", [GRANT, ("scope", scope)], SHOP)
    assert (answer.status, answer.body["error"]) == (400, "invalid_scope")


async def test_a_token_is_opaque_unless_somebody_asked_for_a_jwt(ask: Ask) -> None:
    assert "." not in (await ask.post("/token", [GRANT], SHOP)).body["access_token"]


async def test_a_resource_ending_in_jwt_makes_a_jwt_for_that_resource(ask: Ask) -> None:
    form = [GRANT, ("scope", "orders.read"), ("resource", "https://api.example/jwt")]
    token = (await ask.post("/token", form, SHOP)).body["access_token"]
    claims = verify(token, await published_keys(ask))
    assert (claims["aud"], claims["scope"]) == ("https://api.example/jwt", "orders.read")


async def test_a_client_can_be_set_to_jwts(provider: DemoProvider, ask: Ask) -> None:
    provider.add_client("es", "s", scope="a", access_token_format="jwt", access_token_signed_response_alg="ES256")
    token = (await ask.post("/token", [GRANT], ("es", "s"))).body["access_token"]
    assert jwt.get_unverified_header(token)["alg"] == "ES256"
    assert verify(token, await published_keys(ask), "ES256")["aud"] == AUDIENCE


async def test_several_resources_are_several_audiences(ask: Ask) -> None:
    form = [GRANT, ("resource", "https://a.example"), ("resource", "https://b.example")]
    token = (await ask.post("/token", form, SHOP)).body["access_token"]
    assert (await ask.introspect(token)).body["aud"] == ["https://a.example", "https://b.example"]


@pytest.mark.parametrize("resource", ["/orders", "https://a.example/#x", "http://[", "orders"])
async def test_a_resource_that_is_no_absolute_uri_is_refused(ask: Ask, resource: str) -> None:
    answer = await ask.post("/token", [GRANT, ("resource", resource)], SHOP)
    assert (answer.status, answer.body["error"]) == (400, "invalid_target")


@pytest.mark.parametrize("grant", ["password", "", "implicit", "urn:é"])
async def test_other_grants_are_not_supported(ask: Ask, grant: str) -> None:
    answer = await ask.post("/token", {"grant_type": grant}, SHOP)
    assert (answer.status, answer.body["error"]) == (400, "unsupported_grant_type")


async def test_a_client_keeps_to_the_grants_it_was_registered_for(ask: Ask) -> None:
    answer = await ask.post("/token", [GRANT], ("gateway", "gateway-secret"))
    assert (answer.status, answer.body["error"]) == (400, "unauthorized_client")


async def test_a_parameter_comes_once(ask: Ask) -> None:
    answer = await ask.post("/token", [GRANT, ("scope", "orders.read"), ("scope", "orders.write")], SHOP)
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


async def test_a_parameter_without_a_value_is_no_parameter(ask: Ask) -> None:
    answer = await ask.post("/token", [GRANT, ("scope", "")], SHOP)
    assert answer.body["scope"] == "orders.read orders.write"


@pytest.mark.parametrize("body", [b"grant_type=%ff", b"\xff=1"])
async def test_a_body_that_is_not_utf8_is_refused(ask: Ask, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", **basic(*SHOP)}
    answer = await ask("POST", "/token", data=body, headers=headers)
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


async def test_json_is_not_a_form(ask: Ask) -> None:
    answer = await ask("POST", "/token", json=dict([GRANT]), headers=basic(*SHOP))
    assert (answer.status, answer.body["error"]) == (400, "unsupported_grant_type")


async def test_no_token_is_written_into_a_log(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answer = await ask.post("/token", [GRANT], SHOP)
    assert answer.body["access_token"] not in caplog.text
    assert "shop-secret" not in caplog.text
