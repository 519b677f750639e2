"""ID tokens and logout tokens: who signed them, and whether they are for us and in force. Pure.

OpenID Connect Core 1.0, 3.1.3.7; OpenID Connect Back-Channel Logout 1.0, 2.6.
"""

import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

import jwt
from jwt.api_jws import PyJWS

Claims: TypeAlias = Mapping[str, object]
Jwk: TypeAlias = Mapping[str, object]

LONGEST = 16_384
"""Characters of a token."""
LEEWAY = 60.0
"""Seconds that the provider's clock may be off."""
OLDEST = 600.0
"""Seconds since a token was issued: it comes straight from the provider."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
MOST_TRIED = 5
"""Keys that are tried for a token that names none."""

# RFC 7518, 3.1, and RFC 8037, 3.1: what a key must be to sign with an algorithm.
_RSA: Mapping[str, str] = {"kty": "RSA"}
_KIND: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), _RSA),
    "ES256": {"kty": "EC", "crv": "P-256"},
    "ES384": {"kty": "EC", "crv": "P-384"},
    "ES512": {"kty": "EC", "crv": "P-521"},
    "EdDSA": {"kty": "OKP"},
}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class Doubtful(Exception):
    """A token that is not believed. `code` is of a closed set, and nothing of the token is in it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class KeyUnknown(Doubtful):
    """Signed with a key that is not among those we have. There may be newer ones."""

    def __init__(self) -> None:
        super().__init__("key_unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Whose tokens we believe."""

    issuer: str
    client_id: str
    algorithms: frozenset[str]
    trusted_audiences: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What a key of the provider signed. Whether it is for us, and in force, is another question."""

    typ: str
    """In lower case and without `application/`; empty where the token does not say."""
    claims: Claims = field(repr=False)


def verify(token: str, keys: Iterable[Jwk], algorithms: frozenset[str]) -> Signed:
    """What the token says, when one of the keys signed it with one of the algorithms. Raises `Doubtful`."""
    if len(token) > LONGEST or token.count(".") != 2:
        raise Doubtful("malformed")
    try:
        header = PyJWS().get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        raise Doubtful("malformed") from None
    # RFC 7515, 4.1.11: what "crit" names must be understood. We understand none of it, nor what b64 would change.
    if not header.keys().isdisjoint(("crit", "b64", "zip")):
        raise Doubtful("malformed")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in algorithms or algorithm not in _KIND:
        raise Doubtful("algorithm")
    payload = _payload(token, _candidates(keys, algorithm, header.get("kid")), algorithm)
    return Signed(typ=_typ(header.get("typ", "")), claims=_json_object(payload))


def check_id_token(signed: Signed, expected: Expected, *, nonce: str, now: float) -> str:
    """The subject, where this is an ID token for us that belongs to that nonce. Raises `Doubtful`."""
    if signed.typ not in {"", "jwt", "id+jwt"} or "events" in signed.claims:
        raise Doubtful("type")
    _check_common(signed.claims, expected, now)
    if not hmac.compare_digest(_text(signed.claims, "nonce").encode(), nonce.encode()):
        raise Doubtful("nonce")
    subject = _text(signed.claims, "sub")
    # OpenID Connect Core, 2: sub "MUST NOT exceed 255 ASCII characters in length".
    if not 0 < len(subject) <= 255 or not subject.isprintable():
        raise Doubtful("subject")
    return subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout:
    """Which sessions a provider ended."""

    jti: str
    subject: str | None
    sid: str | None
    forgotten_at: float
    """Seconds since the epoch, from which on the token would be too old anyway."""


def check_logout_token(signed: Signed, expected: Expected, *, now: float) -> Logout:
    """What is to end, where this is a logout token for us. Raises `Doubtful`."""
    if signed.typ not in {"", "jwt", "logout+jwt"}:
        raise Doubtful("type")
    claims = signed.claims
    _check_common(claims, expected, now)
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise Doubtful("events")
    # 2.4: "A nonce Claim MUST NOT be present": else an ID token could be passed off as a logout token.
    if "nonce" in claims:
        raise Doubtful("nonce")
    subject, sid = _optional(claims, "sub"), _optional(claims, "sid")
    if subject is None and sid is None:
        raise Doubtful("subject")
    jti = _text(claims, "jti")
    if not 0 < len(jti) <= 512:
        raise Doubtful("jti")
    return Logout(jti=jti, subject=subject, sid=sid, forgotten_at=now + OLDEST + 2 * LEEWAY)


def _check_common(claims: Claims, expected: Expected, now: float) -> None:
    # Core, 3.1.3.7, 2: the issuer "MUST exactly match the value of the iss (issuer) Claim".
    if claims.get("iss") != expected.issuer:
        raise Doubtful("issuer")
    _check_audience(claims, expected)
    issued_at, expires_at = _seconds(claims, "iat"), _seconds(claims, "exp")
    if not now - OLDEST - LEEWAY <= issued_at <= now + LEEWAY:
        raise Doubtful("issued_at")
    # 9: "The current time MUST be before the time represented by the exp Claim."
    if now - LEEWAY >= expires_at:
        raise Doubtful("expired")
    if "nbf" in claims and now + LEEWAY < _seconds(claims, "nbf"):
        raise Doubtful("not_before")


def _check_audience(claims: Claims, expected: Expected) -> None:
    """3: refused "if it contains additional audiences not trusted by the Client"; 4 and 5: azp is our client."""
    named = claims.get("aud")
    audiences = [named] if isinstance(named, str) else named
    if not isinstance(audiences, list) or expected.client_id not in audiences:
        raise Doubtful("audience")
    others = [each for each in audiences if each != expected.client_id]
    if any(each not in expected.trusted_audiences for each in others):
        raise Doubtful("audience")
    if (others or "azp" in claims) and claims.get("azp") != expected.client_id:
        raise Doubtful("authorized_party")


def _candidates(keys: Iterable[Jwk], algorithm: str, kid: object) -> Sequence[Jwk]:
    fitting = [key for key in keys if _fits(key, algorithm) and (kid is None or key.get("kid") == kid)]
    # Two keys under one id: which of them is meant is nobody's guess (RFC 7517, 4.5).
    if not fitting or (kid is not None and len(fitting) > 1):
        raise KeyUnknown
    return fitting[:MOST_TRIED]


def _fits(key: Jwk, algorithm: str) -> bool:
    if key.get("use", "sig") != "sig" or key.get("alg", algorithm) != algorithm or key.keys() & _PRIVATE:
        return False
    return all(key.get(name) == value for name, value in _KIND[algorithm].items())


def _payload(token: str, keys: Sequence[Jwk], algorithm: str) -> bytes:
    signatures = PyJWS(algorithms=[algorithm], options={"enforce_minimum_key_length": True})
    for jwk in keys:
        try:
            key = jwt.PyJWK(dict(jwk), algorithm)
            payload: bytes = signatures.decode(token, key, algorithms=[algorithm])
        except (jwt.PyJWTError, ValueError):
            continue
        return payload
    raise Doubtful("signature")


def _json_object(payload: bytes) -> Claims:
    try:
        claims = json.loads(payload, object_pairs_hook=_named_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Doubtful("malformed") from None
    if not isinstance(claims, dict):
        raise Doubtful("malformed")
    return claims


def _named_once(members: list[tuple[str, object]]) -> dict[str, object]:
    # RFC 7519, 4: "The Claim Names within a JWT Claims Set MUST be unique".
    value = dict(members)
    if len(value) != len(members):
        raise ValueError("a name comes twice")
    return value


def _no_number(constant: str) -> NoReturn:
    # Python reads NaN, which no time is before and none is after.
    raise ValueError("not a number")


def _typ(value: object) -> str:
    return value.lower().removeprefix("application/") if isinstance(value, str) else "?"


def _text(claims: Claims, name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise Doubtful(f"{name}_missing")
    return value


def _optional(claims: Claims, name: str) -> str | None:
    return _text(claims, name) if name in claims else None


def _seconds(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Doubtful(f"{name}_missing")
    return value
