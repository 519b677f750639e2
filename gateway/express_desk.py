"""What the express lanes of all connections share: the timer, the last write of a turn, and what is made once."""

import asyncio
import os
from typing import Protocol

from gateway.express_headers import AnswerHeads
from gateway.paths import BadRequest, canonical_host
from gateway.ports import Clock
from gateway.tasks import Tasks

SWEEP = 0.5
"""Seconds between two looks at the deadlines: by so much a timeout may be late."""
MOST_HOSTS = 4096
"""Values of `Host` that are remembered."""
RANDOM_BYTES = 4096
"""As many as are drawn at once, for ids that are no secrets."""


class Way(Protocol):
    """The connection that the request came on."""

    @property
    def desk(self) -> "Desk":
        """What it shares with the others."""

    @property
    def is_full(self) -> bool:
        """Whether the caller takes no more for now."""

    def write(self, octets: bytes, /) -> bool:
        """Send this to the caller, if it is there."""

    def hold_body(self) -> None:
        """Let the caller wait."""

    def resume_body(self) -> None:
        """Let it send again."""

    def asked(self) -> None:
        """What waited for the upstream has gone to it."""

    def abort(self) -> None:
        """End the connection so that the caller can tell that its answer is not complete."""

    def answered(self) -> None:
        """The request has ended."""


class Writes(Protocol):
    """An answer on its way."""

    def flush(self) -> None:
        """Write what was held back for what might follow at once."""


class Waits(Protocol):
    """A connection that may be late."""

    def look(self, now: float, /) -> None:
        """End what is late, by the time of the loop."""


class Desk:
    """Belongs to one gateway, which closes `tasks` in the end."""

    def __init__(self, clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        self.clock = clock
        self.loop = loop
        self.tasks = Tasks()
        self.answer_heads = AnswerHeads()
        self._busy: set[Waits] = set()
        self._every = SWEEP
        self._sweeping: asyncio.TimerHandle | None = None
        self._unwritten: list[Writes] = []
        self._hosts: dict[bytes, str] = {}
        self._digits = ""
        self._given = 0

    def watch(self, lane: Waits, patience: float) -> None:
        """Look after this lane from time to time, until `forget`. `patience`: its shortest, in seconds."""
        self._busy.add(lane)
        if self._sweeping is None:
            self._every = min(SWEEP, patience / 4)
            self._sweeping = self.loop.call_later(self._every, self._sweep)

    def forget(self, lane: Waits) -> None:
        """It is idle."""
        self._busy.discard(lane)

    def flush_soon(self, answer: Writes) -> None:
        """Let it write after everything that arrived in this turn of the loop was looked at."""
        if not self._unwritten:
            self.loop.call_soon(self._flush)
        self._unwritten.append(answer)

    def host(self, value: bytes) -> str:
        """The host that a `Host` header names, in its one spelling; empty where it names none."""
        known = self._hosts.get(value)
        if known is not None:
            return known
        try:
            host = canonical_host(value.decode("ascii"))
        except BadRequest:
            return ""
        if len(self._hosts) < MOST_HOSTS:
            self._hosts[value] = host
        return host

    def digits(self, count: int) -> str:
        """So many random hexadecimal digits, each given once."""
        start, self._given = self._given, self._given + count
        if self._given > len(self._digits):
            self._digits = os.urandom(RANDOM_BYTES).hex()
            start, self._given = 0, count
        return self._digits[start : self._given]

    def _flush(self) -> None:
        unwritten, self._unwritten = self._unwritten, []
        for answer in unwritten:
            answer.flush()

    def _sweep(self) -> None:
        self._sweeping = None
        now = self.loop.time()
        for lane in tuple(self._busy):
            lane.look(now)
        if self._busy:
            self._sweeping = self.loop.call_later(self._every, self._sweep)
