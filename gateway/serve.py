"""One process that serves: its listeners, the runtime in force, the change to another, and a graceful end."""

import asyncio
import itertools
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from socket import socket
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from gateway.access_log import AccessLog, Lines
from gateway.admin import Admin, is_loopback
from gateway.build import this_build
from gateway.clients.catalogue import LimitLeft, Tier, least
from gateway.clock import SystemClock
from gateway.door import Door
from gateway.listeners import bind, bound_address, tls_context
from gateway.log_sink import Sink
from gateway.operations import Readiness, ReloadResult, RouteView, Whose
from gateway.policy import Unavailable
from gateway.ports import Clock
from gateway.providers.status import ProviderStatus
from gateway.runtime import Runtime, World, open_runtime
from gateway.server import Gateway
from gateway.settings import Settings
from gateway.settings.catalogue import tiers
from gateway.settings.mistakes import SettingsError
from gateway.settings.providers import secret_of
from gateway.sharing import Shared
from gateway.tasks import Tasks
from gateway.telemetry import Telemetry

if TYPE_CHECKING:
    from gateway.clients.store.store import Store
    from gateway.contracts import Contracts
    from gateway.front_office import FrontOffice

log = logging.getLogger(__name__)

RESTART = ("listen", "tls", "admin", "workers", "access_log", "log_level", "store", "management", "portal")
"""What a reload leaves as it is: it belongs to the sockets, the process and the store."""


@runtime_checkable
class Reports(Protocol):
    """A shared object that knows how a provider is doing."""

    def status(self) -> ProviderStatus: ...


@runtime_checkable
class Purges(Protocol):
    """A shared object that keeps tokens."""

    async def purge(self, client_id: str | None) -> int: ...


@runtime_checkable
class Limits(Protocol):
    """A shared object that counts what is left of limits."""

    async def limits_left(self, provider: str, api: str, client_id: str, tier: Tier, /) -> tuple[LimitLeft, ...]: ...


@dataclass(frozen=True, slots=True)
class _Open:
    """A runtime, and how to close it."""

    runtime: Runtime
    stack: AsyncExitStack = field(repr=False)

    @classmethod
    async def of(cls, settings: Settings, world: World) -> "_Open":
        stack = AsyncExitStack()
        return cls(await stack.enter_async_context(open_runtime(settings, world)), stack)


