"""Whose signature is believed: algorithms and keys bound together, and what is told."""

import base64
import hashlib
import hmac
import inspect
import json
import socket
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import HMACAlgorithm

from policies.token_enforcement.jwks import parse_key_set
from policies.token_enforcement.signature import ASYMMETRIC, Invalid, Unverified, Verified, peek, verify
from tests.policies.token_enforcement.signing import (
    CLAIMS,
    EC,
    EVERY,
    KEYS,
    RSA,
    Signer,
    code,
    document,
    ec_signer,
    ed448_signer,
    ed25519_signer,
    encoded,
    joined,
    key_set,
    rsa_signer,
)


def peeked(token: str) -> Unverified:
    unverified = peek(token)
    assert isinstance(unverified, Unverified)
    return unverified


# --- tokens that are believed ---


SIGNERS = [
    *(rsa_signer(alg, alg) for alg in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    *(ec_signer(alg, alg) for alg in ("ES256", "ES384", "ES512")),
    *(ed25519_signer(alg, alg) for alg in ("EdDSA", "Ed25519")),
    *(ed448_signer(alg, f"{alg}-448") for alg in ("EdDSA", "Ed448")),
]


@pytest.mark.parametrize("signer", SIGNERS, ids=lambda signer: signer.kid)
def test_a_token_of_a_published_key_is_believed(signer: Signer) -> None:
    verified = verify(signer.token(), key_set(*SIGNERS), frozenset({signer.alg}))
    assert verified == Verified(alg=signer.alg, kid=signer.kid, typ="at+jwt", claims=CLAIMS)


def test_a_token_may_be_verified_after_it_was_looked_into() -> None:
    unverified = peeked(RSA.token())
    assert unverified.issuer == "https://idp.example.com"
    assert unverified.claims == CLAIMS
    assert isinstance(verify(unverified, KEYS, ASYMMETRIC), Verified)


@pytest.mark.parametrize("issuer", [None, 1, ["https://idp.example.com"], {}])
def test_an_issuer_that_is_no_string_is_none(issuer: object) -> None:
    assert peeked(RSA.token({"iss": issuer})).issuer is None
    assert peeked(RSA.sign(b'{"alg":"RS256"}', b"no claims")).issuer is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("at+jwt", "at+jwt"),
        ("AT+JWT", "at+jwt"),
        ("application/at+jwt", "at+jwt"),
        ("Application/AT+JWT", "at+jwt"),
        ("JWT", "jwt"),
        ("dpop+jwt", "dpop+jwt"),
        ("", ""),
    ],
)
def test_the_type_of_a_token_is_told_without_regard_to_its_spelling(written: str, read: str) -> None:
    verified = verify(RSA.token(typ=written), KEYS, ASYMMETRIC)
    assert isinstance(verified, Verified)
    assert verified.typ == read


def test_a_token_without_a_type_has_none() -> None:
    verified = verify(RSA.sign(b'{"alg":"RS256","kid":"rsa-1"}', b"{}"), KEYS, ASYMMETRIC)
    assert isinstance(verified, Verified)
    assert verified.typ is None


# --- algorithms and keys are bound ---


@pytest.mark.case("C028")
@pytest.mark.parametrize(
    "alg", ['"none"', '"None"', '"nOnE"', '"NONE"', '""', "null", "[]", '["RS256"]', "{}", "1", "true"]
)
@pytest.mark.parametrize("algorithms", [ASYMMETRIC, EVERY])
def test_a_token_that_is_not_signed_is_refused(alg: str, algorithms: frozenset[str]) -> None:
    text = f'{{"alg":{alg},"kid":"rsa-1"}}'
    unsigned = f"{joined(text.encode(), b'{}')}."
    assert code(unsigned, algorithms=algorithms) == "token_malformed"
    assert code(RSA.sign(text.encode(), b"{}"), algorithms=algorithms) == "token_algorithm_refused"


@pytest.mark.case("C028")
def test_a_token_that_names_no_algorithm_is_refused() -> None:
    assert code(RSA.sign(b'{"kid":"rsa-1"}', b"{}")) == "token_algorithm_refused"


