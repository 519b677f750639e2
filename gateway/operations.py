"""What can be asked and done while the gateway runs: what `/-/` and `/readyz` need, and who answers it.

A process that serves requests answers for itself; where there are several, the fleet asks each and answers for all.
"""

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from gateway.clients.catalogue import LimitLeft
from gateway.providers.status import ProviderStatus


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests should be sent here, and why not."""

    ready: bool
    reason: str = ""
    """Empty when ready: `starting`, `draining`, …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteView:
    """A route as people read it."""

    name: str
    hosts: tuple[str, ...]
    path: str
    methods: tuple[str, ...]
    policies: tuple[str, ...]
    """Each in words."""
    upstream: tuple[str, ...]
    """URLs; what could be a credential in them is not shown."""


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """Whether the configuration on disk is in force now."""

    succeeded: bool
    mistakes: tuple[str, ...] = ()
    """Each as `file:line:column: path: what`; the configuration before stays in force."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose limits: those of a client's contract."""

    provider: str
    client_id: str
    api: str
    tier: str


class Operations(Protocol):
    """What the admin listener asks of the gateway."""

    async def ready(self) -> Readiness: ...

    async def providers(self) -> tuple[ProviderStatus, ...]: ...

    async def routes(self) -> tuple[RouteView, ...]: ...

    async def reload(self) -> ReloadResult: ...

    async def purge(self, client_id: str | None) -> int:
        """Forget the tokens of a client, or with None of all; returns how many."""

    async def refresh_contracts(self) -> bool:
        """Take over what changed in the store, in force when this returns; whether everybody could."""

    async def limits_left(self, whose: Whose) -> tuple[LimitLeft, ...]:
        """What is left of each limit; nothing where nobody counts."""

    async def metrics_text(self) -> str:
        """In Prometheus' text format."""


def shown_url(url: str) -> str:
    """`url` without user, password, query and fragment; `(invalid)` where it cannot be read."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(invalid)"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
