"""Sign-in at the portal, as far as it can be tried without a person."""

import asyncio
import secrets
from collections.abc import Iterator
from urllib.parse import urlencode

from gateway.doctor.asking import Asking, told
from gateway.doctor.authorizing import CREDENTIALS, NOBODYS, REDIRECT, SECTION, judge_invented_code, judge_redirect
from gateway.doctor.discovery import look_up
from gateway.doctor.findings import Examined, Finding, failure, ok, skipped, warning
from gateway.doctor.overhearing import Overhearing
from gateway.doctor.reachability import UnusableFile, client_tls
from gateway.doctor.shown import foreign, listed, plain_url, secrets_of
from gateway.fetch import open_fetch
from gateway.policy import Headers, Unavailable
from gateway.portal import attempt
from gateway.portal.openid import FORM, OpenId, as_our_client_sees
from gateway.portal.reception import BACK_CHANNEL, SIGNED_IN
from gateway.ports import Clock
from gateway.providers import Endpoints, Provider
from gateway.providers.authentication import Authenticator
from gateway.providers.metadata import Document, Metadata
from gateway.settings.portal import PortalSettings
from gateway.tasks import Tasks

FIRST = "First mend what is said of the provider."
PAGE: Headers = (("Accept", "text/html"),)


async def examine_sign_in(portal: PortalSettings, provider: Provider, clock: Clock) -> Examined:
    """Metadata, redirect URI and credentials, and what follows a sign-in."""
    transport = provider.transport
    try:
        await asyncio.to_thread(client_tls, transport.ca_file, transport.certificate_file, transport.key_file)
    except UnusableFile:
        return Examined(findings=(skipped("sign-in", "Not tried: a file of the transport cannot be used.", FIRST),))
    tasks = Tasks()
    async with open_fetch(transport) as fetch:
        try:
            examination = _Examination(portal, provider, Asking(fetch, clock), clock, tasks)
            findings = await examination.findings()
        except ValueError as fault:
            findings = [failure(CREDENTIALS, f"{fault}.", f"Correct the options under {SECTION}.credentials.")]
        finally:
            await tasks.close()
    return Examined(findings=tuple(findings), secrets=frozenset(secrets_of(portal.sign_in.credentials)))


class _Examination:
    """Raises ValueError when the credentials do not suffice for their method."""

    def __init__(self, portal: PortalSettings, provider: Provider, ask: Asking, clock: Clock, tasks: Tasks) -> None:
        self._portal = portal
        self._provider = as_our_client_sees(provider, portal)
        self._credentials = portal.sign_in.credentials
        self._proof = Authenticator(self._credentials)
        self._ask = ask
        self._clock = clock
        self._tasks = tasks

    async def findings(self) -> list[Finding]:
        looks = await look_up(self._provider, self._ask) if self._provider.discovery else []
        metadata = looks[-1].metadata if looks else Metadata(self._provider.endpoints)
        if metadata is None:
            return [skipped("sign-in", "Where people sign in, nobody knows without the metadata.", FIRST)]
        missing = list(_missing(metadata.endpoints))
        found = [*missing, *judge_metadata(metadata.document, self._portal)]
        if not missing:
            found += [await self._redirect_uri(), await self._client(metadata)]
        return [*found, *judge_what_follows(metadata.document, self._portal)]

    async def _redirect_uri(self) -> Finding:
        openid = OpenId(self._portal, self._provider, Overhearing(self._ask), self._clock, self._tasks)
        return await judge_redirect_of(self._portal, openid, self._provider, self._ask, self._clock, self._tasks)

    async def _client(self, metadata: Metadata) -> Finding:
        url = metadata.endpoints.token
        assert url is not None  # noqa: S101 - it is not missing
        proof = self._proof.prove(audience=url, now=self._ask.now)
        invented = attempt.begin("/", self._ask.now)
        fields = (
            ("grant_type", "authorization_code"),
            ("code", secrets.token_urlsafe(32)),
            ("redirect_uri", f"{self._portal.origin}{SIGNED_IN}"),
            ("code_verifier", invented.verifier),
            *proof.fields,
        )
        try:
            heard = await self._ask("POST", url, (*FORM, *proof.headers), urlencode(fields).encode())
        except Unavailable as failed:
            return failure(CREDENTIALS, f"{plain_url(url)}: {told(failed)}", "Look at the provider's log.")
        return judge_invented_code(heard, self._credentials, _words(metadata.document, METHODS))


