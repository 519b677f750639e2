"""What the gateway lends to a policy that needs the world: `open(services)` receives it."""

from collections.abc import Callable, Hashable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar, runtime_checkable

from gateway.clients import Directory
from gateway.clients.catalogue import Tier
from gateway.policy import Policy
from gateway.ports import Clock, Fetch, Metrics
from gateway.providers import Provider, Transport
from gateway.tasks import Tasks

T = TypeVar("T")


class OpenFetch(Protocol):
    """Opens a `Fetch` for servers that are reached in one way: timeouts, proxy, CA, client certificate."""

    def __call__(self, transport: Transport, /) -> AbstractAsyncContextManager[Fetch]: ...


class Sharing(Protocol):
    """One object for all who name the same key, opened at the first and closed after the last.

    Across a reload it stays open, so that what it learned is kept. The key must hold everything that the object
    depends on: whoever names an equal key gets the same object.
    """

    async def __call__(self, key: Hashable, make: Callable[[], AbstractAsyncContextManager[T]], /) -> T: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Lent to a policy from `open` until the end of its `async with`."""

    route: str
    api: str
    clock: Clock
    metrics: Metrics
    tasks: Tasks
    """Ends when the policy is closed; a shared object makes its own."""
    open_fetch: OpenFetch
    share: Sharing
    providers: Mapping[str, Provider] = field(default_factory=dict)
    directory: Directory = field(default_factory=Directory)
    tiers: Mapping[str, Tier] = field(default_factory=dict)


@runtime_checkable
class Opens(Protocol):
    """A policy's configuration that needs the world before it can decide."""

    def open(self, services: Services, /) -> AbstractAsyncContextManager[Policy]: ...
