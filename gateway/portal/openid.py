"""The identity provider that people sign in at: what is asked of it, and what of its answers is believed.

OpenID Connect Core 1.0; OAuth 2.0 with PKCE (RFC 6749, RFC 7636); RFC 9207.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from gateway.policy import Headers, Unavailable
from gateway.portal import tokens
from gateway.portal.attempt import Attempt
from gateway.portal.provider_keys import ProviderKeys
from gateway.portal.tokens import Doubtful, Expected, Logout, Signed
from gateway.ports import Clock, Fetch, Reply
from gateway.providers import Endpoints, Provider
from gateway.providers.authentication import Authenticator
from gateway.providers.discovery import Discovery
from gateway.providers.urls import url_fault
from gateway.settings.portal import PortalSettings
from gateway.tasks import Tasks

log = logging.getLogger(__name__)

FORM: Headers = (("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What the provider gave for a code, once it is believed."""

    subject: str
    claims: Mapping[str, object] = field(repr=False)
    """Of the ID token, and of the userinfo endpoint where the former leaves something open."""
    scopes: frozenset[str]
    """What the provider said it granted; nothing where it said nothing."""
    id_token: str = field(repr=False)

    @property
    def sid(self) -> str | None:
        """What the provider calls its own session."""
        sid = self.claims.get("sid")
        return sid if isinstance(sid, str) and sid else None


@dataclass(frozen=True, slots=True)
class _Tokens:
    id_token: str = field(repr=False)
    access_token: str = field(repr=False)
    scopes: frozenset[str]