class Serving:
    """A gateway that is running. Implements `gateway.operations.Operations`."""

    def __init__(
        self,
        opened: _Open,
        world: World,
        telemetry: Telemetry,
        access_log: AccessLog | None,
        read: Callable[[], Settings] | None,
        tasks: Tasks,
        contracts: "Contracts | None" = None,
    ) -> None:
        self._open = opened
        self._began_with = opened.runtime.settings
        self._world = world
        self._telemetry = telemetry
        self._access_log = access_log
        self._read = read
        self._tasks = tasks
        self._contracts = contracts
        self._turn = asyncio.Lock()
        self._draining = False
        self._door: Door | None = None
        self.gateway = Gateway(opened.runtime, telemetry, world.clock)
        self.addresses: list[tuple[str, int]] = []
        """Host and port of each data listener, as bound."""
        self.admin_addresses: list[tuple[str, int]] = []
        self.portal_addresses: list[tuple[str, int]] = []
        self.front_office: FrontOffice | None = None
        """Client management, where this process has it."""

    @property
    def settings(self) -> Settings:
        """What is in force."""
        return self._open.runtime.settings

    async def change(self, settings: Settings) -> None:
        """Put these settings in force: for every request that begins after this returns.

        What is under way ends under the settings it began with. Raises what can't be opened; nothing changes then.
        """
        async with self._turn:
            await self._change(settings)

    async def reload(self) -> ReloadResult:
        """Read the settings again. A mistake in them changes nothing."""
        if self._read is None:
            return ReloadResult(False, ("these settings come from no file",))
        try:
            # Read in turn as well: what was read first must not come into force last.
            async with self._turn:
                await self._change(await asyncio.to_thread(self._read))
        except SettingsError as error:
            return self._unchanged(tuple(str(mistake) for mistake in error.mistakes))
        except (OSError, ValueError) as error:
            return self._unchanged((f"a part of the configuration can't be opened: {error}",))
        except Exception:  # a policy from outside may raise what it likes, and the one before must stay in force
            log.exception("a part of the configuration can't be opened")
            return self._unchanged(("a part of the configuration can't be opened; the log of the process says why",))
        log.info("the configuration was reloaded")
        return ReloadResult(True)

    async def _change(self, settings: Settings) -> None:
        new = await _Open.of(settings, self._world)
        for name in RESTART:
            if getattr(settings, name) != getattr(self._began_with, name):
                log.warning("%s has changed, and needs a restart to be in force", name)
        if self.front_office is not None:
            await self._offer(new, self.front_office)
        old, self._open = self._open, new
        self._tasks.start(_retire(old, self.gateway.swap(new.runtime)))
        self._telemetry.reloaded(self._world.clock.time())

    async def _offer(self, new: _Open, front_office: "FrontOffice") -> None:
        """The portal's part of a change: where it fails, nothing changes."""
        try:
            await front_office.offer(new.runtime.settings)
        except BaseException:
            await new.stack.aclose()
            raise

    def _unchanged(self, mistakes: tuple[str, ...]) -> ReloadResult:
        self._telemetry.reload_failed()
        log.error("the configuration was not reloaded, the one before stays in force: %s", "; ".join(mistakes))
        return ReloadResult(False, mistakes)

    async def ready(self) -> Readiness:
        """Ready from when it listens until it drains. A provider that is away concerns its own tokens only."""
        if not self.addresses:
            return Readiness(False, "starting")
        return Readiness(False, "draining") if self._draining else Readiness(True)

    async def providers(self) -> tuple[ProviderStatus, ...]:
        """How each provider in use is doing."""
        return tuple(thing.status() for thing in self._world.shared if isinstance(thing, Reports))

    async def routes(self) -> tuple[RouteView, ...]:
        """The routes in force, in the order of the file."""
        return tuple(_views(self.settings))

    async def purge(self, client_id: str | None) -> int:
        """Forget the tokens of a client, or all."""
        return await _purge(self._world.shared, client_id)

    async def refresh_contracts(self) -> bool:
        """Take over what changed in the store; whether it could be read. It is in force when this returns."""
        if self._contracts is None:
            return True
        try:
            await self._contracts.feed.refresh()
        except Unavailable as failure:
            log.warning("contracts that changed are not in force yet: %s", failure.code)
            return False
        return True

    async def limits_left(self, whose: Whose) -> tuple[LimitLeft, ...]:
        """What is left of each limit of that contract, where a policy counts it."""
        tier = tiers(self.settings.tiers).get(whose.tier)
        if tier is None:
            return ()
        counting = [thing for thing in self._world.shared if isinstance(thing, Limits)]
        left = [await each.limits_left(whose.provider, whose.api, whose.client_id, tier) for each in counting]
        return least(itertools.chain.from_iterable(left))

    async def metrics_text(self) -> str:
        """In Prometheus' text format."""
        self._telemetry.under_way(self.gateway.in_flight_by_route())
        self._telemetry.targets(self._open.runtime.target_health())
        self._telemetry.gauge("tasks", "Tasks of the event loop.").set(len(asyncio.all_tasks()))
        return self._telemetry.text()

    def reopen_logs(self) -> None:
        """Open the access log's file anew: it may have been rotated."""
        if self._access_log is not None:
            self._access_log.reopen()

    async def close(self) -> None:
        """Close the runtime in force, after everything that used it."""
        await self._open.stack.aclose()

    async def listen(self, sockets: Sequence[socket]) -> None:
        """Answer callers on these bound sockets, until `drain`."""
        self.addresses = [bound_address(each) for each in sockets]
        self._door = Door(self.gateway, sockets, tls_context(self.settings.tls), self._telemetry)
        self._door.open()

    async def drain(self) -> None:
        """Say that we are not ready, go on for a while, accept no more, finish what is under way, cut the rest."""
        if self._draining or self._door is None or not self.addresses:
            return
        self._draining = True
        drain = self.settings.drain
        # At once: whoever keeps a connection in use is asked to leave it while others are still accepted, and the
        # connections that are closed at the end are idle ones.
        self.gateway.drain()
        await asyncio.sleep(drain.delay)
        await self._door.close()
        await self.gateway.end(drain.timeout)


async def _retire(old: _Open, idle: Awaitable[object]) -> None:
    """Close a runtime after the last request that it serves."""
    try:
        await idle
    finally:
        await old.stack.aclose()


async def _purge(shared: Shared, client_id: str | None) -> int:
    return sum([await thing.purge(client_id) for thing in shared if isinstance(thing, Purges)])


