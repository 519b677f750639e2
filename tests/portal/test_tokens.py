"""Which tokens are believed, whoever brings them."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from gateway.portal.tokens import Doubtful, Expected, KeyUnknown, Signed, check_id_token, verify
from gateway.settings.portal import ALGORITHMS
from tests.portal.fake_provider import KEY, jwk_of

ALL = frozenset(ALGORITHMS)
CLAIMS = {"sub": "alice"}


def part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def signed_text(payload: str, header: str = '{"alg":"RS256","kid":"one"}') -> str:
    """A proper signature around whatever the parts are."""
    text = f"{part(header)}.{part(payload)}"
    signature = jwt.get_algorithm_by_name("RS256").sign(text.encode(), KEY)
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def refused(token: str, keys: list[dict[str, Any]], algorithms: frozenset[str] = ALL) -> str:
    with pytest.raises(Doubtful) as doubt:
        verify(token, keys, algorithms)
    return doubt.value.code


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256"])
def test_a_token_that_a_published_key_signed_is_believed(algorithm: str) -> None:
    token = jwt.encode(CLAIMS, KEY, algorithm, {"kid": "one"})
    assert verify(token, [jwk_of(KEY, "one")], ALL).claims == CLAIMS


@pytest.mark.parametrize(
    ("curve", "algorithm"), [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384"), (ec.SECP521R1(), "ES512")]
)
def test_each_curve_has_its_algorithm_and_no_other(curve: ec.EllipticCurve, algorithm: str) -> None:
    key = ec.generate_private_key(curve)
    jwk = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "one"}
    token = jwt.encode(CLAIMS, key, algorithm, {"kid": "one"})
    assert verify(token, [jwk], ALL).claims == CLAIMS
    assert refused(token, [jwk], ALL - {algorithm}) == "algorithm"
    other = "P-384" if algorithm == "ES256" else "P-256"
    assert refused(token, [{**jwk, "crv": other}]) == "key_unknown"


def test_an_edwards_curve_signs() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    jwk = {**OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "one"}
    assert verify(jwt.encode(CLAIMS, key, "EdDSA", {"kid": "one"}), [jwk], ALL).claims == CLAIMS


def test_two_keys_under_one_id_are_nobodys_guess() -> None:
    token = jwt.encode(CLAIMS, KEY, "RS256", {"kid": "one"})
    another = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(KeyUnknown):
        verify(token, [jwk_of(KEY, "one"), jwk_of(another, "one")], ALL)


@pytest.mark.parametrize(
    "change",
    [{"use": "enc"}, {"alg": "RS512"}, {"kid": "two"}, {"kty": "oct"}, {"d": "AQAB"}, {"k": "AQAB"}, {"kty": "EC"}],
    ids=str,
)
def test_a_key_for_something_else_verifies_nothing(change: dict[str, str]) -> None:
    token = jwt.encode(CLAIMS, KEY, "RS256", {"kid": "one"})
    assert refused(token, [{**jwk_of(KEY, "one"), **change}]) == "key_unknown"


def test_a_weak_key_verifies_nothing() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    text = f"{part(json.dumps({'alg': 'RS256', 'kid': 'one'}))}.{part(json.dumps(CLAIMS))}"
    signature = jwt.get_algorithm_by_name("RS256").sign(text.encode(), weak)
    token = f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert refused(token, [jwk_of(weak, "one")]) == "signature"


def test_a_key_that_is_malformed_does_not_take_others_along() -> None:
    token = jwt.encode(CLAIMS, KEY, "RS256")
    assert verify(token, [{"kty": "RSA", "n": 7, "e": []}, jwk_of(KEY, "one")], ALL).claims == CLAIMS


@pytest.mark.parametrize(
    "payload",
    [
        '{"sub":"alice","sub":"mallory"}',
        '{"exp":NaN}',
        '{"exp":Infinity}',
        '["sub"]',
        '"alice"',
        "{",
        "",
        "[" * 5_000,
    ],
)
def test_a_payload_that_can_be_read_in_two_ways_or_none_is_not_believed(payload: str) -> None:
    assert refused(signed_text(payload), [jwk_of(KEY, "one")]) == "malformed"


@pytest.mark.parametrize(
    "header",
    [
        '{"alg":"RS256","kid":"one","crit":["x"],"x":1}',
        '{"alg":"RS256","kid":"one","crit":[]}',
        '{"alg":"RS256","kid":"one","b64":false}',
        '{"alg":"RS256","kid":"one","zip":"DEF"}',
        '{"alg":"RS256","kid":7}',
        '["RS256"]',
        "{",
    ],
)
def test_a_header_that_we_do_not_understand_is_not_believed(header: str) -> None:
    assert refused(signed_text("{}", header), [jwk_of(KEY, "one")]) == "malformed"


@pytest.mark.parametrize("alg", ['"none"', '"None"', '"HS256"', '"rs256"', "null", "7", '["RS256"]', '""'])
def test_an_algorithm_that_is_not_on_the_list_is_refused_whatever_the_signature(alg: str) -> None:
    assert refused(signed_text("{}", f'{{"alg":{alg},"kid":"one"}}'), [jwk_of(KEY, "one")]) == "algorithm"


def test_no_refusal_repeats_the_token() -> None:
    token = signed_text('{"sub":"hidden"')
    with pytest.raises(Doubtful) as doubt:
        verify(token, [jwk_of(KEY, "one")], ALL)
    assert token[:12] not in repr(doubt.value)
    assert doubt.value.__cause__ is None


@pytest.mark.parametrize("far", [10**400, -(10**400), 1e308])
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_a_time_beyond_all_times_is_compared_or_doubted(name: str, far: float) -> None:
    expected = Expected(issuer="i", client_id="c", algorithms=frozenset())
    claims = {"iss": "i", "aud": "c", "nonce": "n", "sub": "s", "iat": 100, "exp": 200, name: far}
    try:
        subject = check_id_token(Signed(typ="", claims=claims), expected, nonce="n", now=100.0)
    except Doubtful:
        subject = ""
    assert subject == ("s" if (name, far > 0) in {("exp", True), ("nbf", False)} else "")
