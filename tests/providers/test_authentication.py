"""How our client proves itself: every method, and what each refuses to begin with."""

from base64 import b64decode
from dataclasses import replace
from typing import TypeAlias

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from pydantic import SecretStr

from gateway.providers import ClientAuthentication, ClientCredentials
from gateway.providers.authentication import ASSERTION_TYPE, Authenticator, Proof
from tests.fakes import NOON

ENDPOINT = "https://idp.example/introspect"
ODD = "a:b %&+=ü"
ODD_ENCODED = "a%3Ab+%25%26%2B%3D%C3%BC"
SECRET = SecretStr("s" * 64)
RSA = rsa.generate_private_key(65537, 2048)
Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey
KEYS: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey] = {
    "RS256": RSA,
    "RS384": RSA,
    "RS512": RSA,
    "PS256": RSA,
    "PS384": RSA,
    "PS512": RSA,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "ES512": ec.generate_private_key(ec.SECP521R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}
SHARED = ClientCredentials(client_id="gateway", client_secret=SECRET)


def pem(key: Key, lock: KeySerializationEncryption | None = None) -> SecretStr:
    return SecretStr(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock or NoEncryption()).decode())


def keyed(algorithm: str) -> ClientCredentials:
    return ClientCredentials(
        authentication=ClientAuthentication.PRIVATE_KEY_JWT,
        client_id="gateway",
        private_key=pem(KEYS[algorithm]),
        key_id="key-1",
        algorithm=algorithm,
    )


def by(
    method: ClientAuthentication, credentials: ClientCredentials = SHARED, algorithm: str = "RS256"
) -> ClientCredentials:
    return replace(credentials, authentication=method, algorithm=algorithm)


def proof(credentials: ClientCredentials, now: float = NOON) -> Proof:
    return Authenticator(credentials).prove(audience=ENDPOINT, now=now)


# What never changes.


def test_basic_encodes_both_as_a_form_before_base64() -> None:
    given = proof(ClientCredentials(client_id=ODD, client_secret=SecretStr(ODD)))
    [(name, value)] = given.headers
    assert name == "Authorization"
    assert value.startswith("Basic ")
    assert b64decode(value.removeprefix("Basic ")).decode() == f"{ODD_ENCODED}:{ODD_ENCODED}"
    assert given.fields == ()


def test_post_puts_both_into_the_form_as_they_are() -> None:
    odd = ClientCredentials(client_id=ODD, client_secret=SecretStr(ODD))
    given = proof(by(ClientAuthentication.CLIENT_SECRET_POST, odd))
    assert given == Proof(fields=(("client_id", ODD), ("client_secret", ODD)))


def test_a_certificate_needs_the_client_id_only() -> None:
    given = proof(ClientCredentials(authentication=ClientAuthentication.TLS_CLIENT_AUTH, client_id="gateway"))
    assert given == Proof(fields=(("client_id", "gateway"),))


def test_a_fixed_header_is_sent_as_it_is_and_needs_no_client_id() -> None:
    credentials = ClientCredentials(
        authentication=ClientAuthentication.AUTHORIZATION_HEADER, authorization=SecretStr("SSWS 00a-b_c")
    )
    assert proof(credentials) == Proof(headers=(("Authorization", "SSWS 00a-b_c"),))


# Assertions.


def assertion(given: Proof) -> str:
    fields = dict(given.fields)
    assert fields.pop("client_assertion_type") == ASSERTION_TYPE
    token = fields.pop("client_assertion")
    assert (fields, given.headers) == ({}, ())
    return token


def claims(token: str, key: object, algorithm: str) -> dict[str, object]:
    options: jwt.types.Options = {
        "verify_exp": False,
        "verify_iat": False,
        "require": ["iss", "sub", "aud", "jti", "iat", "exp"],
    }
    return jwt.decode(token, key, [algorithm], options, audience=ENDPOINT, issuer="gateway")  # type: ignore[arg-type] # a key of any kind


@pytest.mark.parametrize("algorithm", KEYS)
def test_an_assertion_is_signed_by_our_key(algorithm: str) -> None:
    token = assertion(proof(keyed(algorithm)))
    said = claims(token, KEYS[algorithm].public_key(), algorithm)
    assert (said["iss"], said["sub"], said["aud"]) == ("gateway", "gateway", ENDPOINT)
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "kid": "key-1", "typ": "JWT"}


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_an_assertion_is_signed_by_our_secret(algorithm: str) -> None:
    token = assertion(proof(by(ClientAuthentication.CLIENT_SECRET_JWT, algorithm=algorithm)))
    assert claims(token, SECRET.get_secret_value(), algorithm)["sub"] == "gateway"
    assert jwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT"}


def test_an_assertion_lives_a_minute_from_the_time_it_was_given() -> None:
    token = assertion(proof(keyed("ES256"), now=NOON + 0.9))
    said = claims(token, KEYS["ES256"].public_key(), "ES256")
    assert (said["iat"], said["exp"]) == (NOON, NOON + 60)


def test_no_two_assertions_are_alike() -> None:
    authenticator = Authenticator(keyed("EdDSA"))
    tokens = [assertion(authenticator.prove(audience=ENDPOINT, now=NOON)) for _ in range(100)]
    assert len({claims(token, KEYS["EdDSA"].public_key(), "EdDSA")["jti"] for token in tokens}) == 100


