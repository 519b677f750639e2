"""One attempt to sign in, from the way to the provider until the way back. Pure.

All of it is in a cookie of the browser that began it, and nothing in the store: strangers cannot fill that. What the
provider gets to see is made of the cookie by a one-way function; so the way back fits no other cookie, nor a changed
one.
"""

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from gateway.portal.return_address import return_address

LIFETIME = 600
"""Seconds to sign in at the provider."""
_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}\.[0-9]{1,12}\.[A-Za-z0-9_-]{0,1000}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the browser keeps meanwhile."""

    cookie: str = field(repr=False)

    @property
    def state(self) -> str:
        """RFC 6749, 10.12: a value that binds the way back to this browser."""
        return self._derived("state")

    @property
    def nonce(self) -> str:
        """OpenID Connect Core, 3.1.2.1: what binds the ID token to this attempt."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """RFC 7636, 4.1."""
        return self._derived("verifier")

    @property
    def challenge(self) -> str:
        """RFC 7636, 4.2, with S256."""
        return _base64url(hashlib.sha256(self.verifier.encode()).digest())

    @property
    def return_address(self) -> str:
        """Where it leads when all is well. A path of ours, whatever the cookie says."""
        encoded = self.cookie.rpartition(".")[2]
        try:
            return return_address(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode("ascii"))
        except ValueError:
            return return_address("")

    @property
    def ends_at(self) -> int:
        """Seconds since the epoch."""
        return int(self.cookie.split(".")[1]) + LIFETIME

    def is_for(self, state: str) -> bool:
        """Whether this is the state that was sent along."""
        return hmac.compare_digest(self.state.encode(), state.encode("utf-8", "surrogatepass"))

    def _derived(self, purpose: str) -> str:
        return _base64url(hashlib.sha256(f"{purpose}\0{self.cookie}".encode()).digest())


def begin(to: str, now: float) -> Attempt:
    """An attempt that leads to that page of ours."""
    encoded = _base64url(return_address(to).encode())
    return Attempt(f"{secrets.token_urlsafe(32)}.{int(now)}.{encoded}")


def resume(cookie: str, now: float) -> Attempt | None:
    """The attempt that a cookie holds, if it is one and has not ended."""
    if not _COOKIE.fullmatch(cookie):
        return None
    attempt = Attempt(cookie)
    return attempt if attempt.ends_at - LIFETIME - 60 <= now < attempt.ends_at else None


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
