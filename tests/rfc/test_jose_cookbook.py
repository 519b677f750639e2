"""The examples of RFC 7520, 7797 and 8037: what of them a bearer token may be."""

import json
from pathlib import Path
from typing import Any

import pytest

from policies.token_enforcement.jwks import parse_key_set
from policies.token_enforcement.signature import ASYMMETRIC, Invalid, Unverified, authenticate, peek, verify
from tests.rfc.vectors import folder, load

ALGORITHMS = ASYMMETRIC | {"HS256"}
PRIVATE = {"d", "p", "q", "dp", "dq", "qi"}


def published(key: dict[str, Any]) -> dict[str, Any]:
    """The public half of an example's key; a secret stays as it is."""
    return {name: value for name, value in key.items() if key["kty"] == "oct" or name not in PRIVATE}


def document(example: dict[str, Any]) -> bytes:
    return json.dumps({"keys": [published(example["input"]["key"])]}).encode()


def names(pattern: str) -> list[Path]:
    found = sorted(folder().joinpath("jose-cookbook").glob(pattern))
    assert found
    return found


@pytest.mark.case("C079")
@pytest.mark.parametrize(
    "path",
    [
        "jws/4_1.rsa_v15_signature.json",
        "jws/4_2.rsa-pss_signature.json",
        "jws/4_3.ecdsa_signature.json",
        "jws/4_4.hmac-sha2_integrity_protection.json",
        "curve25519/jws.json",
    ],
)
def test_a_compact_signature_verifies(path: str) -> None:
    example = load(f"jose-cookbook/{path}")
    keys = parse_key_set(document(example), symmetric=True)
    unverified = peek(example["output"]["compact"], algorithms=ALGORITHMS)
    assert isinstance(unverified, Unverified)
    assert unverified.payload.decode() == example["input"]["payload"]
    assert authenticate(unverified, keys, ALGORITHMS) is None
    # The payload is prose, and no claims.
    assert isinstance(verify(unverified, keys, ALGORITHMS), Invalid)


@pytest.mark.case("C079")
def test_the_example_of_an_unencoded_payload_is_refused() -> None:
    compact = [load(str(path))["output"].get("compact") for path in names("rfc7797/*.json")]
    tokens = [token for token in compact if token is not None]
    assert tokens
    for token in tokens:
        assert isinstance(peek(token, algorithms=ALGORITHMS), Invalid)


@pytest.mark.case("C065", "C079")
def test_no_json_serialisation_is_a_bearer_token() -> None:
    for path in [*names("jws/*.json"), *names("rfc7797/*.json"), *names("curve25519/jws.json")]:
        output = load(str(path))["output"]
        forms = [output[form] for form in ("json", "json_flat") if form in output]
        assert forms
        for form in forms:
            assert isinstance(peek(json.dumps(form), algorithms=ALGORITHMS), Invalid)


@pytest.mark.case("C079")
def test_a_detached_payload_is_refused() -> None:
    example = load("jose-cookbook/jws/4_5.signature_with_detached_content.json")
    keys = parse_key_set(document(example), symmetric=True)
    assert isinstance(verify(example["output"]["compact"], keys, ALGORITHMS), Invalid)
    unverified = peek(example["output"]["compact"], algorithms=ALGORITHMS)
    assert isinstance(unverified, Unverified)
    assert authenticate(unverified, keys, ALGORITHMS) is not None


@pytest.mark.case("C061", "C079")
def test_an_encrypted_token_is_refused() -> None:
    seen = 0
    for path in [*names("jwe/*.json"), *names("curve25519/ecdh-es.json")]:
        for form in load(str(path))["output"].values():
            token = form if isinstance(form, str) else json.dumps(form)
            assert isinstance(peek(token, algorithms=ALGORITHMS, max_length=100_000), Invalid)
            seen += 1
    assert seen > 20
