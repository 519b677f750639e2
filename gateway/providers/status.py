"""How a provider is doing, for those who watch."""

from dataclasses import dataclass
from enum import StrEnum


class ProviderState(StrEnum):
    """How a provider is doing."""

    READY = "ready"
    """Its metadata and keys, as far as they are needed, were read."""
    STARTING = "starting"
    """They were not asked for yet."""
    FAILING = "failing"
    """They could not be read when last asked for, or it did not answer. Concerns its own tokens only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStatus:
    """A provider's state and since when, in seconds since the epoch."""

    name: str
    state: ProviderState
    since: float
    detail: str = ""
    """One sentence about a failure; no URL, and nothing that a provider said."""
