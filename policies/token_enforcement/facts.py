"""What is known of credentials, and for how long it may be believed. Facts are kept, never decisions."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from cachetools import LRUCache

from gateway.policy import Allow
from policies.token_enforcement.claims import Token

RESTEP = 60.0
"""Seconds by which a fact may seem younger than now: whoever waited for it was received before it was asked for."""


@dataclass(frozen=True, slots=True)
class Active:
    """The provider (or its signature) stands for this token."""

    token: Token
    asked_at: float
    """Seconds since the epoch, before the question was sent: what happened since may not be known."""
    allowed: dict[object, Allow] = field(default_factory=dict, compare=False, repr=False)
    """What the token's claims look like as headers, by who asks: rendered once, while the rules run each time."""


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
F = TypeVar("F")


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
        match fact:
            case Active(token) if token.expires_at is None:
                return min(self.max_age_without_exp, self.max_age)
            case Rejected():
                return min(self.negative_age, self.max_age)
        return self.max_age


class Shelf:
    """Facts of one provider, learned in one way. Verified and rejected credentials do not compete for room.

    A credential is kept as a keyed digest: neither it nor a prefix of it can be read from the memory or told from
    the time that a look-up takes.
    """

    def __init__(self, *, verified: int, rejected: int) -> None:
        self._verified: LRUCache[bytes, Active | NotIntrospectable] = LRUCache(verified)
        self._rejected: LRUCache[bytes, Rejected] = LRUCache(rejected)

    def __len__(self) -> int:
        return len(self._verified) + len(self._rejected)

    def get(self, key: bytes) -> Fact | None:
        """What is known, however old."""
        fact = self._verified.get(key)
        return self._rejected.get(key) if fact is None else fact

    def put(self, key: bytes, fact: Fact) -> None:
        """Keep the fact, unless an answer overtook it: a yes gives way to what was asked a little later.

        What was asked much later was asked before the clock was set back. A no is kept in any case.
        """
        known = self.get(key)
        if isinstance(fact, Rejected):
            self._verified.pop(key, None)
            _keep(self._rejected, key, fact)
        elif known is None or not 0 < known.asked_at - fact.asked_at < RESTEP:
            self._rejected.pop(key, None)
            _keep(self._verified, key, fact)

    def forget(self, doomed: Callable[[Active], bool]) -> int:
        """Drop the verified tokens that are doomed; how many there were."""
        keys = [key for key, fact in self._verified.items() if isinstance(fact, Active) and doomed(fact)]
        for key in keys:
            del self._verified[key]
        return len(keys)


def _keep(room: LRUCache[bytes, F], key: bytes, fact: F) -> None:
    # A cache without room raises ValueError.
    if room.maxsize:
        room[key] = fact


class Digests:
    """Names for credentials in memory, by a key that lives as long as this process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def of(self, octets: bytes) -> bytes:
        """The keyed digest of a credential's octets."""
        return hashlib.blake2b(octets, digest_size=32, key=self._key).digest()
