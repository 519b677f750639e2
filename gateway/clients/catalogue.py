"""What may be asked for: APIs and tiers, as the configuration says. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """So many requests in a window of time."""

    requests: int
    seconds: int
    visible: bool = True
    """Whether developers and callers are told of it."""


@dataclass(frozen=True, slots=True)
class LimitLeft:
    """What is left of a limit for one client."""

    limit: Limit
    remaining: int
    resets_in: float
    """Seconds until there is more."""


def least(left: Iterable[LimitLeft]) -> tuple[LimitLeft, ...]:
    """Of what several say of the same limit, where the least is left: each may count by itself."""
    found: dict[Limit, LimitLeft] = {}
    for each in left:
        if each.limit not in found or each.remaining < found[each.limit].remaining:
            found[each.limit] = each
    return tuple(found.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """How much a client may call. All limits hold at once."""

    name: str
    title: str = ""
    description: str = ""
    limits: tuple[Limit, ...] = ()
    approval: Literal["automatic", "manual"] | None = None
    """`None`: as the API says."""
    deprecated: bool = False
    """Whether it can no longer be asked for; who has it, keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What developers ask access to."""

    name: str
    provider: str
    """Where its clients are registered."""
    title: str = ""
    description: str = ""
    version: str = ""
    documentation: str | None = None
    """A link."""
    openapi: str | None = None
    """The text of its OpenAPI document."""
    scopes: tuple[str, ...] = ()
    """What a client may be granted for it."""
    tiers: tuple[str, ...] = ()
    """The tiers to choose from; none: access without limits of a tier."""
    approval: Literal["automatic", "manual"] = "manual"
    terms: str = ""
    """What must be accepted; empty: nothing."""
    listed: bool = True
    """Whether it appears in the catalogue."""
    url: str = ""
    """Where callers reach it: for the curl that developers copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All of it."""

    apis: Mapping[str, Api] = field(default_factory=dict)
    tiers: Mapping[str, Tier] = field(default_factory=dict)

    def is_automatic(self, api: str, tier: str | None) -> bool:
        """Whether a request for it is granted without anybody's decision: the tier's word counts before the API's."""
        approval = None if tier is None else self.tiers[tier].approval
        return (approval or self.apis[api].approval) == "automatic"
