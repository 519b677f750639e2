"""Asks a server from time to time whether it is well, so that no request has to find out that it is not."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias
from zlib import crc32

from gateway.dial import Dial
from gateway.outgoing import Outgoing, UpstreamFailure
from gateway.upstream_answer import UpstreamAnswer
from gateway.upstream_connection import UpstreamConnection

log = logging.getLogger(__name__)

Pause: TypeAlias = Callable[[float], Awaitable[object]]
"""Waits for so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """What is asked, and what is believed. Times in seconds."""

    path: str
    """Path and query."""
    interval: float = 5.0
    """Between two questions."""
    timeout: float = 2.0
    """From the look-up of the name to the head of the answer."""
    statuses: tuple[tuple[int, int], ...] = ((200, 299),)
    """Of a server that is well: the first and the last of each range."""
    failures: int = 3
    """In a row, until it is out."""
    successes: int = 1
    """In a row, until it is back."""
    host: str = ""
    """What it is called; empty for its own name."""


class Probe:
    """What is known of one server. It is taken to be up until it was asked; the first answer counts at once."""

    def __init__(self, dial: Dial, options: ProbeOptions, pause: Pause = asyncio.sleep) -> None:
        self.is_up = True
        self.retry_after = options.interval
        self._dial = dial
        self._options = options
        self._pause = pause
        self._in_a_row = options.failures - 1
        """Answers that say something else than what is believed."""
        host, self._server_name = dial.names(options.host)
        asked = Outgoing(method="GET", target=options.path, headers=[(b"User-Agent", b"tokenward")], host=options.host)
        self._octets = asked.head(host)

    async def run(self) -> None:
        """Ask again and again, for ever."""
        # Neither do all servers get their question at the same moment, nor one server those of all processes.
        phase = crc32(f"{self._dial.origin} {os.getpid()}".encode()) / 2**32
        await self._pause(phase * self._options.interval)
        while True:
            await self.look()
            await self._pause(self._options.interval)

    async def look(self) -> None:
        """Ask once."""
        fault = await self._ask()
        if (fault is None) is self.is_up:
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self._in_a_row < (self._options.failures if self.is_up else self._options.successes):
            return
        self._in_a_row = 0
        self.is_up = fault is None
        if fault is None:
            log.info("%s passes its probe, and gets requests again", self._dial.origin)
        else:
            log.warning("%s fails its probe, and gets no requests until it passes: %s", self._dial.origin, fault)

    async def _ask(self) -> str | None:
        """What is wrong."""
        home = _Home()
        try:
            async with asyncio.timeout(self._options.timeout):
                status = await self._status(await self._dial.open(home, self._server_name))
        except TimeoutError:
            return "no answer in time"
        except UpstreamFailure as failure:
            return str(failure)
        finally:
            home.leave()
        if any(first <= status <= last for first, last in self._options.statuses):
            return None
        return f"answered {status}"

    async def _status(self, connection: UpstreamConnection) -> int:
        answer = UpstreamAnswer(connection)
        connection.start(answer, self._octets)
        await answer.arrive()
        return answer.status


class _Home:
    """Each question is asked on a connection of its own, as a caller's may be, and whatever becomes of it, it ends."""

    def __init__(self) -> None:
        self._connection: UpstreamConnection | None = None

    def leave(self) -> None:
        """Nobody needs the connection any more."""
        if self._connection is not None:
            self._connection.end()

    def opened(self, connection: UpstreamConnection) -> None:
        """There it is."""
        self._connection = connection

    def answered(self) -> None:
        """The answer says so itself."""

    broke = answered

    def take_back(self, connection: UpstreamConnection) -> None:
        """It has served."""

    forget = take_back
