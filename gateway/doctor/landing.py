"""Where a browser comes back to after a sign-in: a listener on this machine, for one sign-in (RFC 8252, 7.3)."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from aiohttp import web
from multidict import MultiMapping

from gateway.portal.attempt import Attempt
from gateway.portal.reception import SIGNED_IN

LOOPBACK = "127.0.0.1"
DONE = "Thank you. The doctor says the rest where you called it; this page can be closed.\n"
NOT_THIS = "This is not the sign-in that is waited for.\n"


class Landing:
    """Waits for the way back of one attempt. Others may knock, and change nothing."""

    def __init__(self, origin: str, taken: socket.socket) -> None:
        self.origin = origin
        """What the redirect URI begins with."""
        self._taken = taken
        self._attempt: Attempt | None = None
        self._landed: asyncio.Future[MultiMapping[str]] = asyncio.get_running_loop().create_future()

    async def landed(self, attempt: Attempt) -> MultiMapping[str]:
        """The parameters that the browser came back with."""
        self._attempt = attempt
        application = web.Application()
        application.router.add_get(SIGNED_IN, self._land)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.SockSite(runner, self._taken).start()
            return await self._landed
        finally:
            await runner.cleanup()

    async def _land(self, request: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Connection": "close"}
        if self._attempt is None or not self._attempt.is_for(request.query.get("state", "")):
            return web.Response(status=400, text=NOT_THIS, headers=headers)
        if not self._landed.done():
            self._landed.set_result(request.query)
        return web.Response(text=DONE, headers=headers)


@asynccontextmanager
async def landing(portal: str, port: int | None) -> AsyncIterator[Landing]:
    """At that port; without one at the portal's own URL, where that is on this machine and free, else at any port.

    Raises OSError when the port cannot be had.
    """
    origin, taken = _take(portal, port)
    try:
        yield Landing(origin, taken)
    finally:
        taken.close()


def _take(portal: str, port: int | None) -> tuple[str, socket.socket]:
    parts = urlsplit(portal)
    if port is None and parts.scheme == "http" and parts.hostname in (LOOPBACK, "localhost"):
        try:
            return portal, _bound(parts.port or 80)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    taken = _bound(port or 0)
    return f"http://{LOOPBACK}:{taken.getsockname()[1]}", taken


def _bound(port: int) -> socket.socket:
    taken = socket.create_server((LOOPBACK, port))
    taken.setblocking(False)
    return taken
