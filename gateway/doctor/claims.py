"""What introspection says of an active token, against the dialect and the routes: what to write so that it counts."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from gateway.doctor.demands import Wanted
from gateway.doctor.findings import Finding, failure, ok, warning
from gateway.doctor.shown import foreign, listed
from gateway.providers import Dialect

Claims: TypeAlias = Mapping[str, object]

OTHER_SCOPES = ("scope", "scp", "scopes", "permissions", "roles")
"""Where providers put scopes."""
NO_CLIENT = frozenset({"sub", "username", "active", "jti", "iss"})
"""Claims that hold the client's id only because the token is the client's own."""


def judge_claims(claims: Claims, wanted: Wanted) -> Iterator[Finding]:
    """A finding for each claim that matters."""
    yield _token_type(claims, wanted)
    yield _client_id(claims, wanted)
    yield _scope(claims, wanted)
    yield _audience(claims, wanted)
    yield from _issuer(claims, wanted)
    yield from _dates(claims)
    yield from _binding(claims)


def _first(claims: Claims, names: tuple[str, ...]) -> tuple[str, object]:
    """The first of the claims that is present, and its value."""
    return next(((name, claims[name]) for name in names if claims.get(name) is not None), ("", None))


def _token_type(claims: Claims, wanted: Wanted) -> Finding:
    dialect = wanted.provider.dialect
    name, kind = _first(claims, dialect.token_type)
    if kind is None:
        seen = f"The answer has no {' and no '.join(dialect.token_type)}"
        if not dialect.requires_token_type:
            return ok("token_type", f"{seen}, and none is required.")
        advice = (
            "Write dialect.requires_token_type: false; refresh tokens may pass for access tokens then, so that each "
            "route should name its audience."
        )
        return failure("token_type", f"{seen}; every token would be refused.", advice)
    if not isinstance(kind, str):
        return _malformed("token_type", "no text")
    return _kind(name, kind, dialect)


def _kind(name: str, kind: str, dialect: Dialect) -> Finding:
    if kind.lower() in dialect.access_token_types:
        return ok("token_type", f"{name} is {foreign(kind)}.")
    if kind.lower() == "dpop":
        advice = "Let the provider issue bearer tokens to those who call through this gateway."
        return failure("token_type", "Tokens are bound to their senders (DPoP), and would be refused.", advice)
    kinds = sorted({*dialect.access_token_types, kind.lower()})
    advice = f"If that is an access token, write dialect.access_token_types: [{', '.join(map(foreign, kinds))}]"
    return failure("token_type", f"{name} is {foreign(kind)}, which is no access token here.", advice)


def _client_id(claims: Claims, wanted: Wanted) -> Finding:
    ours = wanted.provider.introspection.client_id if wanted.provider.introspection else ""
    name, value = _first(claims, wanted.provider.dialect.client_id)
    if value == ours:
        return ok("client_id", f"{name} names the client.")
    if value is not None and not isinstance(value, str):
        return _malformed("client_id", "no text")
    holders = [claim for claim, held in claims.items() if held == ours and claim not in NO_CLIENT]
    seen = f"{name} is not the client that the token was minted for" if name else "No claim of the dialect is there"
    if holders:
        return failure("client_id", f"{seen}; {foreign(holders[0])} is.", _write_client_id(holders, wanted))
    asking = [demand for demand in wanted.demands if demand.contract_required]
    seen = f"{seen}; claims: {listed(sorted(claims))}."
    if asking:
        advice = f"Let the provider name the client; until then {wanted.routes(asking)} would refuse every token."
        return failure("client_id", seen, advice)
    return warning("client_id", seen, "Let the provider name the client, for contracts, logs and identity headers.")


def _write_client_id(holders: list[str], wanted: Wanted) -> str:
    names = [holders[0], *(name for name in wanted.provider.dialect.client_id if name != holders[0])]
    return f"Write dialect.client_id: [{', '.join(map(foreign, names))}]"


def _scope(claims: Claims, wanted: Wanted) -> Finding:
    name, value = _first(claims, wanted.provider.dialect.scope)
    asking = [demand for demand in wanted.demands if demand.scopes]
    if isinstance(value, str):
        return ok("scope", f"{name} holds words: {listed(value.split(' '))}.")
    if isinstance(value, list):
        seen = f"{name} is a list, and in an introspection answer a list grants nothing (RFC 7662, 2.2)."
        advice = "Let the provider write scopes as words between spaces; or, for JWTs, write dialect.order: keys_first"
        return failure("scope", seen, advice) if asking else warning("scope", seen, advice)
    if value is not None:
        advice = "Let the provider write scopes as words between spaces."
        return failure("scope", f"{name} is neither words nor a list; every token would be refused.", advice)
    other = [claim for claim in OTHER_SCOPES if isinstance(claims.get(claim), str)]
    if other:
        words = ", ".join([other[0], *wanted.provider.dialect.scope])
        seen = f"The answer has no {' and no '.join(wanted.provider.dialect.scope)}, but {other[0]}."
        return failure("scope", seen, f"Write dialect.scope: [{words}]")
    return _without_scope(wanted)


def _without_scope(wanted: Wanted) -> Finding:
    """A client of ours that has no scopes shows nothing about those of others."""
    if not wanted.scopes:
        return ok("scope", "The token has no scopes, and no route asks for any.")
    return ok(
        "scope", f"The token has no scopes. Routes ask for {listed(wanted.scopes)}: callers' tokens must have them."
    )


def _audience(claims: Claims, wanted: Wanted) -> Finding:
    said, asked = claims.get("aud"), wanted.audience
    names = [said] if isinstance(said, str) else said
    asking = [demand for demand in wanted.demands if demand.audience]
    if names is None and asked:
        advice = (
            "Let the provider name the API in `aud` of its tokens (Keycloak: an audience mapper); callers may have to "
            "ask for it (`resource` or `audience`)."
        )
        return warning("aud", f"The answer has no aud, and {wanted.routes(asking)} would refuse such tokens.", advice)
    if names is None:
        return ok("aud", "The answer has no aud, and no route asks for one.")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return _malformed("aud", "neither a text nor a list of texts")
    seen = f"It is {listed(names)}"
    if not asked:
        return ok("aud", f"{seen}; no route asks for one.")
    return ok("aud", f"{seen}; routes ask for {listed(asked)}.")


def _issuer(claims: Claims, wanted: Wanted) -> Iterator[Finding]:
    said, ours = claims.get("iss"), wanted.provider.issuer
    if said is None or ours is None:
        return
    if said == ours:
        yield ok("iss", "It is the configured issuer.")
        return
    seen = f"Tokens name the issuer {foreign(said)}, not {foreign(ours)}; every one would be refused."
    yield failure("iss", seen, f"If that is the provider you mean, write issuer: {foreign(said)}")


def _dates(claims: Claims) -> Iterator[Finding]:
    for name in ("exp", "iat", "nbf"):
        value = claims.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            yield _malformed(name, "no number of seconds")
    if claims.get("exp") is None:
        advice = "Let the provider say when a token expires, or write a small cache.max_age_without_exp."
        yield warning("exp", "The answer does not say when the token expires.", advice)


def _binding(claims: Claims) -> Iterator[Finding]:
    if claims.get("cnf") is not None:
        seen = "The token is bound to our client (cnf). Callers' tokens that are bound would be refused."
        yield warning("cnf", seen, "Let the provider issue unbound tokens to those who call through this gateway.")


def _malformed(name: str, what: str) -> Finding:
    advice = "Let the provider spell it as RFC 7662, 2.2 says; for JWTs, dialect.order: keys_only helps until then."
    return failure(name, f"{name} is {what}; every token would be refused (token_malformed).", advice)
