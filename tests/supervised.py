"""A small supervised server, to be run as a program: the smallest thing that `gateway.workers` can hold together.

`python -m tests.supervised '{"workers": 2}'` prints a line with its ports and serves until it is told to end. A POST
ends when its body does, so that who sends it decides how long the request is under way.
"""

import asyncio
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass, field

from aiohttp import web

from gateway import logs
from gateway.admin import Admin
from gateway.build import Build
from gateway.clients.catalogue import Limit, LimitLeft
from gateway.exchange import Exchange
from gateway.fleet import FleetLink
from gateway.operations import Readiness, ReloadResult, RouteView, Whose
from gateway.providers.status import ProviderState, ProviderStatus
from gateway.telemetry import Telemetry
from gateway.worker_link import WorkerLink
from gateway.workers import supervise
from tests.fakes import NOON

BUILD = Build(version="1", revision="r", http_parser="llhttp", compiled=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What the workers do: `fails_with` at the start, `kills_itself` once it serves, `deaf` to SIGTERM."""

    workers: int = 1
    patience: float = 10.0
    fails_with: int | None = None
    kills_itself: bool = False
    deaf: bool = False


@dataclass(slots=True)
class Worker:
    """One worker; implements `gateway.operations.Operations`."""

    telemetry: Telemetry = field(default_factory=lambda: Telemetry(BUILD))
    under_way: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: web.Request) -> web.Response:
        self.under_way += 1
        try:
            return await self.answer(request)
        except ConnectionResetError:  # whoever sent it has seen enough
            return web.Response()
        finally:
            self.under_way -= 1
            async with self.changed:
                self.changed.notify_all()

    async def answer(self, request: web.Request) -> web.Response:
        await request.read()
        self.telemetry.record(Exchange(request_id="1", received_at=NOON, route="r", method="GET", status=200))
        return web.Response(text=str(os.getpid()), headers={"Connection": "close"})

    def reload_soon(self) -> None:
        self.telemetry.reloaded(NOON)

    async def ready(self) -> Readiness:
        return Readiness(ready=True)

    async def providers(self) -> tuple[ProviderStatus, ...]:
        # An even and an odd process see it differently: the worse of both is to be shown.
        state = ProviderState.FAILING if os.getpid() % 2 else ProviderState.READY
        return (ProviderStatus(name="okta", state=state, since=NOON),)

    async def routes(self) -> tuple[RouteView, ...]:
        return (RouteView(name="r", hosts=(), path="/", methods=(), policies=(), upstream=("http://u",)),)

    async def reload(self) -> ReloadResult:
        self.reload_soon()
        return ReloadResult(succeeded=True)

    async def purge(self, client_id: str | None) -> int:
        return 5

    async def refresh_contracts(self) -> bool:
        return True

    async def limits_left(self, whose: Whose) -> tuple[LimitLeft, ...]:
        # Each process has seen as many calls as its number says.
        return (LimitLeft(Limit(requests=10_000_000, seconds=60), os.getpid(), 1.0),)

    async def metrics_text(self) -> str:
        return self.telemetry.text()


async def work(link: WorkerLink, listener: socket.socket, behaviour: Behaviour) -> int:
    worker, told = Worker(), asyncio.Event()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", worker.handle)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=30, access_log=None)
    await runner.setup()
    site = web.SockSite(runner, listener)
    await site.start()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, (lambda: None) if behaviour.deaf else told.set)
    loop.add_signal_handler(signal.SIGHUP, worker.reload_soon)
    async with link.serving(worker):
        if behaviour.kills_itself:
            os.kill(os.getpid(), signal.SIGKILL)
        await told.wait()
        await site.stop()
        # Before `cleanup`, after which aiohttp reads nothing more of a body.
        async with worker.changed:
            await worker.changed.wait_for(lambda: worker.under_way == 0)
        await runner.cleanup()
    return 0


async def administer(link: FleetLink, listener: socket.socket) -> int:
    async with link.open() as fleet, Admin(fleet, BUILD).listening([listener]):
        await link.ended()
    return 0


def main(behaviour: Behaviour) -> int:
    logs.configure("info")
    data, admin = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    print(json.dumps({"port": data.getsockname()[1], "admin": admin.getsockname()[1]}), flush=True)  # noqa: T201

    def run_worker(link: WorkerLink) -> int:
        if behaviour.fails_with is not None:
            return behaviour.fails_with
        return asyncio.run(work(link, data, behaviour))

    return supervise(
        behaviour.workers,
        [data],
        run_worker,
        admin_bind=[admin],
        run_admin=lambda link: asyncio.run(administer(link, admin)),
        patience=behaviour.patience,
    )


if __name__ == "__main__":
    sys.exit(main(Behaviour(**json.loads(sys.argv[1]))))