def public_key_spellings() -> list[bytes]:
    """The public RSA key in every form that was ever taken for a secret."""
    public = RSA.private.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    name = x509.Name([])
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, public, 1, noon, noon)
    certificate = builder.sign(RSA.private, SHA256())
    jwk = json.dumps(RSA.jwk).encode()
    return [
        pem,
        pem.rstrip(b"\n"),
        der,
        public.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
        public.public_bytes(Encoding.DER, PublicFormat.PKCS1),
        public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        jwk,
        json.dumps(RSA.jwk, separators=(",", ":")).encode(),
        document(RSA.jwk),
        b"[" + jwk + b"]",
        b"\xef\xbb\xbf" + pem,
        b"\xef\xbb\xbf" + jwk,
        jwk.decode().encode("utf-16"),
        base64.b64encode(der),
        base64.b64encode(pem),
        certificate.public_bytes(Encoding.DER),
        certificate.public_bytes(Encoding.PEM),
        RSA.jwk["n"].encode(),
        b"",
    ]


@pytest.mark.case("C029")
@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("kid", ['"kid":"rsa-1",', ""])
def test_no_spelling_of_a_public_key_is_a_secret(alg: str, kid: str) -> None:
    for secret in public_key_spellings():
        signing_input = joined(f'{{{kid}"alg":"{alg}"}}'.encode(), json.dumps(CLAIMS).encode())
        mac = hmac.new(secret, signing_input.encode(), getattr(hashlib, alg.replace("HS", "sha"))).digest()
        token = f"{signing_input}.{encoded(mac)}"
        assert code(token) == "token_algorithm_refused"
        # Even a gateway that was told to accept it finds no key for it.
        assert code(token, algorithms=EVERY) == "token_key_unknown"


@pytest.mark.case("C031")
@pytest.mark.parametrize(
    ("signer", "published"),
    [
        (rsa_signer("RS256"), rsa_signer("PS256").jwk),
        (rsa_signer("RS512"), {"alg": "RS256"}),
        (rsa_signer("PS256"), {"alg": "RS256"}),
        (rsa_signer("RS256"), {"alg": "PS256"}),
        (ec_signer("ES384"), {"alg": "ES256"}),
        (ed25519_signer("EdDSA"), {"alg": "Ed25519"}),
        (ed25519_signer("Ed25519"), {"alg": "EdDSA"}),
        (ed448_signer("EdDSA", "ed-1"), ed25519_signer("EdDSA").jwk),
        (ec_signer("ES256", "rsa-1"), rsa_signer("RS256").jwk),
    ],
    ids=lambda value: value.alg if isinstance(value, Signer) else value["alg"],
)
def test_a_token_is_refused_when_its_key_is_for_another_algorithm(signer: Signer, published: dict[str, str]) -> None:
    other = rsa_signer("RS256", "other").jwk
    keys = parse_key_set(document(signer.jwk | published, other))
    assert code(signer.token(), keys) in {"token_key_unknown", "token_signature_invalid"}
    assert code(signer.token(), key_set(signer)) == "believed"


@pytest.mark.case("C031")
def test_an_es256_signature_of_a_p384_key_is_refused() -> None:
    p384 = ec_signer("ES384", "ec-1")
    token = Signer(alg="ES256", kid="ec-1", private=p384.private).token()
    assert code(token, key_set(p384)) == "token_key_unknown"


@pytest.mark.case("C032")
def test_a_token_is_refused_when_the_route_does_not_list_its_algorithm() -> None:
    token = RSA.token()
    assert code(token, algorithms=frozenset({"PS256", "ES256"})) == "token_algorithm_refused"
    assert code(token, algorithms=frozenset()) == "token_algorithm_refused"
    assert isinstance(peek(token, algorithms=frozenset({"ES256"})), Invalid)
    # Also where the token was looked into under a longer list.
    refusal = verify(peeked(token), KEYS, frozenset({"ES256"}))
    assert isinstance(refusal, Invalid)
    assert refusal.code == "token_algorithm_refused"


@pytest.mark.case("C033")
def test_a_key_in_the_header_is_never_used() -> None:
    attacker = rsa_signer("RS256", "attacker", 2049)
    for kid in ("rsa-1", "attacker"):
        token = attacker.token(kid=kid, jwk=attacker.jwk)
        assert code(token) == ("token_signature_invalid" if kid == "rsa-1" else "token_key_unknown")
    assert code(attacker.token(kid="rsa-1", x5c=["MIIB"])) == "token_signature_invalid"
    # What another key says in the header of a good token changes nothing either.
    assert code(RSA.token(jwk=attacker.jwk)) == "believed"