# What does not suffice.


@pytest.mark.parametrize("method", sorted(set(ClientAuthentication) - {ClientAuthentication.AUTHORIZATION_HEADER}))
def test_every_standard_method_needs_a_client_id(method: ClientAuthentication) -> None:
    key = ClientCredentials(client_secret=SECRET, private_key=pem(RSA))
    algorithm = "HS256" if method is ClientAuthentication.CLIENT_SECRET_JWT else "RS256"
    with pytest.raises(ValueError, match=f"{method} needs a client_id"):
        Authenticator(by(method, key, algorithm=algorithm))


@pytest.mark.parametrize(
    ("method", "missing"),
    [
        (ClientAuthentication.CLIENT_SECRET_BASIC, "client_secret"),
        (ClientAuthentication.CLIENT_SECRET_POST, "client_secret"),
        (ClientAuthentication.CLIENT_SECRET_JWT, "client_secret"),
        (ClientAuthentication.PRIVATE_KEY_JWT, "private_key"),
        (ClientAuthentication.AUTHORIZATION_HEADER, "authorization"),
    ],
)
@pytest.mark.parametrize("secret", [None, SecretStr("")])
def test_every_method_needs_its_secret(method: ClientAuthentication, missing: str, secret: SecretStr | None) -> None:
    with pytest.raises(ValueError, match=f"{method} needs (a )?{missing}"):
        Authenticator(
            ClientCredentials(
                authentication=method,
                client_id="gateway",
                client_secret=secret,
                private_key=secret,
                authorization=secret,
            )
        )


@pytest.mark.parametrize("algorithm", ["RS256", "none", "HS1", ""])
def test_a_secret_signs_by_hmac_only(algorithm: str) -> None:
    with pytest.raises(ValueError, match="HS256, HS384, HS512"):
        Authenticator(by(ClientAuthentication.CLIENT_SECRET_JWT, algorithm=algorithm))


@pytest.mark.parametrize("algorithm", ["HS256", "none", "ES256K", ""])
def test_a_key_signs_by_what_the_standards_name(algorithm: str) -> None:
    with pytest.raises(ValueError, match="needs algorithm to be one of"):
        Authenticator(replace(keyed("RS256"), algorithm=algorithm))


@pytest.mark.parametrize(("algorithm", "bytes_needed"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_a_secret_is_as_long_as_the_hash(algorithm: str, bytes_needed: int) -> None:
    def credentials(secret: str) -> ClientCredentials:
        credentials = by(ClientAuthentication.CLIENT_SECRET_JWT, algorithm=algorithm)
        return replace(credentials, client_secret=SecretStr(secret))

    Authenticator(credentials("x" * bytes_needed))
    with pytest.raises(ValueError, match=f"at least {bytes_needed} bytes"):
        Authenticator(credentials("x" * (bytes_needed - 1)))


@pytest.mark.parametrize(
    ("algorithm", "key"), [("ES256", "ES384"), ("RS256", "ES256"), ("EdDSA", "RS256"), ("PS256", "EdDSA")]
)
def test_a_key_of_another_kind_is_refused(algorithm: str, key: str) -> None:
    with pytest.raises(ValueError, match=f"cannot be used with {algorithm}"):
        Authenticator(replace(keyed(key), algorithm=algorithm))


@pytest.mark.parametrize(
    "key",
    [
        SecretStr("not a key"),
        SecretStr("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"),
        pem(RSA, BestAvailableEncryption(b"passphrase")),
        pem(rsa.generate_private_key(65537, 1024)),
        pem(dsa.generate_private_key(2048)),
    ],
    ids=["text", "broken", "locked", "1024 bits", "DSA"],
)
def test_what_is_not_a_good_key_is_refused_and_not_shown(key: SecretStr) -> None:
    with pytest.raises(ValueError, match="private_key") as caught:
        Authenticator(replace(keyed("RS256"), private_key=key))
    assert caught.value.__cause__ is None
    assert key.get_secret_value()[:10] not in str(caught.value)


@pytest.mark.parametrize("value", ["Bearer a\r\nX-Other: b", "Bearer ü", "Bearer a\n"])
def test_a_fixed_header_cannot_become_two(value: str) -> None:
    with pytest.raises(ValueError, match="no header may hold"):
        Authenticator(
            ClientCredentials(authentication=ClientAuthentication.AUTHORIZATION_HEADER, authorization=SecretStr(value))
        )


# Secrecy.


@pytest.mark.case("C307")
@pytest.mark.parametrize(
    "credentials",
    [
        SHARED,
        by(ClientAuthentication.CLIENT_SECRET_POST),
        by(ClientAuthentication.CLIENT_SECRET_JWT, algorithm="HS256"),
    ],
)
def test_no_repr_shows_the_proof(credentials: ClientCredentials) -> None:
    given = proof(credentials)
    shown = f"{given!r} {Authenticator(credentials)!r} {credentials!r}"
    for _, value in (*given.headers, *given.fields):
        assert value == "gateway" or value == ASSERTION_TYPE or value not in shown
    assert "sss" not in shown
