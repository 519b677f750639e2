"""Opens the portal: everything that it needs, for as long as it is served."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from socket import socket
from ssl import SSLContext

from aiohttp import web

from gateway.portal.faults import refuse
from gateway.portal.openid import OpenId
from gateway.portal.reception import Reception, ReceptionStore
from gateway.portal.sessions import Sessions
from gateway.portal.visits import Page, Parts
from gateway.portal.web import application
from gateway.providers import Provider
from gateway.services import OpenFetch
from gateway.tasks import Tasks

PATIENCE = 5.0
"""Seconds that a page under way gets when the portal is closed."""
KEEP_ALIVE = 15.0
"""Seconds that a connection waits for its next request."""
MOST_CONNECTIONS = 2_000
"""Visitors at once: they share the descriptors of the process with callers of the gateway, who come first."""


@asynccontextmanager
async def open_portal(
    parts: Parts,
    pages: Sequence[Page],
    *,
    provider: Provider,
    store: ReceptionStore,
    open_fetch: OpenFetch,
    sockets: Sequence[socket],
    tls: SSLContext | None = None,
) -> AsyncIterator[None]:
    """Answer on these bound sockets while the block runs. `provider` is the one that people sign in at.

    Raises `Unsafe` for options that it cannot be opened with, OSError when a file of the provider's transport cannot
    be read. Whether the provider answers does not matter yet.
    """
    async with composed(parts, pages, provider=provider, store=store, open_fetch=open_fetch) as app:
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=PATIENCE,
            keepalive_timeout=KEEP_ALIVE,
            # A visitor who goes away does not break off what was begun.
            handler_cancellation=False,
        )
        await runner.setup()
        try:
            async with _accepting(runner, sockets, tls):
                yield
        finally:
            await runner.cleanup()


@asynccontextmanager
async def _accepting(runner: web.AppRunner, sockets: Sequence[socket], tls: SSLContext | None) -> AsyncIterator[None]:
    server, loop = runner.server, asyncio.get_running_loop()
    assert server is not None  # noqa: S101 - set up before

    def admitted() -> asyncio.Protocol:
        return server() if len(server.connections) < MOST_CONNECTIONS else _Full()

    patience = None if tls is None else KEEP_ALIVE
    # Those that wait in the kernel are its own, and no descriptors of ours.
    opening = [loop.create_server(admitted, sock=each, ssl=tls, ssl_handshake_timeout=patience) for each in sockets]
    listeners = [await each for each in opening]
    try:
        yield
    finally:
        for listener in listeners:
            listener.close()


class _Full(asyncio.Protocol):
    """There is no room for this visitor."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


@asynccontextmanager
async def composed(
    parts: Parts, pages: Sequence[Page], *, provider: Provider, store: ReceptionStore, open_fetch: OpenFetch
) -> AsyncIterator[web.Application]:
    """The portal as a web application, for a listener of one's own. Raises as `open_portal` does."""
    options, clock = parts.options, parts.clock
    refuse(options, provider)
    tasks = Tasks()
    async with open_fetch(provider.transport) as fetch:
        try:
            sessions = Sessions(store, options, clock)
            openid = OpenId(options, provider, fetch, clock, tasks)
            reception = Reception(options, openid, sessions, store, clock)
            yield application(parts, pages, sessions, reception)
        finally:
            await tasks.close()
