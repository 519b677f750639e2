"""The JOSE vectors of C2SP/wycheproof: forged, malformed and odd tokens with the verdict that each deserves.

The payloads are no claims, so it is the signature alone that is asked about (`authenticate`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from policies.token_enforcement.jwks import BadKeySet, KeySet, parse_key_set
from policies.token_enforcement.signature import ASYMMETRIC, Invalid, Unverified, authenticate, peek
from tests.rfc.vectors import load

SIGNATURES, KEYS, MIXED = (f"wycheproof/json_web_{name}_test.json" for name in ("signature", "key", "crypto"))
ALGORITHMS = ASYMMETRIC | {"HS256", "HS384", "HS512"}

REFUSED = {346, 347, 350, 351, 372, 373}
"""Tokens that Wycheproof calls valid and we refuse.

346, 347, 350, 351: the algorithm is not the one that the key names. 372, 373: there is a `?` in the base64url.
"""

TWINS = {367, 370}
"""Tokens that Wycheproof calls invalid for a padding they do not have: to the letter they are 357, a valid one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    number: int
    valid: bool
    encrypted: bool
    token: str
    document: bytes
    """The key set: the public keys where there are any."""


def vectors(path: str) -> Iterator[Vector]:
    for group in load(path)["testGroups"]:
        keys = group.get("public", group.get("private"))
        document = json.dumps(keys if "keys" in keys else {"keys": [keys]}).encode()
        for test in group["tests"]:
            token: Any = test.get("jws", test.get("jwe"))
            yield Vector(
                number=test["tcId"],
                valid=test["result"] == "valid",
                encrypted="jwe" in test,
                token=token if isinstance(token, str) else json.dumps(token),
                document=document,
            )


def is_believed(vector: Vector) -> bool:
    try:
        keys = parse_key_set(vector.document, symmetric=True)
    except BadKeySet:
        return False
    return is_signed(vector.token, keys)


def is_signed(token: str, keys: KeySet) -> bool:
    unverified = peek(token, algorithms=ALGORITHMS)
    return isinstance(unverified, Unverified) and authenticate(unverified, keys, ALGORITHMS) is None


def wrongly_believed(path: str) -> list[int]:
    invalid = [vector for vector in vectors(path) if not vector.valid]
    assert invalid
    return [vector.number for vector in invalid if is_believed(vector)]


def wrongly_refused(path: str) -> set[int]:
    valid = [vector for vector in vectors(path) if vector.valid and not vector.encrypted]
    assert valid
    return {vector.number for vector in valid if not is_believed(vector)}


@pytest.mark.case("C076")
def test_no_invalid_signature_is_believed_but_for_two_that_are_valid() -> None:
    believed = wrongly_believed(SIGNATURES)
    assert believed == [vector.number for vector in vectors(SIGNATURES) if vector.number in TWINS]


@pytest.mark.case("C076")
def test_the_two_that_are_believed_after_all_are_a_valid_token_to_the_letter() -> None:
    every = list(vectors(SIGNATURES))
    valid = {(vector.token, vector.document) for vector in every if vector.valid}
    assert {vector.number for vector in every if not vector.valid and (vector.token, vector.document) in valid} <= TWINS
    assert all((vector.token, vector.document) in valid for vector in every if vector.number in TWINS)


@pytest.mark.case("C076")
def test_every_valid_signature_is_believed_but_for_six_known_ones() -> None:
    here = {vector.number for vector in vectors(SIGNATURES)}
    assert wrongly_refused(SIGNATURES) == REFUSED & here


@pytest.mark.case("C077", "C094", "C099", "C100")
def test_no_invalid_key_lets_a_token_in() -> None:
    assert wrongly_believed(KEYS) == []


@pytest.mark.case("C077")
def test_every_valid_key_lets_its_token_in() -> None:
    assert wrongly_refused(KEYS) == set()


@pytest.mark.case("C078", "C100")
def test_nothing_invalid_in_the_mixed_set_is_believed() -> None:
    assert wrongly_believed(MIXED) == []


@pytest.mark.case("C078")
def test_every_valid_signature_in_the_mixed_set_is_believed() -> None:
    assert wrongly_refused(MIXED) == set()


@pytest.mark.case("C061", "C078")
@pytest.mark.parametrize("path", [MIXED, "wycheproof/json_web_encryption_test.json"])
def test_an_encrypted_token_is_refused_valid_or_not(path: str) -> None:
    encrypted = [vector.token for vector in vectors(path) if vector.encrypted]
    assert encrypted
    for token in encrypted:
        assert isinstance(peek(token, algorithms=ALGORITHMS), Invalid)
