"""One of the servers behind an upstream: its connections, how many there may be, and how it is doing."""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable
from typing import Protocol

from gateway.breaker import Breaker, State
from gateway.dial import Dial
from gateway.outgoing import UpstreamEjected, UpstreamRefused
from gateway.upstream_connection import UpstreamConnection

log = logging.getLogger(__name__)

_CLOSED = State.CLOSED
"""Looked up once: through the enumeration it takes as long as a call, with each answer."""


class Judge(Protocol):
    """Whoever looks from outside whether a server is well."""

    @property
    def is_up(self) -> bool:
        """Whether it is, as far as is known."""

    @property
    def retry_after(self) -> float:
        """Seconds until that is known anew."""


class Target:
    """Lends connections, and takes them back."""

    def __init__(
        self,
        dial: Dial,
        *,
        breaker: Breaker,
        most: int,
        now: Callable[[], float],
        is_used: Callable[[], None],
        judge: Judge | None = None,
    ) -> None:
        """`is_used` is told whenever there may be something to sweep."""
        self.dial = dial
        self.origin = dial.origin
        self.breaker = breaker
        self.tunnels = 0
        """WebSockets, whose connections are not kept here."""
        self.chosen = 0
        """At which choice of the upstream's it was taken last."""
        self._judge = judge
        self._most = most
        self._now = now
        self._is_used = is_used
        self._open: set[UpstreamConnection] = set()
        self._idle: dict[str | None, list[UpstreamConnection]] = {}
        self._opening = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def admit(self) -> bool:
        """Whether a request may go there now."""
        return (self._judge is None or self._judge.is_up) and self.breaker.admit()

    @property
    def is_up(self) -> bool:
        """Whether it is neither left alone nor found ill; looking changes nothing."""
        return (self._judge is None or self._judge.is_up) and self.breaker.state is State.CLOSED

    @property
    def retry_after(self) -> int:
        """Whole seconds, at least one, until a request may go there again."""
        if self._judge is None or self._judge.is_up:
            return self.breaker.retry_after
        return max(self.breaker.retry_after, math.ceil(self._judge.retry_after))

    @property
    def in_flight(self) -> int:
        """Requests that it has, or is about to get."""
        return len(self._open) - sum(map(len, self._idle.values())) + self._opening + len(self._waiting) + self.tunnels

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
        if self.breaker.state is not _CLOSED:
            log.info("%s answers again", self.origin)
        self.breaker.succeeded()

    def broke(self) -> None:
        """One of them ended without an answer, or did not come about."""
        was = self.breaker.state
        self.breaker.failed()
        if was is State.CLOSED and self.breaker.state is State.OPEN:
            log.warning("%s is left alone for a while: it failed several times in a row", self.origin)

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
            return await self.dial.open(self, server_name)
        except UpstreamRefused:
            self.broke()
            raise
        finally:
            self._opening -= 1
            self._tell_next()

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
            async with asyncio.timeout(self.dial.patience.connect):
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
