"""Cross checks of a client of ours at a provider: its proof is complete, long enough, and none that everybody knows."""

import re
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

from gateway.providers import ClientAuthentication, ClientCredentials
from gateway.settings.mistakes import Path, Wrong
from gateway.settings.providers import secret_of

SHORTEST = {"HS256": 32, "HS384": 48, "HS512": 64}
"""Bytes: RFC 7518, 3.2: "A key of the same size as the hash output (for instance, 256 bits for "HS256") or larger
MUST be used with this algorithm." """
CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
SHORTEST_SECRET = 16
"""Characters. Providers give out longer ones."""
SHORTEST_RSA = 2048
"""Bits (RFC 7518, 3.3)."""
WELL_KNOWN = frozenset(
    {"changeme", "changeit", "secret", "clientsecret", "mysecret", "yoursecret", "topsecret", "password", "passwd"}
    | {"pass", "admin", "default", "example", "placeholder", "test", "todo", "xxx", "none", "null"}
)
"""Without what is neither letter nor digit, in lower case."""

NEEDS: dict[ClientAuthentication, tuple[str, ...]] = {
    ClientAuthentication.CLIENT_SECRET_BASIC: ("client_id", "client_secret"),
    ClientAuthentication.CLIENT_SECRET_POST: ("client_id", "client_secret"),
    ClientAuthentication.CLIENT_SECRET_JWT: ("client_id", "client_secret"),
    ClientAuthentication.PRIVATE_KEY_JWT: ("client_id", "private_key"),
    ClientAuthentication.TLS_CLIENT_AUTH: ("client_id",),
    ClientAuthentication.AUTHORIZATION_HEADER: ("authorization",),
}


def check_credentials(written: ClientCredentials, *, local: bool) -> Iterator[Wrong]:
    """What is wrong with these credentials; paths start at them. `local`: the provider is on loopback, for trying
    things out, and any secret will do.
    """
    yield from _missing(written, local=local)
    if not local:
        for name in ("client_secret", "authorization"):
            yield from check_secret((name,), getattr(written, name))
    yield from _algorithm(written)
    yield from check_header(("authorization",), written.authorization)


def check_secret(path: Path, value: SecretStr | None) -> Iterator[Wrong]:
    """A secret that is none."""
    if value is None:
        return
    secret = secret_of(value).strip()
    if not secret:
        yield Wrong(path, "is blank; write the secret, best as ${NAME} or ${file:path}")
    elif re.sub(r"[^a-z0-9]", "", secret.lower()) in WELL_KNOWN:
        yield Wrong(path, "is a placeholder that everybody knows; write a secret of your own")


def check_length(written: ClientCredentials, *, local: bool) -> Iterator[Wrong]:
    """A secret that can be found by trying: whoever has it is let in as anybody."""
    secret = secret_of(written.client_secret).strip()
    if secret and not local and (len(secret) < SHORTEST_SECRET or len(set(secret)) < SHORTEST_SECRET / 2):
        yield Wrong(("client_secret",), f"is easily guessed; write {SHORTEST_SECRET} characters of chance or more")


def check_header(path: Path, value: SecretStr | None) -> Iterator[Wrong]:
    """RFC 9110, 5.5: a field value is visible characters, with spaces between them."""
    text = secret_of(value)
    if text.strip() and not re.fullmatch(r"[!-~](?:[ !-~]*[!-~])?", text):
        yield Wrong(
            path, "cannot be sent as a header; write visible ASCII characters, without a space or newline at its ends"
        )


def _missing(written: ClientCredentials, *, local: bool) -> Iterator[Wrong]:
    for name in NEEDS[written.authentication]:
        value = getattr(written, name)
        # Of a blank secret more is said below, unless anything will do.
        if value in (None, "") or (local and isinstance(value, SecretStr) and not secret_of(value)):
            yield Wrong((name,), f"is missing; {written.authentication} needs it")


def _algorithm(written: ClientCredentials) -> Iterator[Wrong]:
    match written.authentication:
        case ClientAuthentication.CLIENT_SECRET_JWT:
            yield from _symmetric(written)
        case ClientAuthentication.PRIVATE_KEY_JWT if written.private_key is not None:
            fault = _key_fault(secret_of(written.private_key), written.algorithm)
            if fault is not None:
                yield fault


def _symmetric(written: ClientCredentials) -> Iterator[Wrong]:
    shortest = SHORTEST.get(written.algorithm)
    if shortest is None:
        yield Wrong(("algorithm",), "must be HS256, HS384 or HS512 for client_secret_jwt")
    elif written.client_secret is not None and len(secret_of(written.client_secret).encode()) < shortest:
        text = f"is too short for {written.algorithm}; write a secret of at least {shortest} bytes"
        yield Wrong(("client_secret",), text)


def _key_fault(pem: str, algorithm: str) -> Wrong | None:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    # A PEM of somebody else goes in: besides ValueError, cryptography raises what its backend cannot do.
    except Exception:  # noqa: BLE001 - and the text of an error may hold a part of the key
        return Wrong(("private_key",), "cannot be read; write a private key in PEM without a password")
    match key:
        case rsa.RSAPrivateKey() if key.key_size < SHORTEST_RSA:
            return Wrong(("private_key",), f"is too short; write an RSA key of {SHORTEST_RSA} bits or more")
        case rsa.RSAPrivateKey():
            fitting = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
        case ec.EllipticCurvePrivateKey():
            fitting = [name for name, curve in CURVES.items() if curve == key.curve.name]
        case ed25519.Ed25519PrivateKey() | ed448.Ed448PrivateKey():
            fitting = ["EdDSA"]
        case _:
            fitting = []
    if not fitting:
        return Wrong(("private_key",), "is no key that signs; write an RSA, EC or Ed25519 key")
    if algorithm not in fitting:
        text = f"does not suit the private key; write {fitting[0]}" + (
            ", or another of its kind" if fitting[1:] else ""
        )
        return Wrong(("algorithm",), text)
    return None