def _views(settings: Settings) -> Iterator[RouteView]:
    for name, route in settings.routes.items():
        yield RouteView(
            name=name,
            hosts=route.hosts or ("*",),
            path=route.path,
            methods=route.methods or ("*",),
            policies=tuple(entry.name + (" (report only)" if entry.report_only else "") for entry in route.policies),
            upstream=route.upstream.targets,
        )


@asynccontextmanager
async def serve(
    settings: Settings,
    *,
    read: Callable[[], Settings] | None = None,
    sockets: Sequence[socket] | None = None,
    admin_sockets: Sequence[socket] | None = None,
    portal_sockets: Sequence[socket] | None = None,
    subject_key: bytes | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Serving]:
    """A gateway that serves while the block runs, and drains at its end.

    `read` gives the settings again, for a reload. Listening sockets may be handed over; without them the addresses of
    the settings are bound. An empty `admin_sockets` leaves the admin listener and the portal to somebody else.
    `subject_key` is what subjects are hashed with in the access log; without it each process hashes them differently.

    Raises `CannotListen`, OSError or ssl.SSLError for certificates that can't be read, and ValueError for what an
    operator has to put right about the store.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        telemetry = Telemetry(this_build())
        access_log = await _log_access(settings, telemetry, subject_key or secrets.token_bytes(32), stack)
        shared, tasks = Shared(), Tasks()
        contracts = await _follow_contracts(settings, shared, telemetry, clock, stack)
        register = None if contracts is None else contracts.register
        world = World(clock=clock, metrics=telemetry, shared=shared, register=register)
        serving = Serving(await _Open.of(settings, world), world, telemetry, access_log, read, tasks, contracts)
        stack.push_async_callback(serving.close)
        stack.push_async_callback(tasks.close)
        telemetry.reloaded(clock.time())
        admin = bind([settings.admin.listen]) if admin_sockets is None else admin_sockets
        if admin and contracts is not None:
            await _open_front_office(serving, contracts.store, telemetry, clock, portal_sockets, stack)
        await _listen_for_admin(serving, admin, stack)
        stack.push_async_callback(serving.drain)
        await serving.listen(bind(settings.listen) if sockets is None else sockets)
        yield serving


async def _follow_contracts(
    settings: Settings, shared: Shared, telemetry: Telemetry, clock: Clock, stack: AsyncExitStack
) -> "Contracts | None":
    if settings.store is None:
        return None
    # Here, since a gateway without a store needs no database library.
    from gateway.contracts import open_contracts

    contracts = await stack.enter_async_context(
        open_contracts(settings.store, lambda client_id: _purge(shared, client_id), clock, telemetry)
    )
    telemetry.tally = contracts.tally.count
    return contracts


async def _open_front_office(
    serving: Serving,
    store: "Store",
    telemetry: Telemetry,
    clock: Clock,
    sockets: Sequence[socket] | None,
    stack: AsyncExitStack,
) -> None:
    from gateway.front_office import Surroundings, open_front_office

    portal = serving.settings.portal
    if sockets is None:
        sockets = [] if portal is None else bind([portal.listen], "portal.listen")
    serving.portal_addresses = [bound_address(each) for each in sockets]
    around = Surroundings(
        store=store,
        clock=clock,
        metrics=telemetry,
        refresh=serving.refresh_contracts,
        statuses=serving.providers,
        limits_left=serving.limits_left,
    )
    serving.front_office = await stack.enter_async_context(open_front_office(serving.settings, around, sockets))


async def _listen_for_admin(serving: Serving, sockets: Sequence[socket], stack: AsyncExitStack) -> None:
    settings = serving.settings
    serving.admin_addresses = [bound_address(each) for each in sockets]
    admin = Admin(
        serving,
        this_build(),
        loopback=is_loopback(settings.admin.listen.host),
        token=secret_of(settings.admin.token) or None,
        problems=settings.problems.base,
        api=None if serving.front_office is None else serving.front_office.api,
    )
    await stack.enter_async_context(admin.listening(sockets))


async def _log_access(
    settings: Settings, telemetry: Telemetry, subject_key: bytes, stack: AsyncExitStack
) -> AccessLog | None:
    if settings.access_log.to == "off":
        return None
    dropped = telemetry.counter("access_log_dropped", "Lines that could not be written in time.")
    access_log = AccessLog(Lines(subject_key), Sink(settings.access_log.to), dropped)
    access_log.start()
    telemetry.log = access_log.write
    stack.push_async_callback(access_log.close)
    return access_log
