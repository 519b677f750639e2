"""Opens the portal: everything that it needs, for as long as it is served."""

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
            for each in sockets:
                await web.SockSite(runner, each, ssl_context=tls).start()
            yield
        finally:
            await runner.cleanup()


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
