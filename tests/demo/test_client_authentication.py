"""The five ways in which a client says who it is, and how each fails."""

import base64
import json
import secrets
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.demo.identity_provider import DemoProvider
from tests.demo.asking import Ask, basic
from tests.fakes import FakeClock

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SECRET = "a secret that is long enough for HS256, with + and %"
CREDENTIALS_GRANT = {"grant_type": "client_credentials"}


def assertion(clock: FakeClock, key: Any, algorithm: str, to: str, **claims: object) -> dict[str, str]:
    """The parameters of a client that signs; a claim that is None is left out."""
    signed = {"iss": "signer", "sub": "signer", "aud": to, "exp": clock.time() + 60, "jti": secrets.token_hex()}
    payload = json.dumps({name: value for name, value in (signed | claims).items() if value is not None})
    token = jwt.api_jws.encode(payload.encode(), key, algorithm)
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": token}


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def signer(provider: DemoProvider, key: ec.EllipticCurvePrivateKey) -> str:
    """A client with private_key_jwt."""
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    provider.add_client("signer", token_endpoint_auth_method="private_key_jwt", jwks={"keys": [jwk]}, scope="a")
    return "signer"


async def test_basic_takes_what_was_form_encoded_before(provider: DemoProvider, ask: Ask) -> None:
    provider.add_client("a:b c", SECRET, scope="a")
    assert (await ask.post("/token", CREDENTIALS_GRANT, ("a:b c", SECRET))).status == 200


async def test_post_takes_the_secret_from_the_form(provider: DemoProvider, ask: Ask) -> None:
    provider.add_client("poster", SECRET, token_endpoint_auth_method="client_secret_post", scope="a")
    form = {**CREDENTIALS_GRANT, "client_id": "poster", "client_secret": SECRET}
    assert (await ask.post("/token", form)).status == 200
    assert (await ask.post("/token", {**form, "client_secret": "wrong"})).status == 401


async def test_a_secret_may_sign_instead_of_being_sent(provider: DemoProvider, ask: Ask, clock: FakeClock) -> None:
    provider.add_client("signer", SECRET, token_endpoint_auth_method="client_secret_jwt", scope="a")
    proof = assertion(clock, SECRET, "HS256", ask.issuer)
    assert (await ask.post("/token", CREDENTIALS_GRANT | proof)).status == 200
    forged = assertion(clock, SECRET + "x", "HS256", ask.issuer)
    assert (await ask.post("/token", CREDENTIALS_GRANT | forged)).status == 401


@pytest.mark.parametrize("path", ["", "/token"])
async def test_a_private_key_may_sign(
    ask: Ask, clock: FakeClock, key: ec.EllipticCurvePrivateKey, signer: str, path: str
) -> None:
    proof = assertion(clock, key, "ES256", ask.issuer + path)
    assert (await ask.post("/token", CREDENTIALS_GRANT | proof)).status == 200


async def test_an_assertion_also_opens_introspection(
    provider: DemoProvider, ask: Ask, clock: FakeClock, key: ec.EllipticCurvePrivateKey, signer: str
) -> None:
    token = provider.issue("shop", "orders.read")
    proof = assertion(clock, key, "ES256", ask.issuer + "/introspect")
    assert (await ask.post("/introspect", {"token": token} | proof)).body["active"] is True


async def test_an_assertion_works_once(
    ask: Ask, clock: FakeClock, key: ec.EllipticCurvePrivateKey, signer: str
) -> None:
    proof = assertion(clock, key, "ES256", ask.issuer)
    assert (await ask.post("/token", CREDENTIALS_GRANT | proof)).status == 200
    assert (await ask.post("/token", CREDENTIALS_GRANT | proof)).status == 401


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://elsewhere.example"},
        {"aud": None},
        {"iss": "somebody else"},
        {"sub": "nobody"},
        {"sub": None},
        {"sub": ["signer"]},
        {"jti": None},
        {"jti": 7},
        {"exp": None},
        {"exp": 1_000},
        {"exp": "soon"},
    ],
    ids=str,
)
async def test_an_assertion_that_says_anything_else_is_refused(
    ask: Ask, clock: FakeClock, key: ec.EllipticCurvePrivateKey, signer: str, claims: dict[str, object]
) -> None:
    proof = assertion(clock, key, "ES256", ask.issuer, **claims)
    answer = await ask.post("/token", CREDENTIALS_GRANT | proof)
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("rubbish", ["x", "a.b.c", "e30.e30.", "e30.W10.e30", "..", "é.é.é"])
async def test_an_assertion_that_is_no_jwt_is_refused(ask: Ask, signer: str, rubbish: str) -> None:
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": rubbish}
    answer = await ask.post("/token", CREDENTIALS_GRANT | proof)
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")


async def test_a_client_id_beside_an_assertion_names_the_same_client(
    ask: Ask, clock: FakeClock, key: ec.EllipticCurvePrivateKey, signer: str
) -> None:
    proofs = [assertion(clock, key, "ES256", ask.issuer) for _ in range(2)]
    assert (await ask.post("/token", {**CREDENTIALS_GRANT, **proofs[0], "client_id": "shop"})).status == 401
    assert (await ask.post("/token", {**CREDENTIALS_GRANT, **proofs[1], "client_id": "signer"})).status == 200


async def test_an_unsigned_assertion_is_refused(ask: Ask, clock: FakeClock, signer: str) -> None:
    assert (await ask.post("/token", CREDENTIALS_GRANT | assertion(clock, "", "none", ask.issuer))).status == 401


@pytest.mark.parametrize("client", [("shop", "wrong"), ("nobody", "shop-secret"), ("shop", ""), ("", "")])
@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
async def test_wrong_credentials_are_401_with_a_challenge(ask: Ask, client: tuple[str, str], path: str) -> None:
    answer = await ask.post(path, {**CREDENTIALS_GRANT, "token": "x"}, client)
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Tokenward demo"'


@pytest.mark.parametrize(
    "header", ["Basic", "Basic ???", "Bearer abc", "Basic " + base64.b64encode(b"\xff\xfe").decode()]
)
async def test_a_malformed_authorization_header_is_401(ask: Ask, header: str) -> None:
    answer = await ask("POST", "/token", data=CREDENTIALS_GRANT, headers={"Authorization": header})
    assert (answer.status, answer.body["error"]) == (401, "invalid_client")


async def test_a_client_keeps_to_the_method_it_was_registered_for(ask: Ask) -> None:
    form = {**CREDENTIALS_GRANT, "client_id": "shop", "client_secret": "shop-secret"}
    assert (await ask.post("/token", form)).status == 401
    assert (await ask.post("/token", {**CREDENTIALS_GRANT, "client_id": "shop"})).status == 401


async def test_two_ways_at_once_are_one_too_many(ask: Ask) -> None:
    form = {**CREDENTIALS_GRANT, "client_id": "shop", "client_secret": "shop-secret"}
    answer = await ask("POST", "/token", data=form, headers=basic("shop", "shop-secret"))
    assert (answer.status, answer.body["error"]) == (400, "invalid_request")
