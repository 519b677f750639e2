"""A person signs in, as at the portal: what the provider says of them, and what that makes of them here."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from multidict import MultiMapping

from gateway.doctor.asking import Asking, told
from gateway.doctor.authorizing import SECTION
from gateway.doctor.findings import Examined, Finding, Result, failure, ok, warning
from gateway.doctor.landing import Landing, landing
from gateway.doctor.overhearing import Overhearing
from gateway.doctor.shown import foreign, listed, secrets_of
from gateway.doctor.sign_in import judge_redirect_of
from gateway.fetch import open_fetch
from gateway.policy import Unavailable
from gateway.portal import attempt, identity
from gateway.portal.openid import Granted, OpenId
from gateway.portal.tokens import Doubtful
from gateway.ports import Clock
from gateway.providers import Provider
from gateway.settings.portal import PortalSettings
from gateway.tasks import Tasks

PATIENCE = 300.0
"""Seconds to sign in."""
USUAL_PORT = 8400
"""For an advice: any would do."""
SIGNED_IN = "signed in"
DOUBTS = {
    "answerer": "Write the issuer that the provider calls itself in its answers (RFC 9207).",
    "audience": f"Write {SECTION}.trusted_audiences, if the token is rightly for others besides our client.",
    "authorized_party": f"Let the provider name our client in azp, or keep others out of aud ({SECTION}).",
    "algorithm": f"Write {SECTION}.algorithms, or let the provider sign by another one.",
    "key_unknown": "Let the provider publish the key that it signs ID tokens with.",
    "issuer": "Write the issuer that ID tokens name.",
    "issued_at": "Set both clocks by NTP.",
    "expired": "Set both clocks by NTP.",
    "not_before": "Set both clocks by NTP.",
    "code": "The provider did not take its own code: look at its log.",
}
"""What to do about what is not believed; a code that is not here is a fault of the provider's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """How somebody at this machine is asked to sign in."""

    say: Callable[[str], None]
    """Shows them a line or two."""
    port: int | None = None
    """Where their browser comes back to; `None`: wherever the provider lets it."""
    patience: float = PATIENCE
    """Seconds that they have."""


async def examine_signing_in(portal: PortalSettings, provider: Provider, clock: Clock, visitor: Visitor) -> Examined:
    """Everything from the URL to the person."""
    tasks = Tasks()
    hidden = secrets_of(portal.sign_in.credentials)
    async with open_fetch(provider.transport) as fetch:
        try:
            async with landing(portal.origin, visitor.port) as place:
                # The portal as it is, but for where the browser comes back to.
                there = portal.model_copy(update={"url": place.origin})
                signing_in = _SigningIn(there, provider, Asking(fetch, clock), clock, tasks)
                findings = await signing_in.findings(place, visitor)
                hidden |= signing_in.secrets
        except OSError as error:
            seen = f"Nobody can wait for the browser: {os.strerror(error.errno or 0).lower()}."
            findings = [failure(SIGNED_IN, seen, "Name another --port.")]
        except ValueError as fault:
            findings = [failure(SIGNED_IN, f"{fault}.", f"Correct the options under {SECTION}.credentials.")]
        finally:
            await tasks.close()
    return Examined(findings=tuple(findings), secrets=frozenset(hidden))


