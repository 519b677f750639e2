"""Client management in the one process that has the admin listener: registry, portal, API, background jobs.

Opened only where a store is configured: a gateway without one loads neither a database library nor templates.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from socket import socket

from gateway.clients import ClientKey
from gateway.clients.catalogue import LimitLeft
from gateway.clients.registry import Registry
from gateway.clients.store.store import Store
from gateway.clients_api.web import ClientsApi
from gateway.fetch import open_fetch
from gateway.listeners import tls_context
from gateway.management import Managed, open_registry
from gateway.operations import Whose
from gateway.policy import Unavailable
from gateway.portal.opening import open_portal
from gateway.portal.pages.site import PAGES
from gateway.portal.visits import Parts
from gateway.ports import Clock, Metrics
from gateway.providers.status import ProviderStatus
from gateway.settings import Settings
from gateway.tasks import Tasks

log = logging.getLogger(__name__)

SWEEP_EVERY = 600.0
"""Seconds between two times that what has expired is taken out of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the front office needs of the process that it is in."""

    store: Store
    clock: Clock
    metrics: Metrics
    refresh: Callable[[], Awaitable[bool]]
    """Has every process that serves requests take over what changed in the store; whether all of them could."""
    statuses: Callable[[], Awaitable[tuple[ProviderStatus, ...]]]
    limits_left: Callable[[Whose], Awaitable[tuple[LimitLeft, ...]]]


class FrontOffice:
    """What is open of it. `offer` follows a change of the configuration."""

    def __init__(self, managed: Managed, api: ClientsApi) -> None:
        self.registry = managed.registry
        self.offer = managed.offer
        self.api = api
        """What the admin listener serves of it."""


@asynccontextmanager
async def open_front_office(
    settings: Settings, around: Surroundings, sockets: Sequence[socket]
) -> AsyncIterator[FrontOffice]:
    """All of it while the block runs; the portal answers on these bound sockets.

    Raises OSError or ValueError when a part of it can't be opened.
    """
    async with AsyncExitStack() as stack:
        managed = await stack.enter_async_context(
            open_registry(settings, around.store, around.clock, around.metrics, _spread(around.refresh))
        )
        registry = managed.registry
        tasks = Tasks()
        stack.push_async_callback(tasks.close)
        tasks.start(registry.run_reconcile())
        tasks.start(_keep_swept(around.store, around.clock))
        if settings.portal is not None:
            await stack.enter_async_context(_portal(settings, registry, around, sockets))
        yield FrontOffice(managed, ClientsApi(registry, around.clock))


async def _keep_swept(store: Store, clock: Clock) -> None:
    """Whether there is a portal or not: usage, and what may be used once, is kept without one as well."""
    while True:
        try:
            await store.sweep(clock.time())
        except Unavailable as failure:
            log.warning("what has expired cannot be taken out of the store: %s", failure.code)
        await asyncio.sleep(SWEEP_EVERY)


def _spread(refresh: Callable[[], Awaitable[bool]]) -> Callable[[ClientKey], Awaitable[bool]]:
    async def spread(_: ClientKey) -> bool:
        # What changed stands in the store: everybody reads it there, whatever else changed since.
        is_everywhere = await refresh()
        if not is_everywhere:
            log.warning("a change of contracts is not in force everywhere yet; it will be when the store is read again")
        return is_everywhere

    return spread


@asynccontextmanager
async def _portal(
    settings: Settings, registry: Registry, around: Surroundings, sockets: Sequence[socket]
) -> AsyncIterator[None]:
    portal = settings.portal
    assert portal is not None  # noqa: S101 - asked before
    parts = Parts(
        options=portal,
        registry=registry,
        clock=around.clock,
        token_endpoint=_token_endpoint(registry),
        provider_statuses=around.statuses,
        limits_left=around.limits_left,
    )
    serving = open_portal(
        parts,
        PAGES,
        provider=settings.provider(portal.sign_in.provider),
        store=around.store,
        open_fetch=open_fetch,
        sockets=sockets,
        tls=tls_context(portal.tls),
    )
    async with serving:
        yield


def _token_endpoint(registry: Registry) -> Callable[[str], Awaitable[str | None]]:
    async def token_endpoint(provider: str) -> str | None:
        registrar = registry.registrars.get(provider)
        try:
            return None if registrar is None else await registrar.token_endpoint()
        except Unavailable:
            return None

    return token_endpoint
