"""`tokenward run`: one process, or a supervisor with workers; signals, and the exit code."""

import asyncio
import logging
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any

from gateway import garbage, logs
from gateway.admin import Admin, is_loopback
from gateway.aiohttp_inside import ParserMissing, require_parser
from gateway.build import this_build
from gateway.clients.store import Unusable
from gateway.clock import SystemClock
from gateway.descriptors import raise_limit
from gateway.fleet import Fleet, FleetLink
from gateway.listeners import CannotListen, bind, bound_address
from gateway.reload import digest, watch
from gateway.serve import Serving, serve
from gateway.settings import Settings, load
from gateway.settings.grammar import Address
from gateway.settings.mistakes import SettingsError
from gateway.settings.providers import secret_of
from gateway.tasks import Tasks
from gateway.telemetry import Telemetry
from gateway.worker_link import WorkerLink
from gateway.workers import supervise

if TYPE_CHECKING:
    from gateway.front_office import FrontOffice

log = logging.getLogger(__name__)

OK = 0
FAILED = 1
BAD_SETTINGS = 78
"""EX_CONFIG of sysexits.h: a service manager that restarts us need not try again."""
GRACE = 5.0
"""Seconds that a worker has beyond its own drain before it is killed."""


def run(path: Path) -> int:
    """Serve until a signal ends it; the exit code. Mistakes in the settings are told on stderr."""
    try:
        require_parser()
    except ParserMissing as error:
        _tell(error)
        return FAILED
    # Before it is read: a change that comes while we start is noticed as one.
    read = digest(path)
    try:
        settings = load(path)
    except SettingsError as error:
        _tell(error)
        return BAD_SETTINGS
    logs.configure(settings.log_level)
    raise_limit()
    for warning in settings.warnings:
        log.warning("%s", warning)
    try:
        bound = _bind(settings)
    except CannotListen as error:
        _tell(error)
        return FAILED
    log.info("listening on %s, for operators on %s", _places(bound.data), _places(bound.admin))
    if bound.portal:
        log.info("the portal listens on %s", _places(bound.portal))
    if settings.workers == 1:
        return _run(_alone(path, settings, bound, read))
    return _supervise(path, settings, bound)


@dataclass(frozen=True, slots=True)
class _Bound:
    """The listening sockets of all listeners."""

    data: list[socket]
    admin: list[socket]
    portal: list[socket]


def _bind(settings: Settings) -> _Bound:
    portal = [] if settings.portal is None else [settings.portal.listen]
    return _Bound(bind(settings.listen), bind([settings.admin.listen], "admin.listen"), bind(portal, "portal.listen"))


def _supervise(path: Path, settings: Settings, bound: _Bound) -> int:
    # Made before the fork: every worker must give a subject the same name in the access log.
    subject_key = secrets.token_bytes(32)
    return supervise(
        settings.workers,
        bound.data,
        lambda link: _run(_work(path, bound.data, subject_key, link)),
        admin_bind=(*bound.admin, *bound.portal),
        run_admin=lambda link: _run(_administer(path, settings, bound, link)),
        patience=settings.drain.delay + settings.drain.timeout + GRACE,
    )


