"""What a provider said, in our words and types: claims and dialect → Token. Past this file nothing is unchecked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.providers import Dialect
from policies.token_enforcement.signature import Invalid, Verified

Claims: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """The claims of an access token. What the provider did not say is `None`, and fails a rule that is set."""

    issuer: str | None
    subject: str | None
    client_id: str | None
    audience: tuple[str, ...] | None
    scopes: frozenset[str]
    expires_at: float | None
    """Seconds since the epoch, as `not_before` and `issued_at`."""
    not_before: float | None
    issued_at: float | None
    algorithm: str | None = None
    """Of a signature that we checked; `None` for an introspected token."""
    type: str | None = None
    """The `typ` header of a JWT that we checked, in lower case; `None` for an introspected token."""
    claims: Claims = field(repr=False)


MALFORMED = Invalid("token_malformed", "A claim of the token has the wrong form.")
NOT_ACCESS_TOKEN = Invalid("token_not_access_token", "The token is not an access token.")
BOUND = Invalid("token_sender_constrained", "The token is bound to its sender and can't be used as a bearer token.")
NO_EXPIRY = Invalid("token_without_expiry", "The token does not say when it expires.")


class _Malformed(Exception):
    """A claim has a type that it can't have."""


def from_introspection(claims: Claims, dialect: Dialect) -> Token | Invalid:
    """The token that an introspection answer with `active: true` speaks of (RFC 7662, 2.2)."""
    if dialect.requires_token_type and _first(claims, dialect.token_type) is None:
        # A refresh token, too, introspects as active, and some providers give it no type.
        return NOT_ACCESS_TOKEN
    scope = _first(claims, dialect.scope)
    if isinstance(scope, list) and not dialect.scope_lists:
        # RFC 7662, 2.2: "a JSON string containing a space-separated list". A list in its place grants nothing.
        scope = None
    return _wrong_kind(claims, dialect) or _token(claims, dialect, scope=scope)


def from_keys(verified: Verified, dialect: Dialect) -> Token | Invalid:
    """The token of a JWT whose signature was checked. RFC 9068, 2.2: `exp` is REQUIRED."""
    if verified.claims.get("exp") is None:
        return NO_EXPIRY
    if _may_be_id_token(verified, dialect):
        return NOT_ACCESS_TOKEN
    # RFC 9068, 2.2.3, means a string, too; but many providers sign lists.
    scope = _first(verified.claims, dialect.scope)
    wrong = _wrong_kind(verified.claims, dialect)
    return wrong or _token(verified.claims, dialect, scope=scope, algorithm=verified.alg, type=verified.typ or "")


def _may_be_id_token(verified: Verified, dialect: Dialect) -> bool:
    """Whether it could be an ID token: the same key signs it, and `typ` tells it apart where the provider sets it.

    Elsewhere claims do: the hashes (OpenID Connect Core, 3.1.3.6 and 3.3.2.11) are in no access token. They are
    OPTIONAL, though; then a client and a scope, which no ID token needs, both are absent. RFC 9068, 2.2: in an access
    token `client_id` is REQUIRED.
    """
    claims = verified.claims
    if "at_hash" in claims or "c_hash" in claims:
        return True
    names_what_for = _first(claims, dialect.client_id) is not None or _first(claims, dialect.scope) is not None
    return verified.typ != "at+jwt" and not names_what_for


def _wrong_kind(claims: Claims, dialect: Dialect) -> Invalid | None:
    """What is wrong with the kind of token that the claims name, if they name one."""
    kind = _first(claims, dialect.token_type)
    if kind is None:
        return None
    if not isinstance(kind, str):
        return MALFORMED
    if kind.lower() == "dpop":
        return BOUND
    return None if kind.lower() in dialect.access_token_types else NOT_ACCESS_TOKEN


def _token(claims: Claims, dialect: Dialect, *, scope: object, **header: str) -> Token | Invalid:
    if claims.get("cnf") is not None:
        # RFC 9449, 7.2 and RFC 8705, 3: the proof must be checked, and a bearer brings none.
        return BOUND
    try:
        return Token(
            issuer=_string(claims.get("iss")),
            subject=_string(_first(claims, dialect.subject)),
            client_id=_string(_first(claims, dialect.client_id)),
            audience=_audience(claims.get("aud")),
            scopes=_scopes(scope),
            expires_at=_date(claims.get("exp")),
            not_before=_date(claims.get("nbf")),
            issued_at=_date(claims.get("iat")),
            claims=claims,
            **header,
        )
    except _Malformed:
        return MALFORMED


def _first(claims: Claims, names: tuple[str, ...]) -> object:
    """The first of the claims that is present; `null` says nothing."""
    return next((claims[name] for name in names if claims.get(name) is not None), None)


def _string(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise _Malformed


def _audience(value: object) -> tuple[str, ...] | None:
    # RFC 7519, 4.1.3: "an array of case-sensitive strings […]. In the special case when the JWT has one audience, the
    # "aud" value MAY be a single case-sensitive string".
    if value is None:
        return None
    return (value,) if isinstance(value, str) else _strings(value)


def _scopes(value: object) -> frozenset[str]:
    # RFC 8693, 4.2: "a JSON string containing a space-separated list of scopes".
    if value is None:
        return frozenset()
    return frozenset(value.split(" ") if isinstance(value, str) else _strings(value)) - {""}


def _strings(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _Malformed
    return tuple(value)


LATEST = 2.0**53
"""Up to here a float holds every whole second; a date beyond it is not one."""


def _date(value: object) -> float | None:
    """A NumericDate (RFC 7519, 2). A boolean is an int to Python and no date to anybody."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Malformed
    # The comparison comes before `float`, which an integer of four hundred digits would overflow; NaN fails it too.
    if not -LATEST <= value <= LATEST:
        raise _Malformed
    return float(value)
