"""Makes connections to one server: where it is, what it is called, and how TLS is spoken to it."""

import asyncio
import ssl
from collections.abc import Callable

import aiohappyeyeballs
from aiohttp.abc import AbstractResolver
from yarl import URL

from gateway.addresses import Addresses
from gateway.outgoing import UpstreamRefused
from gateway.paths import canonical_host
from gateway.upstream_connection import Home, Patience, UpstreamConnection

ATTEMPT_DELAY = 0.25
"""Seconds until the next address of a name is tried beside the one before (RFC 8305, 8)."""


class Dial:
    """The way to one server. `origin` is scheme, host and port."""

    def __init__(
        self,
        origin: str,
        *,
        patience: Patience,
        tls: ssl.SSLContext | None,
        resolver: AbstractResolver,
        now: Callable[[], float],
    ) -> None:
        """`tls` is `None` for a server that is spoken to without."""
        url = URL(origin)
        self.origin = origin
        self.host = url.raw_authority.removesuffix(f":{80 if tls is None else 443}").encode("ascii")
        """As `Host` names it."""
        self.is_tls = tls is not None
        self.patience = patience
        self._name = (url.raw_host or "").rstrip(".")
        self._addresses = Addresses(url.raw_host or "", url.port or 0, resolver, now)
        self._tls = tls
        self._now = now

    def names(self, host: str) -> tuple[bytes, str | None]:
        """What is sent as `Host`, and the name that TLS asks for where it is not the server's own: always the same.

        `host` is somebody else's name for it; empty for its own.
        """
        if not host:
            return self.host, None
        return host.encode(), canonical_host(host).strip("[]") if self.is_tls else None

    async def open(self, home: Home, server_name: str | None) -> UpstreamConnection:
        """A new connection that is kept by `home`. Raises `UpstreamRefused`."""
        try:
            async with asyncio.timeout(self.patience.connect):
                connection = await self._open(home, server_name)
        except (TimeoutError, OSError, UnicodeError) as error:
            raise UpstreamRefused("no connection") from error
        if not connection.usable:
            raise UpstreamRefused("the connection was closed at once")
        return connection

    async def _open(self, home: Home, server_name: str | None) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        addresses = await self._addresses.find()
        sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=ATTEMPT_DELAY, interleave=1)
        _, connection = await loop.create_connection(
            lambda: UpstreamConnection(home, self.patience, self._now, server_name=server_name),
            sock=sock,
            ssl=self._tls,
            server_hostname=None if self._tls is None else server_name or self._name,
        )
        return connection
