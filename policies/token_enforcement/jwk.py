"""One published key: JWK (RFC 7517) → a key that may verify a token, or a reason to leave it alone. Pure."""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from policies.token_enforcement import weak_keys

PreparedKey: TypeAlias = RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey | bytes
Jwk: TypeAlias = Mapping[str, object]
_Material: TypeAlias = tuple[PreparedKey, frozenset[str]]
_Reader: TypeAlias = Callable[[Jwk], _Material]

RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
CURVES: Mapping[str, tuple[str, int, ec.EllipticCurve]] = {
    "P-256": ("ES256", 32, ec.SECP256R1()),
    "P-384": ("ES384", 48, ec.SECP384R1()),
    "P-521": ("ES512", 66, ec.SECP521R1()),
}
"""RFC 7518, 3.4: one algorithm for each curve, and how many octets a coordinate has."""

_LEAST_BITS, _MOST_BITS = 2048, 8192
_LARGEST_EXPONENT = 2**32 - 1
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+=*")
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key, and what it may verify."""

    kid: str | None
    kty: str
    alg: str | None = field(repr=False)
    """The one algorithm that the JWK names, if it does."""
    algorithms: frozenset[str] = field(repr=False)
    """Those that go with its type, its curve and its `alg`; never empty."""
    prepared: PreparedKey = field(repr=False)


class UnusableKey(ValueError):
    """A JWK that is malformed, weak, private, or not for verifying signatures."""


def public_key(jwk: Jwk) -> Key:
    """The key for signatures that a published JWK describes. Raises `UnusableKey`."""
    if jwk.keys() & _PRIVATE:
        # Whoever reads the document can sign with it.
        raise UnusableKey("a private key")
    return _key(jwk, _PUBLIC)


def secret_key(jwk: Jwk) -> Key:
    """The secret that a JWK of type `oct` holds. Raises `UnusableKey`."""
    return _key(jwk, _SECRET)


def _key(jwk: Jwk, readers: Mapping[str, _Reader]) -> Key:
    _refuse_other_purpose(jwk)
    kty = _text(jwk, "kty")
    if kty not in readers:
        raise UnusableKey("an unknown type")
    try:
        prepared, algorithms = readers[kty](jwk)
    except UnsupportedAlgorithm as error:
        raise UnusableKey("a curve that this machine's OpenSSL does not have") from error
    except ValueError as error:
        raise UnusableKey("a malformed key") from error
    alg = _text(jwk, "alg") if "alg" in jwk else None
    if alg is not None:
        algorithms &= {alg}
    if not algorithms:
        raise UnusableKey("no algorithm goes with it")
    kid = _text(jwk, "kid") if "kid" in jwk else None
    return Key(kid=kid, kty=kty, alg=alg, algorithms=algorithms, prepared=prepared)


def _refuse_other_purpose(jwk: Jwk) -> None:
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise UnusableKey("not for signatures")


def _rsa(jwk: Jwk) -> _Material:
    modulus = int.from_bytes(_octets(jwk, "n"))
    exponent = int.from_bytes(_octets(jwk, "e"))
    # RFC 7518, 3.3: "A key of size 2048 bits or larger MUST be used". The other bounds keep a verification short.
    if not _LEAST_BITS <= modulus.bit_length() <= _MOST_BITS or modulus % 2 == 0 or weak_keys.is_roca(modulus):
        raise UnusableKey("a weak modulus")
    if not 3 <= exponent <= _LARGEST_EXPONENT or exponent % 2 == 0:
        raise UnusableKey("a weak exponent")
    return RSAPublicNumbers(exponent, modulus).public_key(), RSA_ALGORITHMS


def _elliptic(jwk: Jwk) -> _Material:
    name = _text(jwk, "crv")
    if name not in CURVES:
        raise UnusableKey("an unknown curve")
    alg, size, curve = CURVES[name]
    x, y = _octets(jwk, "x"), _octets(jwk, "y")
    if not len(x) == len(y) == size:
        raise UnusableKey("a coordinate of the wrong size")
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve)
    # Raises ValueError for a point that is not on the curve.
    return numbers.public_key(), frozenset({alg})


def _edwards(jwk: Jwk) -> _Material:
    # RFC 9864 gave each curve an algorithm of its own; EdDSA (RFC 8037) is either.
    match _text(jwk, "crv"), _octets(jwk, "x"):
        case "Ed25519", bytes(point) if len(point) == 32 and not weak_keys.is_weak_ed25519(point):
            return Ed25519PublicKey.from_public_bytes(point), frozenset({"EdDSA", "Ed25519"})
        case "Ed448", bytes(point) if len(point) == 57 and not weak_keys.is_weak_ed448(point):
            return Ed448PublicKey.from_public_bytes(point), frozenset({"EdDSA", "Ed448"})
    raise UnusableKey("an unknown curve or a weak point")


def _secret(jwk: Jwk) -> _Material:
    secret = _octets(jwk, "k")
    # RFC 7518, 3.2: "A key of the same size as the hash output […] or larger MUST be used".
    return secret, frozenset(
        alg for alg, least in (("HS256", 32), ("HS384", 48), ("HS512", 64)) if len(secret) >= least
    )


_PUBLIC: Mapping[str, _Reader] = {"RSA": _rsa, "EC": _elliptic, "OKP": _edwards}
_SECRET: Mapping[str, _Reader] = {"oct": _secret}


def _octets(jwk: Jwk, name: str) -> bytes:
    # A published key may be padded, or have stray bits at its end: nobody gains by a second spelling of it.
    text = _text(jwk, name)
    if _BASE64URL.fullmatch(text) is None:
        raise UnusableKey("not base64url")
    return base64.urlsafe_b64decode(text.rstrip("=") + "==")


def _text(jwk: Jwk, name: str) -> str:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise UnusableKey("a member is missing or no string")
    return value
