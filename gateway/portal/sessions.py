"""Who has signed in: a cookie with a random id, and what we know of it, in the store under the id's digest."""

from dataclasses import dataclass, field

from aiohttp import web

from gateway.clients.client import Person

COOKIE = "portal"
ID_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session. The `repr` shows nothing that would be one."""

    digest: bytes = field(repr=False)
    """Of the id in the cookie, which we do not keep."""
    person: Person
    decides: bool
    csrf: bytes = field(repr=False)
    signed_in_at: float
    """Seconds since the epoch."""
    seen_at: float
    sid: str | None = field(default=None, repr=False)
    """What the provider calls its own session."""
    id_token: str = field(default="", repr=False)
    """For the provider, when it is told of the sign-out."""


class Sessions:
    """Begins, finds and ends sessions."""

    async def find(self, request: web.Request) -> SignedIn | None:
        """The session that a request belongs to."""
        raise NotImplementedError