class _SigningIn:
    """One sign-in. Raises ValueError when the credentials do not suffice for their method."""

    def __init__(self, portal: PortalSettings, provider: Provider, ask: Asking, clock: Clock, tasks: Tasks) -> None:
        self.secrets: set[str] = set()
        self._portal = portal
        self._provider = provider
        self._ask = ask
        self._clock = clock
        self._tasks = tasks
        self._openid = OpenId(portal, provider, Overhearing(ask), clock, tasks)

    async def findings(self, place: Landing, visitor: Visitor) -> list[Finding]:
        accepted = await judge_redirect_of(
            self._portal, self._openid, self._provider, self._ask, self._clock, self._tasks
        )
        if accepted.result is Result.FAILURE:
            return [accepted, _register(place, visitor)]
        begun = attempt.begin("/", self._clock.time())
        self.secrets |= {begun.verifier}
        try:
            visitor.say(
                f"To sign in, open this in a browser on this machine:\n\n{await self._openid.sign_in_url(begun)}\n"
            )
            async with asyncio.timeout(visitor.patience):
                query = await place.landed(begun)
            granted = await self._granted(query, begun)
        except TimeoutError:
            seen = f"Nobody came back within {visitor.patience:g} s."
            return [failure(SIGNED_IN, seen, f"Sign in with the URL that is shown; it leads to {place.origin}.")]
        except Doubtful as doubt:
            advice = DOUBTS.get(doubt.code, "Look at the provider: this is none of our options.")
            return [failure(SIGNED_IN, f"What the provider says is not believed ({doubt.code}).", advice)]
        except Unavailable as failed:
            return [failure(SIGNED_IN, f"The sign-in broke off: {told(failed)}", "Look at the provider's log.")]
        return [_refused(query)] if granted is None else judge_person(self._portal, self._provider.name, granted)

    async def _granted(self, query: MultiMapping[str], begun: attempt.Attempt) -> Granted | None:
        """What the provider gave; `None` where it signed nobody in."""
        await self._openid.check_answerer(query.getall("iss", []))
        code = query.get("code", "")
        if not code:
            return None
        self.secrets |= {code}
        granted = await self._openid.redeem(code, begun)
        self.secrets |= {granted.id_token}
        return granted


def _register(place: Landing, visitor: Visitor) -> Finding:
    port = visitor.port or USUAL_PORT
    seen = f"Nobody was asked to sign in: the provider does not let a browser come back to {place.origin}."
    advice = (
        f"At the provider, register http://127.0.0.1:{port}/signed-in as another redirect URI of our client for the "
        f"time being, and call `tokenward doctor --sign-in --port {port}`."
    )
    return failure(SIGNED_IN, seen, advice)


def _refused(query: MultiMapping[str]) -> Finding:
    said = foreign(query.get("error", "")) or "nothing"
    seen = f"The provider signed nobody in; it said {said}."
    return failure(SIGNED_IN, seen, "Let that person use our client at the provider, and agree to what it asks for.")


def judge_person(portal: PortalSettings, provider: str, granted: Granted) -> list[Finding]:
    """Who that is, here."""
    person = identity.person(provider, granted.subject, granted.claims)
    called = ", ".join(filter(None, (person.name, person.email))) or "without a name or an address"
    return [
        ok(SIGNED_IN, f"{foreign(granted.subject)} signed in ({foreign(called)}): the ID token is believed."),
        ok("claims", f"The provider says: {listed(sorted(granted.claims))}."),
        _owner(portal, granted.claims, granted.scopes),
        _ending(granted),
    ]


def _owner(portal: PortalSettings, claims: Mapping[str, object], scopes: frozenset[str]) -> Finding:
    owners = portal.owners
    if owners.claim is None and not owners.scopes:
        return warning("owner", "That makes no owner of APIs: portal.owners names nobody.", "Write portal.owners.")
    rules = [f"{owners.claim} is one of {listed(owners.any_of)}"] if owners.claim is not None else []
    rules += [f"the scopes {listed(owners.scopes)} are granted"] if owners.scopes else []
    if identity.decides(owners, claims, scopes):
        return ok("owner", f"That makes an owner of APIs, since {' or '.join(rules)}.")
    held = "" if owners.claim is None else f"; {owners.claim} is {_held(claims.get(owners.claim))}"
    return ok("owner", f"That makes a developer, and no owner of APIs: for that, {' or '.join(rules)}{held}.")


def _held(value: object) -> str:
    if value is None:
        return "not said"
    return listed(value) if isinstance(value, list) else foreign(value)


def _ending(granted: Granted) -> Finding:
    if granted.sid is None:
        return ok("session", "It has no sid: back-channel logout ends all of the person's sessions, or none.")
    return ok("session", "It has a sid: back-channel logout can end this very session.")
