"""What is known of credentials, and for how long it may be believed. Facts are kept, never decisions."""

import hashlib
import secrets
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
    _place: object = field(default=None, init=False, compare=False, repr=False)
    _allow: Allow | None = field(default=None, init=False, compare=False, repr=False)
    _elsewhere: dict[object, Allow] | None = field(default=None, init=False, compare=False, repr=False)

    def asked_again(self, asked_at: float) -> "Active":
        """The same said of the same token, at another time."""
        again = Active(self.token, asked_at)
        again._place, again._allow, again._elsewhere = self._place, self._allow, self._elsewhere
        return again

    def rendered(self, place: object) -> Allow | None:
        """What was rendered for that place; `None` if nothing was."""
        if self._place is place:
            return self._allow
        return None if self._elsewhere is None else self._elsewhere.get(place)

    def render(self, place: object, allow: Allow) -> Allow:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """For how long a route believes what is known, in seconds. Zero: ask each time."""

    max_age: float = 60.0
    """For whatever is known. The others may be smaller, and count for no more than this."""
    max_age_without_exp: float = 60.0
    """For tokens whose provider does not say when they expire."""
    negative_age: float = 10.0
    """For rejections."""
    stale_if_error: float = 0.0
    """Beyond the maximum age, while the provider cannot answer."""

    def __post_init__(self) -> None:
        for name in ("max_age", "max_age_without_exp", "negative_age", "stale_if_error"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)} s; write 0 to believe nothing, or more")

    def believes(self, fact: Fact, now: float, *, longer: float = 0.0) -> bool:
        """Whether the fact is young enough at `now`, seconds since the epoch."""
        greatest = self.age(fact) + longer
        return greatest > 0 and -RESTEP < now - fact.asked_at < greatest

    def age(self, fact: Fact) -> float:
        """The greatest age at which such a fact is believed."""
        if isinstance(fact, Active):
            # Not by `match`, which takes three times as long, with each request.
            return self.max_age if fact.token.expires_at is not None else min(self.max_age_without_exp, self.max_age)
        return min(self.negative_age, self.max_age) if isinstance(fact, Rejected) else self.max_age


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
