"""A published key set: which keys count for the gateway, and why the others do not. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import api_jws as jws

from gateway.doctor.findings import Result
from gateway.doctor.shown import foreign

Jwk: TypeAlias = Mapping[str, object]

RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
ALGORITHMS: Mapping[tuple[str, str | None], frozenset[str]] = {
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA", "Ed25519"}),
    ("OKP", "Ed448"): frozenset({"EdDSA", "Ed448"}),
}
MATERIAL = frozenset({"kty", "crv", "n", "e", "x", "y"})
PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
READERS = {"RSA": "RS256", "OKP": "EdDSA"}
"""Of PyJWT: an algorithm that reads keys of that type; for EC it is the curve's."""
LEAST_BITS, MOST_BITS = 2048, 8192
MOST_KEYS = 100


class NoKeySet(Exception):
    """What was published is no set of keys. The text says what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usable:
    """A key that may have signed a token."""

    kid: str | None
    algorithms: frozenset[str]
    key: jwt.PyJWK = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A key that counts for nothing, and the reason."""

    label: str
    reason: str
    result: Result
    """OK where it is not meant for us, FAILURE where it shows what must stay secret."""


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What a key set holds."""

    usable: tuple[Usable, ...]
    ignored: tuple[Ignored, ...]

    @property
    def algorithms(self) -> list[str]:
        """All that a token may be signed with."""
        return sorted({algorithm for key in self.usable for algorithm in key.algorithms})


def read_key_set(document: bytes) -> KeyFacts:
    """The keys in a JWK Set (RFC 7517, 5). Raises `NoKeySet`."""
    members = _members(document)
    read = [_read(member, number) for number, member in enumerate(members, 1)]
    usable = tuple(key for key in read if isinstance(key, Usable))
    ignored = tuple(key for key in read if isinstance(key, Ignored))
    alike = [key for key in usable if _is_ambiguous(key, usable)]
    reason = "shares its kid with another key of the same algorithm"
    told = (Ignored(label=foreign(key.kid), reason=reason, result=Result.WARNING) for key in alike)
    return KeyFacts(tuple(key for key in usable if key not in alike), (*ignored, *told))


def _members(document: bytes) -> list[object]:
    try:
        value = json.loads(document.decode())
    except (ValueError, RecursionError):
        raise NoKeySet("is not JSON") from None
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list):
        raise NoKeySet('is no JSON object with a list "keys"')
    if len(keys) > MOST_KEYS:
        raise NoKeySet(f"holds {len(keys)} keys, more than the {MOST_KEYS} that are read")
    return keys


def _read(jwk: object, number: int) -> Usable | Ignored:
    if not isinstance(jwk, dict):
        return Ignored(label=f"key {number}", reason="is no JSON object", result=Result.WARNING)
    label = foreign(jwk["kid"]) if isinstance(jwk.get("kid"), str) else f"key {number}"
    if leak := _leak(jwk):
        return Ignored(label=label, reason=leak, result=Result.FAILURE)
    if purpose := _other_purpose(jwk):
        return Ignored(label=label, reason=purpose, result=Result.OK)
    found = _material(jwk)
    return found if isinstance(found, Usable) else Ignored(label=label, reason=found, result=Result.WARNING)


def _leak(jwk: Jwk) -> str | None:
    if jwk.get("kty") == "oct":
        return "is a shared secret (oct), which nobody may publish"
    return "is a private key: whoever reads it can sign tokens" if jwk.keys() & PRIVATE else None


def _other_purpose(jwk: Jwk) -> str | None:
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig":
        return f"is not for signatures (use: {foreign(jwk['use'])})"
    if not isinstance(operations, list) or "verify" not in operations:
        return "is not for verifying (key_ops)"
    return None


def _material(jwk: Jwk) -> Usable | str:
    kind, curve = jwk.get("kty"), jwk.get("crv")
    if not isinstance(kind, str) or not isinstance(curve, str | None):
        return "is malformed"
    algorithms = RSA_ALGORITHMS if kind == "RSA" else ALGORITHMS.get((kind, curve))
    if algorithms is None:
        return f"is of a type that is not supported ({foreign(kind)}{f' {foreign(curve)}' if curve else ''})"
    try:
        material = {name: value for name, value in jwk.items() if name in MATERIAL}
        key = jwt.PyJWK(material, READERS.get(kind) or min(algorithms))
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        # The text of the exception would hold the key.
        return "is malformed"
    return _weakness(key) or _usable(jwk, algorithms, key)


def _weakness(key: jwt.PyJWK) -> str | None:
    if isinstance(key.key, RSAPublicKey) and not LEAST_BITS <= key.key.key_size <= MOST_BITS:
        return f"is an RSA key of {key.key.key_size} bits, and {LEAST_BITS} to {MOST_BITS} are needed"
    return None


def _usable(jwk: Jwk, algorithms: frozenset[str], key: jwt.PyJWK) -> Usable | str:
    alg, kid = jwk.get("alg"), jwk.get("kid")
    if not isinstance(kid, str) and "kid" in jwk:
        return "has a kid that is no text"
    if "alg" in jwk:
        algorithms = algorithms & {alg}
    if not algorithms:
        return f"is for an algorithm that does not sign tokens ({foreign(alg)})"
    return Usable(kid=kid if isinstance(kid, str) else None, algorithms=algorithms, key=key)


def _is_ambiguous(key: Usable, keys: tuple[Usable, ...]) -> bool:
    """Two keys under one id for one algorithm: which of them is meant is nobody's guess (RFC 7517, 4.5)."""
    return key.kid is not None and any(
        other.kid == key.kid and other.algorithms & key.algorithms and other.key.key != key.key.key for other in keys
    )


def verifying(token: str, header: Mapping[str, object], keys: KeyFacts | None) -> Usable | None:
    """The key that signed the JWT with that header; `None` where none of these did."""
    alg, kid = header.get("alg"), header.get("kid")
    for key in keys.usable if keys else ():
        if alg in key.algorithms and kid in (key.kid, None) and _signed(token, key, str(alg)):
            return key
    return None


def _signed(token: str, key: Usable, alg: str) -> bool:
    try:
        jws.decode(token, key.key.key, [alg])
    except (jwt.PyJWTError, TypeError, ValueError):
        return False
    return True
