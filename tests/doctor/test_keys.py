"""The published keys: which count, which do not and why, and that the enforcement of tokens thinks the same of each."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway.doctor.findings import Result
from gateway.doctor.jwks import KeyFacts, NoKeySet, read_key_set
from policies.token_enforcement.jwk import UnusableKey, public_key
from policies.token_enforcement.jwks import parse_key_set
from tests.doctor.examining import JWK, SIGNER, found, report_on
from tests.faulty_server import answer, document, html, redirect, silent

ELSEWHERE = "Write endpoints.jwks: the URL of the keys."


def rsa_jwk(bits: int, **members: Any) -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": f"rsa-{bits}", **members}


def ec_jwk(curve: ec.EllipticCurve, **members: Any) -> dict[str, Any]:
    return {**ECAlgorithm.to_jwk(ec.generate_private_key(curve).public_key(), as_dict=True), **members}


def without(jwk: dict[str, Any], name: str) -> dict[str, Any]:
    return {member: value for member, value in jwk.items() if member != name}


SMALL = rsa_jwk(1024)
PRIVATE = {**RSAAlgorithm.to_jwk(SIGNER, as_dict=True), "kid": "private"}
SHARED = {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "kid": "shared"}
BITCOIN = ec_jwk(ec.SECP256K1(), kid="bitcoin")
P256 = ec_jwk(ec.SECP256R1(), kid="p256")
ED25519 = OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate().public_key(), as_dict=True)
ED448 = OKPAlgorithm.to_jwk(ed448.Ed448PrivateKey.generate().public_key(), as_dict=True)

KEYS: dict[str, dict[str, Any]] = {
    "RSA": JWK,
    "RSA without alg": without(JWK, "alg"),
    "RSA without use": without(JWK, "use"),
    "RSA without kid": without(JWK, "kid"),
    "RSA of 1024 bits": SMALL,
    "RSA with a foreign alg": {**JWK, "alg": "ES256"},
    "RSA with an alg that is no text": {**JWK, "alg": 256},
    "RSA with a kid that is no text": {**JWK, "kid": 1},
    "RSA for encryption": {**JWK, "use": "enc"},
    "RSA for encryption by its alg": {**without(JWK, "use"), "alg": "RSA-OAEP"},
    "RSA to sign with": {**JWK, "key_ops": ["sign"]},
    "RSA to verify with": {**JWK, "key_ops": ["verify"]},
    "RSA without modulus": without(JWK, "n"),
    "RSA with a modulus that is no text": {**JWK, "n": 5},
    "RSA, private": PRIVATE,
    "P-256": P256,
    "P-384": ec_jwk(ec.SECP384R1()),
    "P-521": ec_jwk(ec.SECP521R1()),
    "secp256k1": BITCOIN,
    "a point off the curve": {**P256, "y": P256["x"]},
    "Ed25519": ED25519,
    "Ed25519 by its new name": {**ED25519, "alg": "Ed25519"},
    "Ed448": ED448,
    "X25519": {**ED25519, "crv": "X25519"},
    "a shared secret": SHARED,
    "an unknown type": {"kty": "DNA", "kid": "double helix"},
    "no type": {"kid": "nothing"},
}


def judged(*jwks: object) -> KeyFacts:
    return read_key_set(json.dumps({"keys": jwks}).encode())


@pytest.mark.parametrize("name", KEYS)
def test_a_key_counts_here_when_it_counts_where_tokens_are_verified(name: str) -> None:
    facts = judged(KEYS[name])
    try:
        algorithms = public_key(KEYS[name]).algorithms
    except UnusableKey:
        assert (len(facts.usable), len(facts.ignored)) == (0, 1)
    else:
        assert [key.algorithms for key in facts.usable] == [algorithms]


@pytest.mark.parametrize(
    ("name", "reason", "result"),
    [
        ("RSA for encryption", "is not for signatures (use: enc)", Result.OK),
        ("RSA to sign with", "is not for verifying (key_ops)", Result.OK),
        ("RSA of 1024 bits", "is an RSA key of 1024 bits, and 2048 to 8192 are needed", Result.WARNING),
        ("a shared secret", "is a shared secret (oct), which nobody may publish", Result.FAILURE),
        ("RSA, private", "is a private key: whoever reads it can sign tokens", Result.FAILURE),
        ("secp256k1", "is of a type that is not supported (EC secp256k1)", Result.WARNING),
        ("RSA for encryption by its alg", "is for an algorithm that does not sign tokens (RSA-OAEP)", Result.WARNING),
        ("RSA with a kid that is no text", "has a kid that is no text", Result.WARNING),
        ("RSA without modulus", "is malformed", Result.WARNING),
        ("no type", "is malformed", Result.WARNING),
    ],
)
def test_a_key_is_ignored_for_a_reason(name: str, reason: str, result: Result) -> None:
    (ignored,) = judged(KEYS[name]).ignored
    assert (ignored.reason, ignored.result) == (reason, result)


def test_two_keys_of_one_name_count_for_nothing() -> None:
    facts = judged({**P256, "kid": "one"}, {**ec_jwk(ec.SECP256R1()), "kid": "one"}, JWK)
    assert [key.algorithms for key in facts.usable] == [frozenset({"RS256"})]
    assert {(key.label, key.reason) for key in facts.ignored} == {
        ("one", "shares its kid with another key of the same algorithm")
    }


def test_a_key_that_is_listed_twice_still_counts() -> None:
    assert len(judged(P256, P256).usable) == 2
    assert parse_key_set(json.dumps({"keys": [P256, P256]}).encode()).candidates("ES256", "p256")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", 'is no JSON object with a list "keys"'),
        (b'{"keys": {}}', 'is no JSON object with a list "keys"'),
        (json.dumps({"keys": [{}] * 101}).encode(), "holds 101 keys, more than the 100 that are read"),
    ],
)
def test_what_is_no_key_set(body: bytes, reason: str) -> None:
    with pytest.raises(NoKeySet) as caught:
        read_key_set(body)
    assert str(caught.value) == reason


async def test_keys_that_can_be_used() -> None:
    report = await report_on(keys=document({"keys": [JWK, P256]}))
    assert found(report, "keys") == ("ok", "2 usable keys for ES256, RS256.", "")


async def test_a_key_for_encryption_is_told_and_is_no_fault() -> None:
    report = await report_on(keys=document({"keys": [JWK, {**JWK, "kid": "e", "use": "enc"}]}))
    seen = "Ignored, as it should be: e is not for signatures (use: enc)."
    assert found(report, "ignored keys") == ("ok", seen, "")


async def test_a_key_that_is_too_short_is_worth_a_warning() -> None:
    report = await report_on(keys=document({"keys": [JWK, SMALL]}))
    assert found(report, "ignored keys") == (
        "warning",
        "Ignored: rsa-1024 is an RSA key of 1024 bits, and 2048 to 8192 are needed.",
        "Tokens that it signs will be refused; let the provider replace it, if it signs any.",
    )


async def test_a_published_secret_is_a_failure_that_is_not_repeated() -> None:
    report = await report_on(keys=document({"keys": [JWK, SHARED, PRIVATE]}))
    assert found(report, "published secret") == (
        "failure",
        "Ignored: shared is a shared secret (oct), which nobody may publish; private is a private key: whoever reads "
        "it can sign tokens.",
        "Take it out of the published keys at once, and let the provider make a new one.",
    )
    assert SHARED["k"] not in str(report)
    assert PRIVATE["d"] not in str(report)


async def test_many_ignored_keys_are_counted() -> None:
    report = await report_on(keys=document({"keys": [JWK, *({"kid": str(number)} for number in range(8))]}))
    assert found(report, "ignored keys")[1].endswith("5 is malformed; and 2 more.")


async def test_no_usable_key_is_a_warning_where_keys_are_the_second_way() -> None:
    report = await report_on(keys=document({"keys": [SMALL]}))
    assert found(report, "keys") == (
        "warning",
        "No key can be used.",
        "Let the provider sign with RSA (2048 bits), EC or Ed25519 keys.",
    )


@pytest.mark.parametrize("order", ["keys_first", "keys_only"])
async def test_no_usable_key_is_a_failure_where_keys_are_the_first_way(order: str) -> None:
    report = await report_on(route={"order": order}, keys=document({"keys": []}))
    assert found(report, "keys")[0] == "failure"


async def test_keys_are_not_asked_for_where_nobody_uses_them() -> None:
    report = await report_on(route={"order": "introspect_only"}, keys=html(500))
    assert "keys" not in {finding.check for finding in report.findings}


async def test_a_key_set_that_is_garbage() -> None:
    async def url(**saying: Any) -> tuple[str, str, str]:
        return found(await report_on(**saying), "keys")

    result, seen, advice = await url(keys=answer(b"not a key in sight"))
    assert (result, seen.partition("/jwks ")[2], advice) == (
        "warning",
        "answered (application/json) is not JSON.",
        ELSEWHERE,
    )


async def test_a_page_for_people_in_place_of_keys() -> None:
    _, seen, advice = found(await report_on(keys=html()), "keys")
    assert (seen.partition("/jwks ")[2], advice) == ("answered (text/html) is not JSON.", ELSEWHERE)


async def test_keys_that_are_not_there() -> None:
    _, seen, advice = found(await report_on(keys=html(404)), "keys")
    assert (seen.partition("/jwks ")[2], advice) == ("answered 404.", ELSEWHERE)


async def test_keys_that_moved() -> None:
    _, _, advice = found(await report_on(keys=redirect("https://sso.example.com/keys")), "keys")
    assert advice == "Redirects are not followed; write endpoints.jwks: https://sso.example.com/keys"


async def test_keys_that_do_not_arrive() -> None:
    report = await report_on({"transport": {"timeout": 0.2}}, keys=silent())
    _, seen, advice = found(report, "keys")
    assert seen.endswith("/jwks: 127.0.0.1 did not answer in time (provider_timeout).")
    assert advice == "Look at the provider's log, or correct endpoints.jwks."


async def test_keys_on_a_server_that_is_out_of_reach_are_skipped() -> None:
    report = await report_on(metadata={"jwks_uri": "http://127.0.0.1:9/jwks"})
    assert found(report, "keys") == ("skipped", "Its server is out of reach.", "First mend the connection.")


def test_a_key_that_is_no_object() -> None:
    (ignored,) = judged("a key, honestly").ignored
    assert (ignored.label, ignored.reason) == ("key 1", "is no JSON object")
