"""Why a token is allowed or refused, check by check: what `tokenward explain` prints. Pure."""

from collections.abc import Callable, Mapping

from gateway.clients import Contract
from gateway.policy import Finding, Headers
from policies.token_enforcement.claims import Token
from policies.token_enforcement.rules import (
    CHECKS,
    Check,
    Rules,
    audience_wrong,
    claim_at,
    claim_refused,
    expired,
    header_refused,
    issuer_wrong,
    not_yet_valid,
    scope_missing,
)


def of_rules(token: Token, rules: Rules, now: float) -> list[Finding]:
    """How each check comes out at `now`, seconds since the epoch, in the order in which they are asked."""
    return [_finding(check, name, token, rules, now) for check, name in CHECKS]


def of_client(token: Token, *, blocked: bool) -> list[Finding]:
    """That the token's client was deleted here, where it was: elsewhere there is nothing to say."""
    said = f"401 client_blocked: the client {token.client_id} was deleted here"
    return [Finding("client", False, said)] if blocked else []


def of_contract(token: Token, contract: Contract | None, *, required: bool) -> Finding:
    """Whether the token's client may use the API."""
    client = f"the client {token.client_id}" if token.client_id else "a token that names no client"
    if contract is None:
        return Finding("contract", False if required else None, f"{client} has no contract for this API")
    return Finding("contract", True, f"{client} has a contract, tier {contract.tier or 'none'}")


def of_identity(headers: Headers) -> Finding:
    """What the upstream will be told."""
    told = ", ".join(f"{name}: {value}" for name, value in headers) or "no identity headers"
    return Finding("upstream receives", None, told)


def _finding(check: Check, name: str, token: Token, rules: Rules, now: float) -> Finding:
    why = WHY[check](token, rules, now)
    if check not in rules.checks:
        return Finding(name, None, f"nothing asked; {why}")
    refusal = check(token, rules, now)
    return Finding(name, refusal is None, why if refusal is None else f"{refusal.status} {refusal.code}: {why}")


def _header(token: Token, rules: Rules, now: float) -> str:
    if token.type is None:
        return "introspected, so there is no header to look at"
    return f"typ {token.type!r} of {_names(rules.types)}, alg {token.algorithm} of {_names(rules.algorithms)}"


def _issuer(token: Token, rules: Rules, now: float) -> str:
    named = "no issuer" if token.issuer is None else repr(token.issuer)
    wanted = rules.issuer or rules.provider_issuer
    expected = "none in particular" if wanted is None else repr(wanted)
    vouched = "; the provider itself answered for it" if token.issuer is None and token.type is None else ""
    return f"the token names {named}, expected is {expected}{vouched}"


def _expiry(token: Token, rules: Rules, now: float) -> str:
    if token.expires_at is None:
        return "the token does not say when it expires"
    return f"expires {_when(token.expires_at, now)}, with {rules.leeway:.0f} s of leeway"


def _not_before(token: Token, rules: Rules, now: float) -> str:
    times = [("nbf", token.not_before), ("iat", token.issued_at)]
    said = ", ".join(f"{name} {_when(value, now)}" for name, value in times if value is not None)
    return said or "the token names neither nbf nor iat"


def _audience(token: Token, rules: Rules, now: float) -> str:
    meant = "nobody" if token.audience is None else _names(token.audience)
    return f"the token is meant for {meant}, accepted is {_names(rules.audience)}"


def _claims(token: Token, rules: Rules, now: float) -> str:
    return ", ".join(f"{rule.claim} is {claim_at(token.claims, rule.claim)!r}" for rule in rules.claims) or "no rule"


def _scopes(token: Token, rules: Rules, now: float) -> str:
    which = "any of" if rules.any_scope else "all of"
    return f"the token has {_names(token.scopes)}, needed is {which} {_names(rules.scopes)}"


def _when(time: float, now: float) -> str:
    return f"in {time - now:.0f} s" if time > now else f"{now - time:.0f} s ago"


def _names(values: frozenset[str] | tuple[str, ...]) -> str:
    return "[" + ", ".join(sorted(values)) + "]"


WHY: Mapping[Check, Callable[[Token, Rules, float], str]] = {
    header_refused: _header,
    issuer_wrong: _issuer,
    expired: _expiry,
    not_yet_valid: _not_before,
    audience_wrong: _audience,
    claim_refused: _claims,
    scope_missing: _scopes,
}
