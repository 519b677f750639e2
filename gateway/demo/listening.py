"""Web applications on loopback ports."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

PATIENCE = 1.0
"""Seconds that an answer under way gets when its server ends."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises OSError when the port is taken."""
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def bind_anyhow(host: str, port: int) -> socket.socket:
    """A listening socket on that port, or on a free one when it is taken."""
    try:
        return bind(host, port)
    except OSError:
        return bind(host, 0)


def address(listener: socket.socket) -> str:
    """Host and port, as in a URL."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@asynccontextmanager
async def serving(application: web.Application, listener: socket.socket) -> AsyncIterator[None]:
    """Answer until the end of the block, and close the socket then."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=PATIENCE)
    try:
        await runner.setup()
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()
        listener.close()
