"""A token of our own that is a JWT, by the provider's keys: would it count when the keys are asked? No I/O."""

from collections.abc import Iterator

import jwt

from gateway.doctor.demands import Wanted
from gateway.doctor.findings import Finding, failure, ok, warning
from gateway.doctor.jwks import KeyFacts, Usable, verifying
from gateway.doctor.shown import foreign

BY_KEYS = "JWT by keys"


def judge_jwt(token: str, wanted: Wanted, keys: KeyFacts) -> list[Finding]:
    """Nothing where it is no JWT."""
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return []
    typ = str(header.get("typ", "")).lower().removeprefix("application/")
    found = verifying(token, header, keys)
    wrong = [*_type(typ, wanted), *_key(header, found), *_issuer(claims.get("iss"), wanted), *_expiry(claims)]
    if not wrong:
        return [ok(BY_KEYS, f"Our own token is a JWT ({foreign(typ) or 'no typ'}), and a published key verifies it.")]
    # Where keys are the second way only, tokens still get in while the provider answers.
    tell = failure if wanted.needs_keys else warning
    return [tell(BY_KEYS, seen, advice) for seen, advice in wrong]


def _type(typ: str, wanted: Wanted) -> Iterator[tuple[str, str]]:
    accepted = wanted.jwt_types
    if typ not in accepted:
        types = ", ".join(sorted(f'"{foreign(each)}"' for each in {*accepted, typ}))
        yield (
            f'The typ of its JWTs is "{foreign(typ)}"; by keys they would be refused (token_type_refused).',
            f"Write dialect.jwt_types: [{types}], and types on routes that have their own; then set audience, which "
            "keeps other JWTs out.",
        )


def _key(header: dict[str, object], found: Usable | None) -> Iterator[tuple[str, str]]:
    if found is None:
        yield (
            f"No published key verifies its JWTs ({foreign(header.get('alg'))}).",
            "Let the provider sign with a key that it publishes, or correct endpoints.jwks.",
        )


def _issuer(said: object, wanted: Wanted) -> Iterator[tuple[str, str]]:
    if wanted.provider.issuer is not None and said != wanted.provider.issuer:
        yield (
            f"Its JWTs name the issuer {foreign(said)}; by keys they would be refused (token_issuer_refused).",
            f"If that is the provider you mean, write issuer: {foreign(said)}",
        )


def _expiry(claims: dict[str, object]) -> Iterator[tuple[str, str]]:
    if claims.get("exp") is None:
        yield (
            "Its JWTs have no exp; by keys they would be refused (token_without_expiry).",
            "Let the provider say when a token expires (RFC 9068, 2.2).",
        )
