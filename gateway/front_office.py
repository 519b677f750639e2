"""Client management in the one process that has the admin listener: registry, portal, notices, background jobs.

Opened only where a store is configured: a gateway without one loads neither a database library nor templates.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from socket import socket

from gateway.clients import ClientKey
from gateway.clients.catalogue import Catalogue
from gateway.clients.posting import open_notices
from gateway.clients.registration.registrar import Registrar, open_registrar
from gateway.clients.registry import Registry
from gateway.clients.store.store import Store
from gateway.fetch import open_fetch
from gateway.listeners import tls_context
from gateway.policy import Unavailable
from gateway.portal.opening import open_portal
from gateway.portal.options import Owners, PortalOptions, Rates, SignIn, Visits
from gateway.portal.pages.site import PAGES
from gateway.portal.visits import Parts
from gateway.ports import Clock, Metrics
from gateway.providers.registration import Registration
from gateway.providers.status import ProviderStatus
from gateway.settings import Settings
from gateway.settings.catalogue import catalogue, tiers
from gateway.settings.portal import PortalSettings
from gateway.tasks import Tasks

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the front office needs of the process that it is in."""

    store: Store
    clock: Clock
    metrics: Metrics
    refresh: Callable[[], Awaitable[bool]]
    """Has every process that serves requests take over what changed in the store; whether all of them could."""
    statuses: Callable[[], Awaitable[tuple[ProviderStatus, ...]]]


class FrontOffice:
    """What is open of it. `offer` follows a change of the configuration."""

    def __init__(self, registry: Registry, registrars: "_Registrars") -> None:
        self.registry = registry
        self._registrars = registrars

    async def offer(self, settings: Settings) -> None:
        """From now on, this is what may be asked for. Raises as opening does; then nothing changes."""
        catalogue_, registrars = offered(settings), await self._registrars.replaced(settings)
        self.registry.offer(catalogue_, registrars)


def offered(settings: Settings) -> Catalogue:
    """The APIs whose clients can be registered, and the tiers. Raises OSError when a file of it cannot be read."""
    url = _gateway_url(settings)
    found = catalogue(settings.apis, tiers(settings.tiers), settings.routes, url)
    apis = {name: api for name, api in found.apis.items() if settings.registration(api.provider) is not None}
    return Catalogue(apis=apis, tiers=found.tiers)


def _gateway_url(settings: Settings) -> str:
    written = None if settings.portal is None else settings.portal.gateway_url
    if written is not None:
        return written.rstrip("/")
    return f"{'http' if settings.tls is None else 'https'}://{settings.listen[0]}"


class _Registrars:
    """The registrars of the configuration in force; one before it is closed when nobody can be using it any more."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stack = AsyncExitStack()

    async def replaced(self, settings: Settings) -> Mapping[str, Registrar]:
        """A registrar for each provider that registers clients."""
        new = AsyncExitStack()
        try:
            opened = {
                name: await new.enter_async_context(
                    open_registrar(settings.provider(name), registration, open_fetch, self._clock)
                )
                for name, registration in _registrations(settings).items()
            }
        except BaseException:
            await new.aclose()
            raise
        # What is under way at a provider goes on with the connections that it has, so these stay until the end.
        self._stack.push_async_exit(new)
        return opened

    async def close(self) -> None:
        """Close all of them."""
        await self._stack.aclose()


def _registrations(settings: Settings) -> dict[str, Registration]:
    found = {name: settings.registration(name) for name in settings.providers}
    return {name: registration for name, registration in found.items() if registration is not None}


@asynccontextmanager
async def open_front_office(
    settings: Settings, around: Surroundings, sockets: Sequence[socket]
) -> AsyncIterator[FrontOffice]:
    """All of it while the block runs; the portal answers on these bound sockets.

    Raises OSError or ValueError when a part of it can't be opened.
    """
    async with AsyncExitStack() as stack:
        management = settings.management
        registrars = _Registrars(around.clock)
        stack.push_async_callback(registrars.close)
        notices = await stack.enter_async_context(
            open_notices(management.notices.mail, management.notices.webhook, open_fetch, around.clock, around.metrics)
        )
        registry = Registry(
            around.store,
            await registrars.replaced(settings),
            offered(settings),
            around.clock,
            _spread(around.refresh),
            notices,
            management.bounds,
            management.reconcile,
        )
        stack.push_async_callback(registry.close)
        tasks = Tasks()
        stack.push_async_callback(tasks.close)
        tasks.start(registry.run_reconcile())
        if settings.portal is not None:
            await stack.enter_async_context(_portal(settings, registry, around, sockets))
        yield FrontOffice(registry, registrars)


def _spread(refresh: Callable[[], Awaitable[bool]]) -> Callable[[ClientKey], Awaitable[None]]:
    async def spread(_: ClientKey) -> None:
        # What changed stands in the store: everybody reads it there, whatever else changed since.
        if not await refresh():
            log.warning("a change of contracts is not in force everywhere yet; it will be when the store is read again")

    return spread


@asynccontextmanager
async def _portal(
    settings: Settings, registry: Registry, around: Surroundings, sockets: Sequence[socket]
) -> AsyncIterator[None]:
    portal = settings.portal
    assert portal is not None  # noqa: S101 - asked before
    parts = Parts(
        options=_options(portal),
        registry=registry,
        clock=around.clock,
        token_endpoint=_token_endpoint(registry),
        provider_statuses=around.statuses,
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


def _options(written: PortalSettings) -> PortalOptions:
    return PortalOptions(
        url=written.url,
        sign_in=SignIn(**dict(written.sign_in)),
        owners=Owners(**dict(written.owners)),
        title=written.title,
        visits=Visits(**dict(written.visits)),
        rates=Rates(**dict(written.rates)),
        timeout=written.timeout,
        trusted_proxies=tuple(map(str, written.trusted_proxies)),
    )


def _token_endpoint(registry: Registry) -> Callable[[str], Awaitable[str | None]]:
    async def token_endpoint(provider: str) -> str | None:
        registrar = registry.registrars.get(provider)
        try:
            return None if registrar is None else await registrar.token_endpoint()
        except Unavailable:
            return None

    return token_endpoint
