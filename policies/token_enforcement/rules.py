"""The rules a token must satisfy, and the judgement. No I/O and no clock in here."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.policy import Deny
from policies.token_enforcement import bearer
from policies.token_enforcement.claims import Claims, Token
from policies.token_enforcement.options import ClaimRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a route asks of a token."""

    realm: str
    provider_issuer: str | None = None
    issuer: str | None = None
    """Asked for even of introspected tokens, which need not name their issuer otherwise."""
    audience: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    any_scope: bool = False
    claims: tuple[ClaimRule, ...] = ()
    leeway: float = 0.0
    """Seconds, for all times alike, applied once."""
    types: frozenset[str] = frozenset()
    """What the `typ` of a JWT validated by keys may say, in lower case."""
    algorithms: frozenset[str] = frozenset()
    """What may have signed a JWT that is validated by keys."""
    checks: "tuple[Check, ...]" = field(init=False, default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        asked: dict[Check, bool] = {
            scope_missing: bool(self.scopes),
            audience_wrong: bool(self.audience),
            claim_refused: bool(self.claims),
        }
        object.__setattr__(self, "checks", tuple(check for check, _ in CHECKS if asked.get(check, True)))


Check: TypeAlias = Callable[[Token, Rules, float], Deny | None]


def judge(token: Token, rules: Rules, now: float) -> Deny | None:
    """The refusal that the token deserves at `now`, seconds since the epoch; `None` when it satisfies every rule."""
    for check in rules.checks:
        refusal = check(token, rules, now)
        if refusal is not None:
            return refusal
    return None


def header_refused(token: Token, rules: Rules, now: float) -> Deny | None:
    """RFC 9068, 4: the `typ` of a JWT access token must say that it is one; and the route names the algorithms."""
    if token.type is None:
        return None
    if token.type not in rules.types:
        return bearer.invalid_token(rules.realm, "token_type_refused", "The token is not of a type that counts here.")
    if token.algorithm not in rules.algorithms:
        return bearer.invalid_token(
            rules.realm, "token_algorithm_refused", "The token is signed by an algorithm that is not accepted here."
        )
    return None


def issuer_wrong(token: Token, rules: Rules, now: float) -> Deny | None:
    """Compared code point by code point (RFC 7519, 4.1.1 and 2: StringOrURI, case-sensitive)."""
    expected = rules.issuer or rules.provider_issuer
    if expected is not None and token.issuer == expected:
        return None
    if token.type is None and rules.issuer is None and None in (token.issuer, expected):
        # RFC 7662, 2.2: `iss` is OPTIONAL there, and it was that provider itself that answered. A signature says less:
        # several issuers may share their keys, so that a signed token is refused where nobody named the right one.
        return None
    return bearer.invalid_token(rules.realm, "token_issuer_refused", "The token comes from another issuer.")


def expired(token: Token, rules: Rules, now: float) -> Deny | None:
    """RFC 7519, 4.1.4: not accepted "on or after" exp, hence >= and not >."""
    if token.expires_at is None or now < token.expires_at + rules.leeway:
        return None
    return bearer.invalid_token(rules.realm, "token_expired", "The token has expired.")


def not_yet_valid(token: Token, rules: Rules, now: float) -> Deny | None:
    """RFC 7519, 4.1.5; and a token that says it was issued in the future is not trusted either."""
    latest = now + rules.leeway
    if (token.not_before or 0) <= latest and (token.issued_at or 0) <= latest:
        return None
    return bearer.invalid_token(rules.realm, "token_not_yet_valid", "The token is not valid yet.")


def audience_wrong(token: Token, rules: Rules, now: float) -> Deny | None:
    """RFC 7519, 4.1.3: whoever is not named in `aud` must reject the token. A missing audience names nobody."""
    if token.audience is not None and not rules.audience.isdisjoint(token.audience):
        return None
    return bearer.invalid_token(rules.realm, "token_audience_refused", "The token is meant for another API.")


def claim_refused(token: Token, rules: Rules, now: float) -> Deny | None:
    """The claims that the route requires."""
    for rule in rules.claims:
        if not satisfies(claim_at(token.claims, rule.claim), rule):
            return bearer.forbidden("claim_refused", f"The token's claim {rule.claim} does not allow this.")
    return None


def scope_missing(token: Token, rules: Rules, now: float) -> Deny | None:
    """RFC 6750, 3.1: the request requires higher privileges than the token provides."""
    if rules.any_scope:
        if not rules.scopes.isdisjoint(token.scopes):
            return None
        return bearer.insufficient_scope(rules.realm, rules.scopes, "The token has none of the scopes that allow this.")
    if rules.scopes <= token.scopes:
        return None
    return bearer.insufficient_scope(rules.realm, rules.scopes, "The token lacks a scope that this needs.")


CHECKS: tuple[tuple[Check, str], ...] = (
    (header_refused, "type and algorithm"),
    (issuer_wrong, "issuer"),
    (expired, "expiry"),
    (not_yet_valid, "not before"),
    (audience_wrong, "audience"),
    (claim_refused, "claims"),
    (scope_missing, "scopes"),
)
"""In the order in which they are asked: first whether the token is good at all, then what it allows."""


def claim_at(claims: Claims, path: str) -> object:
    """The claim of that name, or, where there is none, the member that the dots lead to; `None` if there is nothing."""
    if path in claims:
        return claims[path]
    first, *rest = path.split(".")
    value = claims.get(first)
    for name in rest:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def satisfies(value: object, rule: ClaimRule) -> bool:
    """Whether the claim's value is what the rule asks for; a missing claim never is."""
    if rule.equals is not None:
        return _same(value, rule.equals)
    if rule.one_of:
        return any(_same(value, choice) for choice in rule.one_of)
    parts = value.split(" ") if isinstance(value, str) else value
    return isinstance(parts, list) and any(_same(part, rule.contains) for part in parts)


def _same(value: object, expected: object) -> bool:
    """Equal in JSON's terms: to Python `True == 1`, to JSON they are different."""
    return value == expected and isinstance(value, bool) == isinstance(expected, bool)
