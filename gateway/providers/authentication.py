"""How our confidential client proves itself to a provider: headers and form fields for one request. No I/O."""

import secrets
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import quote_plus

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

from gateway.policy import Headers
from gateway.providers import ClientAuthentication, ClientCredentials

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 60
"""How long an assertion is valid: long enough for one request."""

# RFC 7518, 3.2: "A key of the same size as the hash output […] or larger MUST be used". In bytes.
SECRET_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}
KEY_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
RSA_BITS = 2048
"""RFC 7518, 3.3 and 3.5: "A key of size 2048 bits or larger MUST be used"."""

SigningKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey | Ed448PrivateKey
Prove: TypeAlias = Callable[[str, float], "Proof"]


@dataclass(frozen=True, slots=True)
class Proof:
    """What one request to the provider carries to prove who asks. The `repr` shows no value."""

    headers: Headers = field(default=(), repr=False)
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """For the form body, not yet encoded."""


class Authenticator:
    """Proves one client. The key is loaded here, once.

    Raises ValueError, with a sentence that holds no secret, when the credentials do not suffice for their method.
    """

    def __init__(self, credentials: ClientCredentials) -> None:
        self._prove = METHODS[credentials.authentication](credentials)

    def prove(self, *, audience: str, now: float) -> Proof:
        """The proof for one request. `audience` is the URL that is asked, or what else the provider calls itself;
        `now` is in seconds since the epoch. Only assertions depend on them, and each is made for one request.
        """
        return self._prove(audience, now)


def _client_secret_basic(credentials: ClientCredentials) -> Prove:
    """RFC 6749, 2.3.1: both are "encoded using the application/x-www-form-urlencoded encoding algorithm" first."""
    pair = f"{quote_plus(_client_id(credentials))}:{quote_plus(_client_secret(credentials))}"
    return _always(Proof(headers=(("Authorization", f"Basic {b64encode(pair.encode()).decode()}"),)))


def _client_secret_post(credentials: ClientCredentials) -> Prove:
    fields = (("client_id", _client_id(credentials)), ("client_secret", _client_secret(credentials)))
    return _always(Proof(fields=fields))


def _tls_client_auth(credentials: ClientCredentials) -> Prove:
    """RFC 8705, 2: the certificate of the connection is the proof, and `client_id` says whose it is."""
    return _always(Proof(fields=(("client_id", _client_id(credentials)),)))


def _authorization_header(credentials: ClientCredentials) -> Prove:
    value = _secret(credentials.authorization, "authorization_header needs authorization")
    if not (value.isascii() and value.isprintable()):
        raise ValueError("authorization holds what no header may hold")
    return _always(Proof(headers=(("Authorization", value),)))


def _client_secret_jwt(credentials: ClientCredentials) -> Prove:
    algorithm, secret = credentials.algorithm, _client_secret(credentials)
    if algorithm not in SECRET_BYTES:
        raise ValueError(f"client_secret_jwt needs algorithm to be one of {', '.join(SECRET_BYTES)}")
    if len(secret.encode()) < SECRET_BYTES[algorithm]:
        raise ValueError(f"{algorithm} needs a client_secret of at least {SECRET_BYTES[algorithm]} bytes")
    return _assertions(credentials, secret)


def _private_key_jwt(credentials: ClientCredentials) -> Prove:
    if credentials.algorithm not in KEY_ALGORITHMS:
        raise ValueError(f"private_key_jwt needs algorithm to be one of {', '.join(sorted(KEY_ALGORITHMS))}")
    return _assertions(credentials, _load_key(credentials))


METHODS: dict[ClientAuthentication, Callable[[ClientCredentials], Prove]] = {
    ClientAuthentication.CLIENT_SECRET_BASIC: _client_secret_basic,
    ClientAuthentication.CLIENT_SECRET_POST: _client_secret_post,
    ClientAuthentication.CLIENT_SECRET_JWT: _client_secret_jwt,
    ClientAuthentication.PRIVATE_KEY_JWT: _private_key_jwt,
    ClientAuthentication.TLS_CLIENT_AUTH: _tls_client_auth,
    ClientAuthentication.AUTHORIZATION_HEADER: _authorization_header,
}


def _always(proof: Proof) -> Prove:
    return lambda audience, now: proof


def _assertions(credentials: ClientCredentials, key: SigningKey | str) -> Prove:
    """RFC 7523, 3, and OpenID Connect Core, 9: what the assertion says, and that it is used once."""
    client_id, algorithm = _client_id(credentials), credentials.algorithm
    header = {} if credentials.key_id is None else {"kid": credentials.key_id}

    def prove(audience: str, now: float) -> Proof:
        issued_at = int(now)
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "jti": secrets.token_urlsafe(16),
            "iat": issued_at,
            "exp": issued_at + ASSERTION_SECONDS,
        }
        assertion = jwt.encode(claims, key, algorithm, header)
        return Proof(fields=(("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)))

    try:
        prove("", 0)  # What does not sign now would not sign later.
    except (jwt.PyJWTError, TypeError, ValueError):
        raise ValueError(f"the key cannot be used with {algorithm}") from None
    return prove


def _load_key(credentials: ClientCredentials) -> SigningKey:
    pem = _secret(credentials.private_key, "private_key_jwt needs a private_key")
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("private_key is not a private key in PEM without a passphrase") from None
    if not isinstance(key, SigningKey):
        raise ValueError("private_key must be an RSA, EC or Ed25519 key")  # noqa: TRY004 - it is about a value
    if isinstance(key, RSAPrivateKey) and key.key_size < RSA_BITS:
        raise ValueError(f"private_key must have at least {RSA_BITS} bits")
    return key


def _client_id(credentials: ClientCredentials) -> str:
    if not credentials.client_id:
        raise ValueError(f"{credentials.authentication} needs a client_id")
    return credentials.client_id


def _client_secret(credentials: ClientCredentials) -> str:
    return _secret(credentials.client_secret, f"{credentials.authentication} needs a client_secret")


def _secret(secret: SecretStr | None, otherwise: str) -> str:
    if secret is None or not secret.get_secret_value():
        raise ValueError(otherwise)
    return secret.get_secret_value()
