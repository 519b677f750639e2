"""The registry as the configuration has it: its providers, its catalogue, and whom it tells."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from gateway.clients import ClientKey
from gateway.clients.catalogue import Api, Catalogue
from gateway.clients.office import LEASED_FOR
from gateway.clients.posting import open_notices
from gateway.clients.registration.registrar import Registrar, open_registrar
from gateway.clients.registry import Registry
from gateway.clients.store.store import Store
from gateway.fetch import open_fetch
from gateway.ports import Clock, Metrics
from gateway.providers import Provider
from gateway.providers.registration import Registration
from gateway.settings import Settings
from gateway.settings.catalogue import catalogue, tiers
from gateway.tasks import Tasks


@dataclass(frozen=True, slots=True)
class Managed:
    """The registry. `offer` follows a change of the configuration."""

    registry: Registry
    _registrars: "_Registrars"

    async def offer(self, settings: Settings) -> None:
        """From now on, this is what may be asked for. Raises as opening does; then nothing changes."""
        catalogue_, registrars = offered(settings), await self._registrars.replaced(settings)
        self.registry.offer(catalogue_, registrars)


def offered(settings: Settings) -> Catalogue:
    """The APIs that want tokens, and the tiers. Raises OSError when a file of it cannot be read.

    Where a provider registers no clients, its APIs are not listed: operators adopt clients, and give them contracts.
    """
    url = _gateway_url(settings)
    found = catalogue(settings.apis, tiers(settings.tiers), settings.routes, url)
    return replace(found, apis={name: _listed(api, settings) for name, api in found.apis.items()})


def _listed(api: Api, settings: Settings) -> Api:
    return replace(api, listed=api.listed and settings.registration(api.provider) is not None)


def _gateway_url(settings: Settings) -> str:
    written = None if settings.portal is None else settings.portal.gateway_url
    if written is not None:
        return written.rstrip("/")
    return f"{'http' if settings.tls is None else 'https'}://{settings.listen[0]}"


@dataclass(frozen=True, slots=True)
class _Open:
    """A registrar, and what it was opened for."""

    provider: Provider
    registration: Registration
    registrar: Registrar
    stack: AsyncExitStack


class _Registrars:
    """The registrars of the configuration in force. One that a reload does not change stays as it is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[str, _Open] = {}
        self._retired: list[_Open] = []
        self._tasks = Tasks()

    async def replaced(self, settings: Settings) -> Mapping[str, Registrar]:
        """A registrar for each provider that registers clients. Raises as opening one does; then nothing changes."""
        before, now = self._open, dict[str, _Open]()
        try:
            for name, registration in _registrations(settings).items():
                now[name] = await self._kept_or_opened(before.get(name), settings.provider(name), registration)
        except BaseException:
            for opened in now.values():
                if opened not in before.values():
                    await opened.stack.aclose()
            raise
        self._open = now
        for old in before.values():
            if old not in now.values():
                self._tasks.start(self._retire(old))
        return {name: opened.registrar for name, opened in now.items()}

    async def close(self) -> None:
        """Close all of them."""
        await self._tasks.close()
        for opened in (*self._open.values(), *self._retired):
            await opened.stack.aclose()

    async def _kept_or_opened(self, before: _Open | None, provider: Provider, registration: Registration) -> _Open:
        if before is not None and (before.provider, before.registration) == (provider, registration):
            return before
        stack = AsyncExitStack()
        opening = open_registrar(provider, registration, open_fetch, self._clock)
        return _Open(provider, registration, await stack.enter_async_context(opening), stack)

    async def _retire(self, old: _Open) -> None:
        """Close it when nothing can be under way with it any more."""
        self._retired.append(old)
        await asyncio.sleep(LEASED_FOR)
        self._retired.remove(old)
        await old.stack.aclose()


def _registrations(settings: Settings) -> dict[str, Registration]:
    found = {name: settings.registration(name) for name in settings.providers}
    return {name: registration for name, registration in found.items() if registration is not None}


@asynccontextmanager
async def open_registry(
    settings: Settings,
    store: Store,
    clock: Clock,
    metrics: Metrics,
    spread: Callable[[ClientKey], Awaitable[bool | None]],
) -> AsyncIterator[Managed]:
    """The registry until the end of the block. `spread` returns once whoever serves knows what changed for a client.

    Raises OSError or ValueError when a part of it can't be opened.
    """
    management = settings.management
    async with AsyncExitStack() as stack:
        registrars = _Registrars(clock)
        stack.push_async_callback(registrars.close)
        notices = await stack.enter_async_context(
            open_notices(management.notices.mail, management.notices.webhook, open_fetch, clock, metrics)
        )
        opened = await registrars.replaced(settings)
        bounds, reconcile = management.bounds, management.reconcile
        registry = Registry(store, opened, offered(settings), clock, spread, notices, bounds, reconcile)
        stack.push_async_callback(registry.close)
        yield Managed(registry, registrars)
