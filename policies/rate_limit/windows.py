"""A tier's limits as the counting library takes them, and what is left of them. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerSecond

from gateway.clients.catalogue import Limit, LimitLeft


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One limit of a tier."""

    name: str
    """What callers read in the header fields: the tier, and the window in seconds."""
    requests: int
    seconds: int
    visible: bool
    limit: Limit
    item: RateLimitItem
    """The same in the library's terms."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of one limit."""

    window: Window
    remaining: int
    resets_in: float
    """Seconds until there is more."""

    @property
    def whole_seconds(self) -> int:
        """The same in whole seconds, never too early."""
        return max(0, math.ceil(self.resets_in))

    @property
    def told(self) -> LimitLeft:
        """The same for people."""
        return LimitLeft(self.window.limit, self.remaining, self.resets_in)


def key_of(provider: str, api: str, name: str) -> tuple[str, str, str]:
    """Whose counter. The name, which somebody outside may choose, comes last: no two keys read the same."""
    return provider, api, name


class _OfAnyTier(RateLimitItemPerSecond):
    """A limit that is counted by its window: who changes from one tier to another does not begin anew."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        return "/".join([self.namespace, *map(str, identifiers), str(self.multiples)])


def windows_of(tier: str, limits: Sequence[Limit]) -> tuple[Window, ...]:
    """The limits of a tier, the shortest window first: a caller that goes too fast is told of that one.

    Of two with the same window, the narrower one holds.
    """
    narrowest = {limit.seconds: limit for limit in sorted(limits, key=lambda limit: -limit.requests)}
    return tuple(
        Window(
            name=f"{tier}-{limit.seconds}",
            requests=limit.requests,
            seconds=limit.seconds,
            visible=limit.visible,
            limit=limit,
            item=_OfAnyTier(limit.requests, limit.seconds),
        )
        for _, limit in sorted(narrowest.items())
    )
