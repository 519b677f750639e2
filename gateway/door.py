"""Where callers come in: connections are accepted while there is room for them, and otherwise wait in the kernel."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from socket import socket
from ssl import SSLContext
from typing import Protocol

from gateway.caller import Limits, Timeouts
from gateway.descriptors import room_for_connections
from gateway.policy import place_of
from gateway.ports import Metrics
from gateway.tasks import Tasks

log = logging.getLogger(__name__)

TURN = 4
"""Connections that are accepted before those that are there have their turn."""
RETRY = 0.5
"""Seconds until the system is asked again, when it had no descriptor or no memory for a connection."""
LAST_WORDS = 0.5
"""Seconds that connections which are being accepted have at the end."""
SILENCE = 60.0
"""Seconds between two lines of the log that say the same."""


class House(Protocol):
    """What is behind the door."""

    @property
    def limits(self) -> Limits: ...
    @property
    def timeouts(self) -> Timeouts: ...
    def trusts(self, address: str, /) -> bool:
        """Whether the address is a proxy's of ours, which speaks for many callers."""

    def __call__(self, left: Callable[[], None], /) -> asyncio.BaseProtocol:
        """The protocol of one more connection; `left` is called when it has ended."""


class Door:
    """Accepts connections on bound sockets, from `open` to `close`.

    There is no room for another one when `limits.connections` are open, or as many as there are descriptors for. Then
    nothing is accepted until one ends. What the event loop would do instead depends on the loop: to be busy with the
    same error again and again, or to accept connections only to close them.
    """

    def __init__(self, house: House, sockets: Sequence[socket], tls: SSLContext | None, metrics: Metrics) -> None:
        self._house = house
        self.sockets = tuple(sockets)
        """Those that are open."""
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._tasks = Tasks()
        self._coming: set[asyncio.Task[None]] = set()
        self._places: Counter[str] = Counter()
        self._open = 0
        self._retry: asyncio.TimerHandle | None = None
        self._told_at = -SILENCE
        self._level = metrics.gauge("connections", "Connections of callers.")
        self._refused = metrics.counter(
            "connections_refused", "Connections closed at once because their address has as many as it may have."
        )
        self._pauses = metrics.counter("accept_pauses", "Times that connections had to wait until others ended.")

    def open(self) -> None:
        """Begin to accept."""
        for listener in self.sockets:
            # Sockets that were handed over may wait in `accept` until somebody comes, and everybody with them.
            listener.setblocking(False)
            self._loop.add_reader(listener, self._accept, listener)

    async def close(self) -> None:
        """Accept no more. What was accepted a moment ago is let in; a TLS handshake has little time left."""
        if self._retry is not None:
            self._retry.cancel()
        for listener in self.sockets:
            self._loop.remove_reader(listener)
            listener.close()
        self.sockets = ()
        if self._coming:
            await asyncio.wait(self._coming, timeout=LAST_WORDS)
        await self._tasks.close()

    def _accept(self, listener: socket) -> None:
        for _ in range(TURN):
            if self._open >= self._most():
                self._wait(f"{self._open} connections are open")
                return
            try:
                caller, address = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._wait(str(error.strerror))
                return
            self._admit(caller, str(address[0]))

    def _most(self) -> int:
        room, most = room_for_connections(), self._house.limits.connections
        return room if most is None else min(most, room)

    def _admit(self, caller: socket, address: str) -> None:
        place = place_of(address)
        most = self._house.limits.connections_per_address
        if most is not None and self._places[place] >= most and not self._house.trusts(address):
            self._refused.inc()
            caller.close()
            return
        caller.setblocking(False)
        self._open += 1
        self._level.set(self._open)
        self._places[place] += 1
        task = self._tasks.start(self._let_in(caller, _Guest(self, place)))
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)

    async def _let_in(self, caller: socket, guest: "_Guest") -> None:
        # A handshake may take as long as a head, which is all that a caller is waited for before it said anything.
        patience = None if self._tls is None else self._house.timeouts.head
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._house(guest.leave), caller, ssl=self._tls, ssl_handshake_timeout=patience
            )
        except OSError as error:
            guest.leave()
            log.debug("a connection did not come about: %s", error)
        except BaseException:
            guest.leave()
            raise

    def left(self, place: str) -> None:
        """A connection from that place has ended."""
        self._open -= 1
        self._level.set(self._open)
        self._places[place] -= 1
        if not self._places[place]:
            del self._places[place]
        if self._retry is not None and self.sockets:
            self._again()

    def _wait(self, reason: str) -> None:
        """There is no room: accept again when a connection has ended, or look again in a while."""
        self._pauses.inc()
        for listener in self.sockets:
            self._loop.remove_reader(listener)
        if self._retry is None:
            self._retry = self._loop.call_later(RETRY, self._again)
        now = self._loop.time()
        if now - self._told_at >= SILENCE:
            self._told_at = now
            log.warning("no room for another connection, callers wait: %s", reason)

    def _again(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self.open()


class _Guest:
    """One connection, which leaves once."""

    __slots__ = ("_door", "_place")

    def __init__(self, door: Door, place: str) -> None:
        self._door: Door | None = door
        self._place = place

    def leave(self) -> None:
        door, self._door = self._door, None
        if door is not None:
            door.left(self._place)
