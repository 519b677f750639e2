"""What is known of credentials, and for how long it may be believed. Facts are kept, never decisions."""

import hashlib
import secrets
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.policy import Allow
from policies.token_enforcement.claims import Token

RESTEP = 60.0
"""Seconds by which a fact may seem younger than now: whoever waited for it was received before it was asked for."""


MOST_PLACES = 32
"""Routes that one token is rendered for at most; beyond them, it is rendered again."""


@dataclass(slots=True)
class Active:
    """The provider (or its signature) stands for this token.

    It remembers what the token's claims look like as headers, by who asks: rendered once, while the rules run each
    time. Most tokens are used on one route, so the first has a place of its own: a dictionary takes more than all else.
    """

    token: Token
    asked_at: float
    """Seconds since the epoch, before the question was sent: what happened since may not be known."""
    _place: Hashable = field(default=None, init=False, compare=False, repr=False)
    _allow: Allow | None = field(default=None, init=False, compare=False, repr=False)
    _elsewhere: dict[Hashable, Allow] | None = field(default=None, init=False, compare=False, repr=False)

    def asked_again(self, asked_at: float) -> "Active":
        """The same said of the same token, at another time."""
        again = Active(self.token, asked_at)
        again._place, again._allow, again._elsewhere = self._place, self._allow, self._elsewhere
        return again

    def rendered(self, place: Hashable) -> Allow | None:
        """What was rendered for that place; `None` if nothing was."""
        if self._place is place:
            return self._allow
        return None if self._elsewhere is None else self._elsewhere.get(place)

    def render(self, place: Hashable, allow: Allow) -> Allow:
        """Remember what was rendered for that place."""
        if self._allow is None:
            self._place, self._allow = place, allow
            return allow
        if self._elsewhere is None or len(self._elsewhere) >= MOST_PLACES:
            self._elsewhere = {}
        self._elsewhere[place] = allow
        return allow


@dataclass(frozen=True, slots=True)
class Rejected:
    """The provider does not stand for this token, or it is no token at all."""

    code: str
    detail: str
    asked_at: float


@dataclass(frozen=True, slots=True)
class NotIntrospectable:
    """The provider said that it does not introspect such tokens: neither yes nor no."""

    asked_at: float


Fact: TypeAlias = Active | Rejected | NotIntrospectable


class Digests:
    """Names for credentials in memory, by a key that lives as long as this process."""

    def __init__(self) -> None:
        self._keyed = hashlib.blake2b(digest_size=32, key=secrets.token_bytes(32))

    def of(self, octets: bytes) -> bytes:
        """The keyed digest of a credential's octets."""
        # A copy has the key's block behind it already.
        digest = self._keyed.copy()
        digest.update(octets)
        return digest.digest()