@pytest.mark.case("C034")
def test_an_address_of_keys_in_the_header_is_never_asked() -> None:
    attacker = rsa_signer("RS256", "rsa-1", 2049)
    with socket.create_server(("127.0.0.1", 0)) as collector:
        url = f"http://127.0.0.1:{collector.getsockname()[1]}/jwks"
        assert code(attacker.token(jku=url, x5u=url)) == "token_signature_invalid"
        assert code(RSA.token(jku=url, x5u=url)) == "believed"
        collector.setblocking(False)
        with pytest.raises(BlockingIOError):
            collector.accept()


@pytest.mark.case("C036")
@pytest.mark.parametrize(
    "kid", ["../../dev/null", "' or 1=1--", "http://c/", "a\r\nb: c", "\0", "%00", "", " rsa-1", "RSA-1"]
)
def test_an_unknown_key_id_is_told_apart_from_a_bad_signature_and_not_repeated(kid: str) -> None:
    refusal = verify(RSA.token(kid=kid), KEYS, ASYMMETRIC)
    assert refusal == Invalid("token_key_unknown", "The provider publishes no key that goes with the token.")


@pytest.mark.case("C036")
@pytest.mark.parametrize(
    ("length", "expected"), [(256, "token_key_unknown"), (257, "token_malformed"), (65_536, "token_malformed")]
)
def test_a_key_id_has_256_characters_at_most(length: int, expected: str) -> None:
    assert code(RSA.token(kid="k" * length)) == expected


@pytest.mark.case("C094")
def test_a_token_whose_key_id_is_shared_is_checked_with_the_key_of_its_family() -> None:
    signers = rsa_signer("RS256", "same"), ec_signer("ES256", "same")
    keys = key_set(*signers)
    assert [code(signer.token(), keys) for signer in signers] == ["believed", "believed"]


@pytest.mark.case("C094")
def test_a_token_whose_key_id_means_two_keys_is_refused() -> None:
    one, other = rsa_signer("RS256", "same"), rsa_signer("RS256", "same", 2049)
    assert code(one.token(), key_set(one, other)) == "token_key_unknown"


@pytest.mark.case("C096")
def test_a_token_that_names_no_key_is_believed_when_one_of_the_first_five_signed_it() -> None:
    signers = [ec_signer("ES256", f"ec-{number}") for number in range(6)]
    tokens = [Signer(alg="ES256", kid=None, private=signer.private).token() for signer in signers]
    keys = key_set(RSA, *signers)
    assert [code(token, keys) for token in tokens] == ["believed"] * 5 + ["token_key_unknown"]
    assert code(tokens[0], key_set(signers[0])) == "believed"
    assert code(tokens[0], key_set(RSA)) == "token_key_unknown"


@pytest.mark.case("C081")
def test_a_mac_is_compared_in_constant_time() -> None:
    assert "compare_digest" in inspect.getsource(HMACAlgorithm.verify)
    secret = {"kty": "oct", "kid": "s", "k": encoded(bytes(32))}
    keys = parse_key_set(document(secret), symmetric=True)
    signing_input = joined(b'{"alg":"HS256","kid":"s"}', b"{}")
    mac = hmac.digest(bytes(32), signing_input.encode(), "sha256")
    assert code(f"{signing_input}.{encoded(mac)}", keys, frozenset({"HS256"})) == "believed"
    assert code(f"{signing_input}.{encoded(mac)}", keys) == "token_algorithm_refused"
    assert code(f"{signing_input}.{encoded(mac[:-1])}", keys, frozenset({"HS256"})) == "token_signature_invalid"


# --- what is told ---


@pytest.mark.parametrize("signer", [RSA, EC], ids=lambda signer: signer.alg)
def test_nothing_of_a_token_shows_in_a_repr(signer: Signer) -> None:
    token = signer.token()
    shown = repr(peek(token)) + repr(verify(token, KEYS, ASYMMETRIC))
    for secret in (*token.split("."), "alice", "orders.read"):
        assert secret not in shown


def test_a_refusal_is_one_of_four() -> None:
    tokens = [
        "x",
        RSA.token(alg="PS256"),
        RSA.token(alg="HS256"),
        RSA.token(kid="x"),
        RSA.token(kid="ec-1"),
        RSA.token()[:-4] + "AAAA",
        RSA.token() + "A",
        "x" * 10_000,
    ]
    assert {code(token) for token in tokens} <= {
        "token_malformed",
        "token_algorithm_refused",
        "token_key_unknown",
        "token_signature_invalid",
    }
