"""The life of a client that registers itself (RFC 7591 and RFC 7592)."""

from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.demo.identity_provider import DemoProvider, run_identity_provider
from tests.demo.asking import RETURN_TO, Answer, Ask, bearer
from tests.fakes import FakeClock

GRANT = {"grant_type": "client_credentials"}
MACHINE: dict[str, Any] = {"client_name": "Shop", "grant_types": ["client_credentials"], "scope": "orders.read"}


async def register(ask: Ask, metadata: object = MACHINE, **options: Any) -> Answer:
    return await ask("POST", "/register", json=metadata, **options)


async def manage(ask: Ask, method: str, client: dict[str, Any], metadata: object = None) -> Answer:
    """A request to the client's own record, with its own token."""
    headers = bearer(client["registration_access_token"])
    return await ask(method, client["registration_client_uri"], headers=headers, json=metadata)


async def test_a_registration_answers_with_everything_that_counts(ask: Ask, clock: FakeClock) -> None:
    answer = await register(ask, {**MACHINE, "software_id": "4NRB1", "unheard_of": True})
    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.body
    assert len(body.pop("client_secret")) >= 32
    assert body.pop("registration_access_token")
    assert body.pop("registration_client_uri") == f"{ask.issuer}/register/{body.pop('client_id')}"
    assert body == {
        **MACHINE,
        "software_id": "4NRB1",
        "client_id_issued_at": clock.time(),
        "client_secret_expires_at": 0,
        "token_endpoint_auth_method": "client_secret_basic",
        "redirect_uris": [],
        "response_types": [],
        "id_token_signed_response_alg": "RS256",
        "access_token_format": "opaque",
        "access_token_signed_response_alg": "RS256",
    }


async def test_a_client_id_can_be_the_argument_of_a_command(ask: Ask) -> None:
    assert {(await register(ask)).body["client_id"].isalnum() for _ in range(20)} == {True}


async def test_a_registered_client_gets_tokens_within_its_scope(ask: Ask) -> None:
    client = (await register(ask)).body
    credentials = (client["client_id"], client["client_secret"])
    assert (await ask.post("/token", GRANT, credentials)).body["scope"] == "orders.read"
    assert (await ask.post("/token", {**GRANT, "scope": "orders.write"}, credentials)).status == 400


async def test_who_names_no_scope_may_have_what_the_provider_offers(ask: Ask) -> None:
    client = (await register(ask, {"grant_types": ["client_credentials"]})).body
    assert client["scope"] == "openid profile orders.read orders.write"


async def test_a_public_client_gets_no_secret_and_can_log_people_in(ask: Ask) -> None:
    metadata = {"redirect_uris": [RETURN_TO], "token_endpoint_auth_method": "none", "client_name": None}
    client = (await register(ask, metadata)).body
    assert "client_secret" not in client
    assert (client["grant_types"], client["response_types"]) == (["authorization_code"], ["code"])
    tokens = await ask.tokens(client["client_id"])
    assert "refresh_token" not in tokens


