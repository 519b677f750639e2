"""One of the servers behind an upstream: its connections, how many there may be, and how it is doing."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable

import aiohappyeyeballs
from aiohttp.abc import AbstractResolver
from yarl import URL

from gateway.addresses import Addresses
from gateway.breaker import Breaker
from gateway.outgoing import UpstreamEjected, UpstreamRefused
from gateway.upstream_connection import Patience, UpstreamConnection

ATTEMPT_DELAY = 0.25
"""Seconds until the next address of a name is tried beside the one before (RFC 8305, 8)."""


class Target:
    """Lends connections, and takes them back. `origin` is scheme, host and port."""

    def __init__(
        self,
        origin: str,
        *,
        breaker: Breaker,
        patience: Patience,
        most: int,
        tls: ssl.SSLContext | None,
        resolver: AbstractResolver,
        now: Callable[[], float],
        is_used: Callable[[], None],
    ) -> None:
        """`is_used` is told whenever there may be something to sweep."""
        url = URL(origin)
        self.origin = origin
        self.breaker = breaker
        self.host = url.raw_authority.removesuffix(f":{80 if tls is None else 443}").encode("ascii")
        """As `Host` names it."""
        self.tunnels = 0
        """WebSockets, whose connections are not kept here."""
        self._name = (url.raw_host or "").rstrip(".")
        self._addresses = Addresses(url.raw_host or "", url.port or 0, resolver, now)
        self._patience = patience
        self._most = most
        self._tls = tls
        self._now = now
        self._is_used = is_used
        self._open: set[UpstreamConnection] = set()
        self._idle: dict[str | None, list[UpstreamConnection]] = {}
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def in_flight(self) -> int:
        """Requests that it has, or is about to get."""
        return len(self._open) - sum(map(len, self._idle.values())) + self._opening + len(self._waiting) + self.tunnels

    @property
    def is_tls(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self._tls is not None

    @property
    def is_in_use(self) -> bool:
        """Whether there is anything to be swept."""
        return bool(self._open)

    def take(self, server_name: str | None = None) -> UpstreamConnection | None:
        """An idle connection, if there is one, for the TLS server name (where it is not the target's own).

        The last one that was used, so that those which are not needed grow old.
        """
        idle = self._idle.get(server_name)
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
            self.forget(connection)
        return None

    async def lend(self, server_name: str | None = None) -> UpstreamConnection:
        """An idle connection, or a new one.

        Raises `UpstreamRefused`, and `UpstreamEjected` when none becomes free in time.
        """
        while (idle := self.take(server_name)) is None:
            if self._has_room():
                return await self._connect(server_name)
            await self._await_turn()
        return idle

    async def lend_new(self, server_name: str | None = None) -> UpstreamConnection:
        """A new connection. Raises what `lend` raises."""
        while not self._has_room():
            await self._await_turn()
        return await self._connect(server_name)

    def sweep(self) -> None:
        """End what is late: answers, and connections that nobody needs."""
        now = self._now()
        for connection in tuple(self._open):
            if now >= connection.deadline:
                connection.expire()

    def end(self) -> None:
        """End every connection."""
        for connection in tuple(self._open):
            connection.end()

    # --- for its connections ---

    def opened(self, connection: UpstreamConnection) -> None:
        """There is one more."""
        self._open.add(connection)
        self._is_used()

    def answered(self) -> None:
        """One of them got an answer."""
        self.breaker.succeeded()

    def broke(self) -> None:
        """One of them ended without an answer."""
        self.breaker.failed()

    def take_back(self, connection: UpstreamConnection) -> None:
        """One of them is idle."""
        self._idle.setdefault(connection.server_name, []).append(connection)
        self._tell_next()

    def forget(self, connection: UpstreamConnection) -> None:
        """One of them is at its end."""
        self._open.discard(connection)
        idle = self._idle.get(connection.server_name)
        if idle is not None:
            if connection in idle:
                idle.remove(connection)
            if not idle:
                del self._idle[connection.server_name]
        self._tell_next()

    # --- making connections ---

    async def _connect(self, server_name: str | None) -> UpstreamConnection:
        self._opening += 1
        try:
            async with asyncio.timeout(self._patience.connect):
                connection = await self._dial(server_name)
            if connection.usable:
                return connection
        except (TimeoutError, OSError, UnicodeError) as error:
            self.breaker.failed()
            raise UpstreamRefused("no connection") from error
        finally:
            self._opening -= 1
            self._tell_next()
        self.breaker.failed()
        raise UpstreamRefused("the connection was closed at once")

    async def _dial(self, server_name: str | None) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        addresses = await self._addresses.find()
        sock = await aiohappyeyeballs.start_connection(addresses, happy_eyeballs_delay=ATTEMPT_DELAY, interleave=1)
        _, connection = await loop.create_connection(
            lambda: UpstreamConnection(self, self._patience, self._now, server_name=server_name),
            sock=sock,
            ssl=self._tls,
            server_hostname=None if self._tls is None else server_name or self._name,
        )
        return connection

    def _has_room(self) -> bool:
        """Whether there may be one more. What is idle, for another name maybe, makes way for it."""
        if len(self._open) + self._opening >= self._most:
            oldest = next((idle[0] for idle in self._idle.values() if idle), None)
            if oldest is not None:
                oldest.end()
        return len(self._open) + self._opening < self._most

    async def _await_turn(self) -> None:
        """Wait until something has changed."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._patience.connect):
                await turn
        except BaseException as failure:
            if turn in self._waiting:
                self._waiting.remove(turn)
            else:
                # Its turn had come, and is the next one's now.
                self._tell_next()
            if isinstance(failure, TimeoutError):
                raise UpstreamEjected(1) from None
            raise

    def _tell_next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