def _run(work: Coroutine[Any, Any, int]) -> int:
    """Run to the end on the fastest event loop that is installed."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)


async def _alone(path: Path, settings: Settings, bound: _Bound, read: bytes | None) -> int:
    """The only process: data and admin listeners in one."""
    try:
        async with (
            serve(
                settings,
                read=lambda: load(path),
                sockets=bound.data,
                admin_sockets=bound.admin,
                portal_sockets=bound.portal,
            ) as serving,
            _heeding(path, serving, read, again=_leave) as told,
        ):
            garbage.spare()
            await told.wait()
    except (OSError, ValueError, Unusable) as error:
        _tell(error)
        return FAILED
    return OK


async def _work(path: Path, sockets: list[socket], subject_key: bytes, link: WorkerLink) -> int:
    """A worker. It reads the settings itself: one that replaces another must not serve what is no longer said."""
    read = digest(path)
    try:
        settings = load(path)
        async with (
            serve(
                settings, read=lambda: load(path), sockets=sockets, admin_sockets=(), subject_key=subject_key
            ) as serving,
            _heeding(path, serving, read, again=_heed_not) as told,
            link.serving(serving),
        ):
            garbage.spare()
            await told.wait()
            # Here, and not at the end of `serve`: the metrics that the link hands over last count what drained.
            await serving.drain()
    except SettingsError as error:
        _tell(error)
        return BAD_SETTINGS
    except (OSError, ValueError, Unusable) as error:
        _tell(error)
        return FAILED
    return OK


async def _administer(path: Path, settings: Settings, bound: _Bound, link: FleetLink) -> int:
    """The admin listener of several workers, and client management where there is a store."""
    try:
        async with link.open() as fleet, _client_management(path, settings, bound.portal, fleet) as front_office:
            admin = Admin(
                fleet,
                this_build(),
                loopback=is_loopback(settings.admin.listen.host),
                token=secret_of(settings.admin.token) or None,
                problems=settings.problems.base,
                api=None if front_office is None else front_office.api,
            )
            async with admin.listening(bound.admin):
                await link.ended()
    except (OSError, ValueError, Unusable) as error:
        _tell(error)
        return FAILED
    return OK


@asynccontextmanager
async def _client_management(
    path: Path, settings: Settings, sockets: list[socket], fleet: Fleet
) -> "AsyncIterator[FrontOffice | None]":
    if settings.store is None:
        yield None
        return
    # Here, since a gateway without a store needs no database library.
    from gateway.clients.store.opening import open_store
    from gateway.front_office import Surroundings, open_front_office

    clock, telemetry, tasks = SystemClock(), Telemetry(this_build()), Tasks()
    async with open_store(settings.store, clock) as store:
        around = Surroundings(
            store=store,
            clock=clock,
            metrics=telemetry,
            refresh=fleet.refresh_contracts,
            statuses=fleet.providers,
            limits_left=fleet.limits_left,
        )
        async with open_front_office(settings, around, sockets) as front_office:
            fleet.own_metrics = telemetry.text
            fleet.reloaded = lambda: _offer(path, front_office)
            if settings.reload.watch:
                tasks.start(watch(path, fleet.reloaded, digest(path)))
            try:
                yield front_office
            finally:
                await tasks.close()


async def _offer(path: Path, front_office: "FrontOffice") -> None:
    """What may be asked for follows the file. The workers say what is wrong with it."""
    try:
        await front_office.offer(await asyncio.to_thread(load, path))
    except (SettingsError, OSError, ValueError) as error:
        log.warning("the portal goes on with the configuration before: %s", type(error).__name__)


@asynccontextmanager
async def _heeding(
    path: Path, serving: Serving, read: bytes | None, again: Callable[[], None]
) -> AsyncIterator[asyncio.Event]:
    """The event is set by a signal to end; SIGHUP reloads, and so does a change of the file, until the block ends.

    `read` is the digest of what is in force. `again` is done at a second signal to end, also after the block.
    """
    told = asyncio.Event()
    tasks = Tasks()
    loop = asyncio.get_running_loop()

    def end() -> None:
        if told.is_set():
            again()
        else:
            log.info("told to end: finishing what is under way")
            told.set()

    for ending in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ending, end)
    loop.add_signal_handler(signal.SIGHUP, lambda: None if told.is_set() else tasks.start(_renew(serving)))
    if serving.settings.reload.watch:
        tasks.start(watch(path, serving.reload, read))
    try:
        yield told
    finally:
        await tasks.close()


async def _renew(serving: Serving) -> None:
    serving.reopen_logs()
    await serving.reload()


def _places(sockets: list[socket]) -> str:
    return ", ".join(str(Address(*bound_address(each))) for each in sockets)


def _tell(error: Exception) -> None:
    sys.stderr.write(f"{error}\n")


def _leave() -> None:
    """Somebody is out of patience: end now, whatever is under way."""
    os._exit(FAILED)


def _heed_not() -> None:
    """The supervisor kills a worker when its time is up."""
