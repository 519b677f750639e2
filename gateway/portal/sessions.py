"""Who has signed in: a cookie with a random id, and what we know of it, in the store under the id's digest."""

import asyncio
import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field, replace
from typing import Protocol

from aiohttp import web

from gateway.clients.client import Person
from gateway.clients.store import Session
from gateway.portal import forms
from gateway.portal.cookies import Cookies
from gateway.ports import Clock
from gateway.settings.portal import PortalSettings

COOKIE = "session"
SEEN_AFTER = 60.0
"""Seconds. More often, or more often than four times in an idle time, it is not noted that somebody is still there."""
_ID = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


class SessionStore(Protocol):
    """Where sessions are kept. Raises `Unavailable`."""

    async def keep_session(self, session: Session, /) -> None: ...

    async def session(self, digest: bytes, /) -> Session | None: ...

    async def end_session(self, digest: bytes, /) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session. The `repr` shows nothing that would open one."""

    person: Person
    decides: bool
    csrf: bytes = field(repr=False)
    """What the tokens in forms are made of."""
    signed_in_at: float
    """Seconds since the epoch."""
    seen_at: float
    sid: str | None = field(default=None, repr=False)
    """What the provider calls its own session."""
    id_token: str = field(default="", repr=False)
    """For the provider, when somebody signs out there, too."""
    digest: bytes = field(default=b"", repr=False)
    """Of the id in the cookie. We do not keep the id."""


class Sessions:
    """Begins, finds and ends sessions."""

    def __init__(self, store: SessionStore, options: PortalSettings, clock: Clock) -> None:
        self._store = store
        self._visits = options.visits
        self._provider = options.sign_in.provider
        self._clock = clock
        self._cookies = Cookies(secure=options.origin.startswith("https://"))
        # Noting that somebody is still there must not bring a session back that ends at the same time.
        self._changing = asyncio.Lock()

    async def find(self, request: web.Request) -> SignedIn | None:
        """The session that a request belongs to, if it is in force. Raises `Unavailable`."""
        digest = self._digest(request)
        found = None if digest is None else await self._read(digest)
        if found is not None and self._clock.time() - found.seen_at >= min(SEEN_AFTER, self._visits.idle / 4):
            return await self._note(found)
        return found

    async def begin(self, request: web.Request, response: web.StreamResponse, signed_in: SignedIn) -> None:
        """A session with a new id, whatever id the browser sent; the session that it had ends."""
        await self.end(request)
        new = secrets.token_urlsafe(32)
        await self._keep(replace(signed_in, digest=_hash(new)))
        self._cookies.set(response, COOKIE, new)

    async def end(self, request: web.Request) -> SignedIn | None:
        """End the session of a request. What it was, if there was one in force."""
        digest = self._digest(request)
        if digest is None:
            return None
        async with self._changing:
            found = await self._read(digest)
            await self._store.end_session(digest)
        return found

    def forget(self, response: web.StreamResponse) -> None:
        """Let the browser forget its session."""
        self._cookies.drop(response, COOKIE)

    def _digest(self, request: web.Request) -> bytes | None:
        sent = self._cookies.read(request, COOKIE)
        return _hash(sent) if _ID.fullmatch(sent) else None

    async def _read(self, digest: bytes) -> SignedIn | None:
        kept = await self._store.session(digest)
        # A session of a provider where people do not sign in any more has ended.
        if kept is None or kept.provider != self._provider:
            return None
        found = _opened(kept)
        is_in_force = found is not None and self._clock.time() < min(kept.expires_at, self._ends_at(found))
        return found if is_in_force else None

    async def _note(self, found: SignedIn) -> SignedIn | None:
        async with self._changing:
            still = await self._read(found.digest)
            if still is not None:
                still = replace(still, seen_at=self._clock.time())
                await self._keep(still)
        return still

    async def _keep(self, signed_in: SignedIn) -> None:
        await self._store.keep_session(_closed(signed_in, self._ends_at(signed_in)))

    def _ends_at(self, signed_in: SignedIn) -> float:
        return min(signed_in.signed_in_at + self._visits.lifetime, signed_in.seen_at + self._visits.idle)


def new_session(*, person: Person, decides: bool, sid: str | None, id_token: str, now: float) -> SignedIn:
    """A session that begins; it has no id yet."""
    return SignedIn(
        person=person,
        decides=decides,
        csrf=forms.new_secret(),
        signed_in_at=now,
        seen_at=now,
        sid=sid,
        id_token=id_token,
    )


def _hash(session_id: str) -> bytes:
    # The id has 256 bits of chance: a plain digest is enough, and a salt would keep it from being found.
    return hashlib.sha256(session_id.encode()).digest()


def _closed(signed_in: SignedIn, expires_at: float) -> Session:
    """As it is kept; the store seals the contents."""
    contents = {
        "name": signed_in.person.name,
        "email": signed_in.person.email,
        "decides": signed_in.decides,
        "csrf": signed_in.csrf.hex(),
        "signed_in_at": signed_in.signed_in_at,
        "seen_at": signed_in.seen_at,
        "id_token": signed_in.id_token,
    }
    return Session(
        digest=signed_in.digest,
        contents=json.dumps(contents).encode(),
        provider=signed_in.person.provider,
        subject=signed_in.person.subject,
        sid=signed_in.sid,
        expires_at=expires_at,
    )


def _opened(kept: Session) -> SignedIn | None:
    """What was kept; `None` where another version of the portal kept something else: people sign in anew then."""
    try:
        contents = json.loads(kept.contents)
        return SignedIn(
            person=Person(provider=kept.provider, subject=kept.subject, name=contents["name"], email=contents["email"]),
            decides=contents["decides"] is True,
            csrf=bytes.fromhex(contents["csrf"]),
            signed_in_at=float(contents["signed_in_at"]),
            seen_at=float(contents["seen_at"]),
            sid=kept.sid,
            id_token=contents["id_token"],
            digest=kept.digest,
        )
    except (ValueError, KeyError, TypeError):
        return None
