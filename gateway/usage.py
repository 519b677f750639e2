"""What clients call, counted in memory and added to the store now and then: for developers, and never on a request."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

from gateway.clients.store import Usage
from gateway.clients.store.tables import is_name
from gateway.exchange import Exchange
from gateway.policy import Unavailable

log = logging.getLogger(__name__)

MOST = 50_000
"""Counts that wait while the store is away: clients times APIs times outcomes. What is beyond is not counted."""
ALLOWED = "allowed"
Key: TypeAlias = tuple[int, str, str, str, str]
"""Hour, provider, client, API, outcome."""


class Keeps(Protocol):
    """Where counts go. Raises `Unavailable`."""

    async def add_usage(self, rows: Iterable[Usage], /) -> None: ...


class Tally:
    """Counts finished exchanges by hour, client, API and outcome. `every`: seconds between two times they are kept."""

    def __init__(self, store: Keeps, dropped: Callable[[], None], every: float) -> None:
        self._store = store
        self._dropped = dropped
        self._every = every
        self._calls: dict[Key, int] = {}

    def count(self, exchange: Exchange) -> None:
        """Count one. What no client is known of is nobody's usage."""
        if not exchange.client_id:
            return
        code = ALLOWED if exchange.result == "allow" else exchange.code
        self._add((int(exchange.received_at // 3600), exchange.provider, exchange.client_id, exchange.api, code), 1)

    def _add(self, key: Key, number: int) -> None:
        calls = self._calls
        if key in calls:
            calls[key] += number
        # What the store could not keep would keep it from keeping the others as well.
        elif len(calls) < MOST and is_name(key[2]):
            calls[key] = number
        else:
            for _ in range(number):
                self._dropped()

    async def flush(self) -> None:
        """Hand over what was counted. Raises `Unavailable`; then it is kept for the next time."""
        taken, self._calls = self._calls, {}
        if not taken:
            return
        try:
            await self._store.add_usage(_rows(taken))
        except Unavailable:
            meanwhile, self._calls = self._calls, taken
            for key, calls in meanwhile.items():
                self._add(key, calls)
            raise

    async def run(self) -> None:
        """Do so again and again, for ever."""
        while True:
            await asyncio.sleep(self._every)
            await self.flush_if_it_can()

    async def flush_if_it_can(self) -> None:
        """The same, where nobody is there to be told that it failed."""
        try:
            await self.flush()
        except Unavailable as failure:
            log.warning("usage waits for the store: %s", failure.code)


def _rows(calls: dict[Key, int]) -> list[Usage]:
    return [
        Usage(hour=hour, provider=provider, client_id=client_id, api=api, code=code, calls=number)
        for (hour, provider, client_id, api, code), number in calls.items()
    ]