METHODS = "token_endpoint_auth_methods_supported"


async def judge_redirect_of(
    portal: PortalSettings, openid: OpenId, provider: Provider, ask: Asking, clock: Clock, tasks: Tasks
) -> Finding:
    """Whether the provider takes the redirect URI of that portal: by requests that show nobody a page."""
    elsewhere = OpenId(portal.model_copy(update={"url": NOBODYS}), provider, Overhearing(ask), clock, tasks)
    begun = attempt.begin("/", clock.time())
    try:
        heard = await ask("GET", f"{await openid.sign_in_url(begun)}&prompt=none", PAGE)
        control = await ask("GET", f"{await elsewhere.sign_in_url(begun)}&prompt=none", PAGE)
    except Unavailable as failed:
        return failure(REDIRECT, f"The authorization endpoint: {told(failed)}", "Look at the provider's log.")
    return judge_redirect(heard, control, f"{portal.origin}{SIGNED_IN}", portal.sign_in.credentials)


def _missing(endpoints: Endpoints) -> Iterator[Finding]:
    named = {"authorization": endpoints.authorization, "token": endpoints.token, "jwks": endpoints.jwks}
    missing = [name for name, url in named.items() if url is None]
    if missing:
        seen = f"The provider does not say where these are: {', '.join(missing)}."
        yield failure("endpoints", seen, f"Write {', '.join(f'endpoints.{name}' for name in missing)}: the URLs.")


def judge_metadata(document: Document, portal: PortalSettings) -> Iterator[Finding]:
    """What the metadata says of what a sign-in asks for. Nothing is said where there is no metadata."""
    if not document:
        return
    challenges = _words(document, "code_challenge_methods_supported")
    if "S256" in challenges:
        yield ok("PKCE", "The provider knows PKCE with S256.")
    else:
        seen = "The metadata does not say that the provider knows PKCE with S256; we send it all the same."
        yield warning("PKCE", seen, "Look whether it can be required for our client.")
    offered = _words(document, "scopes_supported")
    unknown = [scope for scope in portal.scopes if offered and scope not in offered]
    if unknown:
        advice = f"If sign-ins fail, correct {SECTION}.scopes or owners.scopes: the list need not be complete."
        yield warning("scopes", f"The metadata does not list {listed(unknown)}.", advice)
    signing = _words(document, "id_token_signing_alg_values_supported")
    if signing and not set(signing) & set(portal.sign_in.algorithms):
        seen = f"ID tokens are signed by {listed(signing)}, and none of these is accepted."
        advice = "Let the provider sign by RS256 or ES256 for our client; a shared secret signs none."
        yield failure("algorithms", seen, advice)


def judge_what_follows(document: Document, portal: PortalSettings) -> Iterator[Finding]:
    """Who decides, and what happens when people leave."""
    if portal.owners.claim is None and not portal.owners.scopes:
        seen = "Nobody who signs in decides about requests: they wait for operators and their commands."
        yield warning("owners", seen, "Write portal.owners: the claim, or the scopes, that make an owner of APIs.")
    back = f"its back channel is advertised ({portal.origin}{BACK_CHANNEL} is ours to register)"
    if document.get("backchannel_logout_supported") is not True:
        back = "no back channel is advertised"
    if portal.sign_in.end_session or document.get("end_session_endpoint"):
        yield ok("sign-out", f"Who signs out here can sign out at the provider; {back}.")
    else:
        seen = f"Who signs out here stays signed in at the provider; {back}."
        yield warning("sign-out", seen, f"Write {SECTION}.end_session, if it has such a place.")


def _words(document: Document, name: str) -> list[str]:
    words = document.get(name)
    return [foreign(word) for word in words if isinstance(word, str)] if isinstance(words, list) else []