class OpenId:
    """Our client at the provider. Raises ValueError when its credentials do not suffice."""

    def __init__(self, options: PortalSettings, provider: Provider, fetch: Fetch, clock: Clock, tasks: Tasks) -> None:
        self._options = options
        self._provider = provider
        self._fetch = fetch
        self._clock = clock
        self._proof = Authenticator(options.sign_in.credentials)
        self._discovery = Discovery(as_our_client_sees(provider, options), fetch, clock, tasks)
        self._keys = ProviderKeys(self._jwks, fetch, provider.keys, clock, tasks)
        sign_in = options.sign_in
        self._expected = Expected(
            issuer=provider.issuer or "",
            client_id=sign_in.credentials.client_id,
            algorithms=frozenset(sign_in.algorithms),
            trusted_audiences=frozenset(sign_in.trusted_audiences),
        )
        self._redirect_uri = f"{options.origin}/signed-in"

    async def sign_in_url(self, attempt: Attempt) -> str:
        """Where somebody signs in (RFC 6749, 4.1.1). Raises `Unavailable`."""
        endpoint = _known((await self._endpoints()).authorization, "authorization_endpoint")
        parameters = {
            "response_type": "code",
            "client_id": self._expected.client_id,
            "redirect_uri": self._redirect_uri,
            "scope": " ".join(self._options.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return _with_query(endpoint, parameters)

    async def check_answerer(self, issuers: list[str]) -> None:
        """Raises `Doubtful` where the way back is another provider's (RFC 9207, 2.4)."""
        await self._endpoints()
        required = self._discovery.metadata.get("authorization_response_iss_parameter_supported") is True
        if (required or issuers) and issuers != [self._expected.issuer]:
            raise Doubtful("answerer")

    async def redeem(self, code: str, attempt: Attempt) -> Granted:
        """Who somebody is that came back with a code. Raises `Doubtful`, `Unavailable`."""
        got = await self._ask_for_tokens(code, attempt)
        signed = await self._keys.verify(got.id_token, self._expected.algorithms)
        subject = tokens.check_id_token(signed, self._expected, nonce=attempt.nonce, now=self._clock.time())
        claims = await self._complete(signed, got, subject)
        return Granted(subject=subject, claims=claims, scopes=got.scopes, id_token=got.id_token)

    async def sign_out_url(self, id_token: str) -> str | None:
        """Where somebody signs out there, too, if there is such a place (OpenID Connect RP-Initiated Logout, 2)."""
        endpoint = self._options.sign_in.end_session or self._discovery.metadata.get("end_session_endpoint")
        if not isinstance(endpoint, str) or url_fault(endpoint) is not None:
            return None
        hint = {"id_token_hint": id_token} if id_token else {}
        parameters = {
            "client_id": self._expected.client_id,
            "post_logout_redirect_uri": f"{self._options.origin}/signed-out",
        }
        return _with_query(endpoint, {**hint, **parameters})

    async def logged_out(self, logout_token: str) -> Logout:
        """What a logout token of the provider ends. Raises `Doubtful`, `Unavailable`."""
        signed = await self._keys.verify(logout_token, self._expected.algorithms)
        return tokens.check_logout_token(signed, self._expected, now=self._clock.time())

    async def _endpoints(self) -> Endpoints:
        return await self._discovery.endpoints()

    async def _jwks(self) -> str:
        return _known(self._provider.endpoints.jwks or (await self._endpoints()).jwks, "jwks_uri")

    async def _ask_for_tokens(self, code: str, attempt: Attempt) -> _Tokens:
        endpoint = _known((await self._endpoints()).token, "token_endpoint")
        proof = self._proof.prove(audience=endpoint, now=self._clock.time())
        fields = (
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self._redirect_uri),
            ("code_verifier", attempt.verifier),
            *proof.fields,
        )
        return _read_tokens(
            await self._fetch("POST", endpoint, headers=(*FORM, *proof.headers), body=urlencode(fields).encode())
        )

    async def _complete(self, signed: Signed, got: _Tokens, subject: str) -> Mapping[str, object]:
        """The claims, with those of the userinfo endpoint where the ID token leaves one out that we want."""
        wanted = {"name", "email"} | ({self._options.owners.claim} - {None})
        endpoint = (await self._endpoints()).userinfo
        if wanted <= signed.claims.keys() or endpoint is None or not got.access_token:
            return signed.claims
        headers = (("Authorization", f"Bearer {got.access_token}"), ("Accept", "application/json"))
        told = _read_userinfo(await self._fetch("GET", endpoint, headers=headers))
        # Core, 5.3.2: sub "MUST be verified to exactly match the sub Claim in the ID Token; if they do not match, the
        # UserInfo Response values MUST NOT be used."
        return {**told, **signed.claims} if told.get("sub") == subject else signed.claims


def as_our_client_sees(provider: Provider, options: PortalSettings) -> Provider:
    """The metadata says more than endpoints: it is read even where every endpoint that APIs need is configured."""
    endpoints = replace(provider.endpoints, jwks=None) if provider.discovery else provider.endpoints
    return replace(provider, introspection=options.sign_in.credentials, endpoints=endpoints)


def _read_tokens(reply: Reply) -> _Tokens:
    answer = _json_object(reply.body)
    if reply.status == 400 and answer.get("error") == "invalid_grant":
        raise Doubtful("code")
    if reply.status != 200:
        # Of closed meaning: what else a provider says may hold anything.
        log.error("the identity provider gives the portal no tokens: status %s", reply.status)
        raise Unavailable("The identity provider gives no tokens.", code="provider_tokens")
    id_token, access_token, scope = (answer.get(name) for name in ("id_token", "access_token", "scope"))
    if not isinstance(id_token, str):
        raise Unavailable("The identity provider gives no ID token.", code="provider_tokens")
    return _Tokens(
        id_token,
        access_token if isinstance(access_token, str) and access_token.isascii() and access_token.isprintable() else "",
        frozenset(scope.split()) if isinstance(scope, str) else frozenset(),
    )


def _read_userinfo(reply: Reply) -> Mapping[str, object]:
    if reply.status >= 500:
        raise Unavailable("The identity provider does not say who signed in.", code="provider_userinfo")
    return _json_object(reply.body) if reply.status == 200 else {}


def _json_object(body: bytes) -> Mapping[str, object]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _known(url: str | None, name: str) -> str:
    if url is None:
        raise Unavailable(f"The identity provider names no {name}.", code="provider_metadata")
    return url


def _with_query(url: str, parameters: Mapping[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"
