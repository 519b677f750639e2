"""A token of our own: minted by client credentials and introspected, it shows what callers' tokens will look like."""

from dataclasses import dataclass, field
from urllib.parse import urlencode

from gateway.doctor.asking import JSON, Asking, Heard, told
from gateway.doctor.claims import judge_claims
from gateway.doctor.demands import Wanted
from gateway.doctor.findings import Finding, failure, ok, skipped
from gateway.doctor.introspection import FORM, SIGNED_ANSWERS, Endpoint, claims_of, permission_unknown
from gateway.doctor.jwks import KeyFacts
from gateway.doctor.shown import foreign
from gateway.doctor.signed import NotBelieved
from gateway.policy import Unavailable
from gateway.providers import ClientAuthentication, Order
from gateway.providers.authentication import Authenticator

PERMISSION = "permission"
HOPELESS = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})
"""Refusals that another scope would not change."""


@dataclass(frozen=True, slots=True)
class Minted:
    """A token, or why there is none."""

    token: str = field(default="", repr=False)
    why_not: str = ""


async def mint(url: str | None, wanted: Wanted, authenticator: Authenticator, ask: Asking) -> Minted:
    """An access token by client credentials (RFC 6749, 4.4): with the scopes of the routes, or else without any."""
    assert wanted.provider.introspection is not None  # noqa: S101 - there is an authenticator
    if wanted.provider.introspection.authentication is ClientAuthentication.AUTHORIZATION_HEADER:
        return Minted(why_not="a fixed Authorization header mints no token.")
    if url is None:
        return Minted(why_not="no token endpoint is known to mint a token of its own.")
    heard = None
    try:
        for scopes in dict.fromkeys((" ".join(wanted.scopes), "")):
            heard = await ask_for_a_token(url, scopes, authenticator, ask)
            token = (heard.document or {}).get("access_token") if heard.status == 200 else None
            if isinstance(token, str) and token.isascii():
                return Minted(token)
            if heard.status == 401 or heard.error in HOPELESS:
                break
    except Unavailable as failed:
        return Minted(why_not=f"the token endpoint does not answer: {failed.detail}")
    return Minted(why_not=f"the token endpoint answered {heard.outcome if heard else 'nothing'} to client_credentials.")


async def ask_for_a_token(url: str, scopes: str, authenticator: Authenticator, ask: Asking) -> Heard:
    """The answer to client credentials (RFC 6749, 4.4). Raises `Unavailable`."""
    proof = authenticator.prove(audience=url, now=ask.now)
    fields = [("grant_type", "client_credentials"), *([("scope", scopes)] if scopes else []), *proof.fields]
    return await ask("POST", url, (*FORM, *JSON, *proof.headers), urlencode(fields).encode())


async def examine_own_token(minted: Minted, endpoint: Endpoint, wanted: Wanted, keys: KeyFacts | None) -> list[Finding]:
    """What introspection says of the token, and what that means for the dialect and the routes."""
    assert wanted.provider.introspection is not None  # noqa: S101 - there is an endpoint
    client_id = wanted.provider.introspection.client_id
    if not minted.token:
        return [permission_unknown(minted.why_not, client_id, wanted.scopes)]
    try:
        heard = await endpoint.introspect(minted.token)
    except Unavailable as failed:
        seen = f"Introspecting our own token failed: {told(failed)}"
        return [failure(PERMISSION, seen, "Look at the provider's log.")]
    if heard.status != 200:
        return [_refused(heard, wanted, keys)]
    try:
        claims = claims_of(heard, wanted.provider, keys)
    except NotBelieved as fault:
        return [failure(SIGNED_ANSWERS, str(fault), fault.advice)]
    if claims.get("active") is not True:
        return [_inactive(client_id)]
    return [_active(client_id), *judge_claims(claims, wanted)]


def _active(client_id: str) -> Finding:
    client = foreign(client_id)
    return ok(PERMISSION, f"A token minted for {client} introspects as active. Those of other clients were not tried.")


def _inactive(client_id: str) -> Finding:
    client = foreign(client_id)
    return failure(
        PERMISSION,
        f"A token minted for {client} a moment ago introspects as inactive; every caller would get 401.",
        f"At the provider, give the client {client} the permission to introspect. Keycloak: the client must be "
        f"confidential, and named in `aud` of the tokens; add an audience mapper for {client}.",
    )


def _refused(heard: Heard, wanted: Wanted, keys: KeyFacts | None) -> Finding:
    if heard.status == 400 and heard.error == "unsupported_token_type":
        return _not_introspectable(wanted, keys)
    seen = f"Asked about a token of our own, the provider answered {heard.outcome}."
    return failure(PERMISSION, seen, "Look at the provider's log: it accepts our client, and not this question.")


def _not_introspectable(wanted: Wanted, keys: KeyFacts | None) -> Finding:
    seen = "The provider does not introspect its JWTs (unsupported_token_type)"
    only = [demand for demand in wanted.demands if demand.order_of(wanted.provider) is Order.INTROSPECT_ONLY]
    if only:
        advice = f"Write order: introspect_then_keys for {wanted.routes(only)}."
        return failure(PERMISSION, f"{seen}, and {wanted.routes(only)} would refuse them.", advice)
    if keys is None:
        return failure(PERMISSION, f"{seen}, and there are no keys to validate them by.", "First mend the keys.")
    return ok(PERMISSION, f"{seen}; its keys do. `dialect.introspects_jwts: false` would spare it the question.")


def not_tried() -> Finding:
    """Where our question is not answered well, nothing is minted and asked about."""
    return skipped(PERMISSION, "Not tried, because of what is said above.", "First mend that.")