async def test_a_client_with_keys_gets_no_secret(ask: Ask) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    jwks = {"keys": [jwt.algorithms.ECAlgorithm.to_jwk(key, as_dict=True)]}
    client = (await register(ask, {**MACHINE, "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks})).body
    assert "client_secret" not in client
    assert client["jwks"] == jwks


@pytest.mark.parametrize(
    "wrong",
    [
        {"grant_types": ["implicit"]},
        {"grant_types": "client_credentials"},
        {"response_types": ["token"]},
        {"response_types": ["code"]},
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "none"},
        {"scope": "admin"},
        {"scope": ["orders.read"]},
        {"scope": 'a"b'},
        {"client_name": 7},
        {"client_name": "x" * 1001},
        {"jwks": {"keys": []}},
        {"jwks": {"keys": "x"}},
        {"jwks": {"keys": [{"kty": "oct", "k": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]}},
        {"jwks": []},
        {"access_token_format": "paseto"},
    ],
    ids=str,
)
async def test_metadata_that_does_not_do_is_refused(provider: DemoProvider, ask: Ask, wrong: dict[str, object]) -> None:
    before = set(provider.clients)
    answer = await register(ask, {**MACHINE, **wrong})
    assert (answer.status, answer.body["error"]) == (400, "invalid_client_metadata")
    assert set(provider.clients) == before


@pytest.mark.parametrize(
    "uris",
    [
        [],
        None,
        "https://a.example/",
        ["/callback"],
        ["https://a.example/#x"],
        ["javascript:alert(1)"],
        ["data:text/html,x"],
        ["http://["],
        ["https://a.example/é"],
        ["https:///path"],
        [7],
    ],
    ids=str,
)
async def test_a_redirect_uri_that_does_not_do_is_refused(ask: Ask, uris: object) -> None:
    answer = await register(ask, {"redirect_uris": uris})
    assert (answer.status, answer.body["error"]) == (400, "invalid_redirect_uri")


async def test_an_application_may_be_returned_to_by_its_own_scheme(ask: Ask) -> None:
    answer = await register(ask, {"redirect_uris": ["com.example.app:/callback"]})
    assert answer.status == 201


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_refused(ask: Ask, body: bytes) -> None:
    answer = await ask("POST", "/register", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.body["error"]) == (400, "invalid_client_metadata")


async def test_registration_can_be_kept_for_those_with_an_initial_access_token() -> None:
    async with (
        run_identity_provider(initial_access_token="let me in") as provider,
        aiohttp.ClientSession() as session,
    ):
        ask = Ask(session, provider.issuer)
        for headers in ({}, bearer("guess"), bearer("é".encode().decode("latin-1"))):
            answer = await register(ask, headers=headers)
            assert (answer.status, answer.body["error"]) == (401, "invalid_token")
        assert (await register(ask, headers=bearer("let me in"))).status == 201


async def test_a_client_reads_its_record(ask: Ask) -> None:
    client = (await register(ask)).body
    answer = await manage(ask, "GET", client)
    assert (answer.status, answer.body) == (200, client)


async def test_an_update_replaces_and_keeps_id_secret_and_token(ask: Ask) -> None:
    client = (await register(ask, {**MACHINE, "software_id": "4NRB1"})).body
    update = {**MACHINE, "client_id": client["client_id"], "client_name": "Shop 2", "scope": "orders.write"}
    answer = await manage(ask, "PUT", client, update)
    assert answer.status == 200
    # RFC 7592, 2.2: what is left out is deleted.
    assert answer.body == {k: v for k, v in client.items() if k != "software_id"} | {
        "client_name": "Shop 2",
        "scope": "orders.write",
    }
    assert (await manage(ask, "GET", client)).body == answer.body
    token = await ask.post("/token", GRANT, (client["client_id"], client["client_secret"]))
    assert token.body["scope"] == "orders.write"


async def test_an_update_may_repeat_the_secret_and_not_choose_one(ask: Ask) -> None:
    client = (await register(ask)).body
    update = {**MACHINE, "client_id": client["client_id"]}
    assert (await manage(ask, "PUT", client, {**update, "client_secret": client["client_secret"]})).status == 200
    for chosen in ("mine", 7):
        assert (await manage(ask, "PUT", client, {**update, "client_secret": chosen})).status == 400


@pytest.mark.parametrize("member", ["registration_access_token", "client_id_issued_at", "client_secret_expires_at"])
async def test_an_update_does_not_hold_what_the_provider_decides(ask: Ask, member: str) -> None:
    client = (await register(ask)).body
    update = {**MACHINE, "client_id": client["client_id"], member: client[member]}
    answer = await manage(ask, "PUT", client, update | {member: client[member] or 1})
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")


async def test_an_update_says_whose_it_is(ask: Ask) -> None:
    client = (await register(ask)).body
    for client_id in (None, "gateway"):
        answer = await manage(ask, "PUT", client, {**MACHINE, "client_id": client_id})
        assert (answer.status, answer.body["error"]) == (400, "invalid_request")


async def test_an_update_that_does_not_do_changes_nothing(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    client = (await register(ask)).body
    answer = await manage(ask, "PUT", client, {**MACHINE, "client_id": client["client_id"], "scope": "admin"})
    assert (answer.status, answer.body["error"]) == (400, "invalid_client_metadata")
    assert (await manage(ask, "GET", client)).body == client
    assert capsys.readouterr().out == ""


async def test_a_client_that_becomes_public_loses_its_secret(ask: Ask) -> None:
    client = (await register(ask)).body
    update = {
        "client_id": client["client_id"],
        "token_endpoint_auth_method": "none",
        "redirect_uris": [RETURN_TO],
    }
    assert "client_secret" not in (await manage(ask, "PUT", client, update)).body
    back = await manage(ask, "PUT", client, {**MACHINE, "client_id": client["client_id"]})
    assert back.body["client_secret"] != client["client_secret"]


async def test_with_a_client_go_its_token_its_record_and_its_tokens(ask: Ask) -> None:
    client = (await register(ask)).body
    credentials = (client["client_id"], client["client_secret"])
    token = (await ask.post("/token", GRANT, credentials)).body["access_token"]
    assert await ask.is_active(token)
    answer = await manage(ask, "DELETE", client)
    assert (answer.status, answer.body) == (204, "")
    assert not await ask.is_active(token)
    assert (await ask.post("/token", GRANT, credentials)).status == 401
    for method in ("GET", "DELETE", "PUT"):
        assert (await manage(ask, method, client, {})).status == 401


async def test_a_record_opens_to_its_own_token_only(ask: Ask) -> None:
    mine, yours = (await register(ask)).body, (await register(ask)).body
    for headers in ({}, bearer("guess"), bearer(yours["registration_access_token"]), bearer(mine["client_secret"])):
        for method in ("GET", "PUT", "DELETE"):
            answer = await ask(method, mine["registration_client_uri"], headers=headers, json={})
            assert (answer.status, answer.body["error"]) == (401, "invalid_token")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert (await manage(ask, "GET", mine)).status == 200


async def test_a_client_that_did_not_register_has_no_record(ask: Ask) -> None:
    answer = await ask("GET", "/register/gateway", headers=bearer("gateway-secret"))
    assert answer.status == 401
