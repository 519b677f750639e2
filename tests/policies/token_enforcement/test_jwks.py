"""Which published keys are used, and for which tokens."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from policies.token_enforcement import weak_keys
from policies.token_enforcement.jwks import MAX_BYTES, MAX_KEYS, BadKeySet, parse_key_set
from tests.policies.token_enforcement.signing import (
    Signer,
    document,
    ec_signer,
    ed448_signer,
    ed25519_signer,
    encoded,
    key_set,
    rsa_signer,
)

RSA = rsa_signer()
GOOD = RSA.jwk
EC = ec_signer().jwk
ED25519 = ed25519_signer().jwk
ED448 = ed448_signer().jwk


def is_used(jwk: object) -> bool:
    """Whether a member is used when it stands beside a good one, which it must not harm."""
    keys = parse_key_set(document(jwk, GOOD | {"kid": "good"}))
    assert keys.knows("good")
    return len(keys) == 2


def without(jwk: dict[str, Any], name: str) -> dict[str, Any]:
    return {member: value for member, value in jwk.items() if member != name}


# --- the document ---


@pytest.mark.case("C088", "C097")
@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b'{"keys":[]}',
        b'{"keys":null}',
        b'{"keys":{}}',
        b'{"keys":[null,"x",1,[],{}]}',
        b'{"keys":[{"kty":"RSA"',
        b'{"keys":[],"keys":[]}',
        b"\xef\xbb\xbf" + document(GOOD),
        document(GOOD).decode().encode("utf-16"),
        b"\xff" + document(GOOD),
        document(GOOD) + b"x",
        b"[" * 200_000,
        b'{"keys":' * 20_000,
    ],
    ids=lambda document: repr(document[:24]),
)
def test_a_document_without_a_usable_key_is_no_key_set(bad: bytes) -> None:
    with pytest.raises(BadKeySet):
        parse_key_set(bad)


@pytest.mark.case("C093")
def test_a_document_of_ten_thousand_keys_is_refused_unread() -> None:
    with pytest.raises(BadKeySet, match="larger"):
        parse_key_set(document(*[GOOD] * 10_000))


@pytest.mark.case("C093")
def test_a_document_may_have_the_largest_size_and_not_one_octet_more() -> None:
    largest = document(GOOD).ljust(MAX_BYTES)
    assert len(parse_key_set(largest)) == 1
    with pytest.raises(BadKeySet, match="larger"):
        parse_key_set(largest + b" ")


@pytest.mark.case("C093")
def test_a_document_may_hold_a_hundred_keys_and_not_one_more() -> None:
    assert len(parse_key_set(document(*[GOOD] * MAX_KEYS))) == MAX_KEYS
    with pytest.raises(BadKeySet, match="more than 100"):
        parse_key_set(document(*[GOOD] * (MAX_KEYS + 1)))


def test_what_a_bad_document_says_is_not_repeated() -> None:
    with pytest.raises(BadKeySet) as raised:
        parse_key_set(b'{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}')
    assert "c2VjcmV0" not in str(raised.value)
    assert raised.value.__cause__ is None


# --- one member ---


@pytest.mark.case("C097")
@pytest.mark.parametrize(
    "good", [GOOD, EC, ED25519, ED448, ec_signer("ES384", "p-384").jwk, ec_signer("ES512", "p-521").jwk]
)
def test_keys_of_every_family_are_used(good: dict[str, Any]) -> None:
    assert is_used(good)


@pytest.mark.case("C097")
@pytest.mark.parametrize(
    "bad",
    [
        None,
        True,
        7,
        "a string",
        [],
        [GOOD],
        {},
        GOOD | {"kty": "rsa"},
        GOOD | {"kty": None},
        GOOD | {"kty": ["RSA"]},
        GOOD | {"kty": "AKP"},
        GOOD | {"n": 65537},
        GOOD | {"n": None},
        GOOD | {"n": ""},
        GOOD | {"n": GOOD["n"] + "!"},
        GOOD | {"n": "+" + GOOD["n"][1:]},
        without(GOOD, "n"),
        without(GOOD, "e"),
        GOOD | {"kid": 1},
        GOOD | {"kid": None},
        GOOD | {"alg": None},
        GOOD | {"alg": "none"},
        GOOD | {"alg": "RSA-OAEP"},
        GOOD | {"alg": "HS256"},
        GOOD | {"alg": "ES256"},
        EC | {"alg": "ES384"},
        EC | {"alg": "ES224"},
        EC | {"alg": "RS256"},
        EC | {"crv": "secp256k1", "alg": "ES256K"},
        EC | {"crv": "sect163k1"},
        EC | {"crv": "P-384"},
        EC | {"crv": None},
        EC | {"y": EC["x"]},
        EC | {"x": encoded(bytes(32)), "y": encoded(bytes(32))},
        EC | {"x": encoded(bytes(31))},
        EC | {"x": encoded(bytes(1) + base64.urlsafe_b64decode(EC["x"] + "="))},
        without(EC, "y"),
        ED25519 | {"crv": "X25519"},
        ED25519 | {"crv": "Ed448"},
        ED25519 | {"x": encoded(bytes(31))},
        ED25519 | {"alg": "Ed448"},
    ],
    # Not by what it says: the numbers of a key are others with each run.
    ids=lambda bad: type(bad).__name__,
)
def test_a_member_that_is_no_key_of_ours_is_passed_over(bad: object) -> None:
    assert not is_used(bad)


@pytest.mark.case("C097")
@pytest.mark.parametrize("twice", ['"kty":"oct"', '"use":"enc"', '"use":"sig"', '"kid":"bad"'])
def test_a_member_that_names_something_twice_is_passed_over(twice: str) -> None:
    bad = json.dumps(GOOD | {"kid": "bad"})[:-1] + f",{twice}}}"
    keys = parse_key_set(f'{{"keys":[{bad},{json.dumps(GOOD)}]}}'.encode())
    assert keys.kids == {GOOD["kid"]}


@pytest.mark.case("C097")
@pytest.mark.parametrize("number", ["1" * 5_000, "1e400", "NaN", "-Infinity", "[" * 100 + "]" * 100])
def test_an_odd_number_in_one_member_does_not_harm_the_others(number: str) -> None:
    document = f'{{"keys":[{{"kty":"RSA","n":{number},"e":"AQAB"}},{json.dumps(GOOD)}]}}'
    assert len(parse_key_set(document.encode())) == 1


@pytest.mark.case("C099")
@pytest.mark.parametrize(
    "purpose",
    [
        {"use": "enc"},
        {"use": "SIG"},
        {"use": None},
        {"use": ["sig"]},
        {"key_ops": ["encrypt"]},
        {"key_ops": ["sign"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"key_ops": None},
        {"use": "enc", "key_ops": ["verify"]},
    ],
    ids=repr,
)
def test_a_key_for_another_purpose_is_not_used(purpose: dict[str, object]) -> None:
    assert not is_used(without(GOOD, "use") | purpose)


@pytest.mark.case("C099")
@pytest.mark.parametrize("purpose", [{}, {"use": "sig"}, {"key_ops": ["verify"]}, {"key_ops": ["sign", "verify"]}])
def test_a_key_for_signatures_or_for_anything_is_used(purpose: dict[str, object]) -> None:
    assert is_used(without(GOOD, "use") | purpose)


@pytest.mark.parametrize("name", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_private_key_that_was_published_is_not_used(name: str) -> None:
    assert not is_used(GOOD | {name: "AQAB"})


def test_a_secret_that_was_published_is_not_used() -> None:
    assert not is_used({"kty": "oct", "alg": "HS256", "k": encoded(bytes(range(32)))})


def test_padding_and_stray_bits_at_the_end_of_a_key_are_forgiven() -> None:
    assert is_used(EC | {"x": EC["x"] + "=", "y": EC["y"] + "="})
    stray = EC["x"][:-1] + chr(ord(EC["x"][-1]) + 1)
    assert parse_key_set(document(EC, EC | {"x": stray, "kid": "stray"})).kids == {"ec-1", "stray"}


# --- weak keys ---


@pytest.mark.case("C100")
@pytest.mark.parametrize(("bits", "used"), [(1024, False), (2047, False), (2048, True), (3072, True)])
def test_an_rsa_key_has_2048_bits_or_more(bits: int, used: bool) -> None:
    assert is_used(Signer(alg="RS256", kid="k", private=rsa.generate_private_key(65537, bits)).jwk) is used


@pytest.mark.case("C093", "C100")
@pytest.mark.parametrize("bits", [512, 8193, 16_384])
def test_an_rsa_modulus_of_an_odd_size_is_not_used(bits: int) -> None:
    modulus = 2 ** (bits - 1) + 1
    assert not is_used(GOOD | {"n": encoded(modulus.to_bytes(bits // 8 + 1))})


@pytest.mark.case("C100")
@pytest.mark.parametrize("exponent", [0, 1, 2, 65536, 2**32 + 1, 2**2047 + 1])
def test_an_rsa_exponent_that_is_tiny_even_or_huge_is_not_used(exponent: int) -> None:
    assert not is_used(GOOD | {"e": encoded(exponent.to_bytes(257))})


@pytest.mark.case("C100")
@pytest.mark.parametrize("exponent", [3, 65537, 2**32 - 1])
def test_an_odd_rsa_exponent_of_an_ordinary_size_is_used(exponent: int) -> None:
    assert is_used(GOOD | {"e": encoded(exponent.to_bytes(4))})


@pytest.mark.case("C100")
def test_an_even_rsa_modulus_is_not_used() -> None:
    assert not is_used(GOOD | {"n": encoded((2**2047 + 2).to_bytes(256))})


@pytest.mark.case("C100")
def test_a_modulus_with_the_mark_of_roca_is_not_used() -> None:
    # A power of 65537 modulo the product of the small primes, as the faulty library made them.
    modulus = (1 << 2047) // weak_keys._PRODUCT * weak_keys._PRODUCT + weak_keys._PRODUCT
    modulus += pow(65537, 12_345, weak_keys._PRODUCT)
    modulus += weak_keys._PRODUCT if modulus % 2 == 0 else 0
    assert modulus.bit_length() == 2048
    assert not is_used(GOOD | {"n": encoded(modulus.to_bytes(256))})
    assert is_used(GOOD | {"n": encoded((modulus + 2).to_bytes(256))})


@pytest.mark.case("C069")
@pytest.mark.parametrize("sign", [0, 1 << 255])
@pytest.mark.parametrize(
    "y",
    [
        0,
        1,
        2**255 - 20,
        # Order eight; libsodium refuses the same points.
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        # Not reduced: the same points in another spelling.
        2**255 - 19,
        2**255 - 18,
    ],
)
def test_an_ed25519_point_of_small_order_is_not_used(y: int, sign: int) -> None:
    assert not is_used(ED25519 | {"x": encoded((y | sign).to_bytes(32, "little"))})


@pytest.mark.case("C069")
@pytest.mark.parametrize("y", [0, 1, 2**448 - 2**224 - 2, 2**448 - 2**224 - 1, 2**448 - 2**224])
def test_an_ed448_point_of_small_order_is_not_used(y: int) -> None:
    assert not is_used(ED448 | {"x": encoded(y.to_bytes(57, "little"))})


@pytest.mark.case("C097")
def test_about_half_of_all_octets_are_no_edwards_point_and_not_used() -> None:
    used = [is_used(ED25519 | {"x": encoded(y.to_bytes(32, "little"))}) for y in range(2, 66)]
    assert 16 < sum(used) < 48
    used = [is_used(ED448 | {"x": encoded(y.to_bytes(57, "little"))}) for y in range(2, 66)]
    assert 16 < sum(used) < 48


# --- which key for which token ---


@pytest.mark.case("C031")
def test_a_key_is_a_candidate_for_the_one_algorithm_it_names() -> None:
    keys = key_set(RSA)
    assert len(keys.candidates("RS256", "rsa-1")) == 1
    for alg in ("RS384", "RS512", "PS256", "ES256", "EdDSA", "HS256", "none"):
        assert keys.candidates(alg, "rsa-1") == ()
        assert keys.candidates(alg, None) == ()


@pytest.mark.case("C031")
@pytest.mark.parametrize(
    ("jwk", "algorithms"),
    [
        (GOOD, {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
        (EC, {"ES256"}),
        (ec_signer("ES384", "p-384").jwk, {"ES384"}),
        (ec_signer("ES512", "p-521").jwk, {"ES512"}),
        (ED25519, {"EdDSA", "Ed25519"}),
        (ED448, {"EdDSA", "Ed448"}),
    ],
)
def test_a_key_that_names_no_algorithm_is_for_those_of_its_type_and_curve(
    jwk: dict[str, Any], algorithms: set[str]
) -> None:
    (key,) = parse_key_set(document(without(jwk, "alg"))).keys
    assert key.alg is None
    assert key.algorithms == algorithms


@pytest.mark.case("C094")
def test_a_key_id_shared_by_two_families_leads_to_the_one_that_the_algorithm_is_for() -> None:
    keys = key_set(rsa_signer("RS256", "same"), ec_signer("ES256", "same"), ed25519_signer("EdDSA", "same"))
    for alg, kty in (("RS256", "RSA"), ("ES256", "EC"), ("EdDSA", "OKP")):
        assert [key.kty for key in keys.candidates(alg, "same")] == [kty]


@pytest.mark.case("C094")
def test_a_key_id_shared_by_two_keys_for_one_algorithm_leads_to_neither() -> None:
    one, other = rsa_signer("RS256", "same"), rsa_signer("RS256", "same", 2049)
    keys = key_set(one, other)
    assert keys.knows("same")
    assert keys.candidates("RS256", "same") == ()
    assert len(keys.candidates("RS256", None)) == 2


@pytest.mark.case("C094")
def test_a_key_that_is_listed_twice_is_one_key() -> None:
    assert len(parse_key_set(document(GOOD, GOOD)).candidates("RS256", "rsa-1")) == 1
    assert len(parse_key_set(document(GOOD, GOOD | {"kid": "b"})).candidates("RS256", None)) == 1


@pytest.mark.case("C096")
def test_a_token_that_names_no_key_is_tried_with_five_of_its_algorithm_at_most() -> None:
    keys = key_set(RSA, *(ec_signer("ES256", str(number)) for number in range(7)))
    assert [key.kid for key in keys.candidates("RS256", None)] == ["rsa-1"]
    assert [key.kid for key in keys.candidates("ES256", None)] == ["0", "1", "2", "3", "4"]
    assert keys.candidates("PS256", None) == ()


@pytest.mark.case("C036")
def test_an_unknown_key_id_leads_to_no_key() -> None:
    keys = parse_key_set(document(without(GOOD, "kid")))
    assert keys.candidates("RS256", "rsa-1") == ()
    assert not keys.knows("rsa-1")
    assert keys.kids == frozenset()


def test_the_repr_of_a_key_shows_its_id_and_type_only() -> None:
    assert repr(key_set(RSA).keys[0]) == "Key(kid='rsa-1', kty='RSA')"


# --- sets that are not published ---

SECRET = {"kty": "oct", "kid": "s", "k": encoded(bytes(range(64)))}


def test_a_set_of_secrets_is_read_where_it_is_asked_for() -> None:
    keys = parse_key_set(document(SECRET), symmetric=True)
    assert keys.keys[0].algorithms == {"HS256", "HS384", "HS512"}
    with pytest.raises(BadKeySet):
        parse_key_set(document(SECRET))


@pytest.mark.parametrize(("size", "algorithms"), [(32, {"HS256"}), (47, {"HS256"}), (48, {"HS256", "HS384"})])
def test_a_secret_is_for_the_algorithms_whose_hash_is_no_longer(size: int, algorithms: set[str]) -> None:
    keys = parse_key_set(document(SECRET | {"k": encoded(bytes(size))}), symmetric=True)
    assert keys.keys[0].algorithms == algorithms


@pytest.mark.parametrize("short", [b"", bytes(31)])
def test_a_secret_shorter_than_any_hash_is_not_used(short: bytes) -> None:
    with pytest.raises(BadKeySet):
        parse_key_set(document(SECRET | {"k": encoded(short)}), symmetric=True)


def test_secrets_and_public_keys_do_not_mix() -> None:
    with pytest.raises(BadKeySet, match="mixes"):
        parse_key_set(document(SECRET, GOOD), symmetric=True)
    assert parse_key_set(document(GOOD), symmetric=True).kids == {"rsa-1"}
