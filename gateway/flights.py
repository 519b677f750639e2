"""Single flight: however many ask the same question at once, it is asked once."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from gateway.tasks import Tasks

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Flights(Generic[K, V]):
    """Questions under way, by key. An answer reaches all who wait for it; so does a failure, which is not kept."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._under_way: dict[K, asyncio.Task[V]] = {}
        self.waiting = 0
        """How many wait for an answer now."""

    def __contains__(self, key: K) -> bool:
        """Whether the question under `key` is under way."""
        return key in self._under_way

    async def join(self, key: K, ask: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The answer to the question under `key`. A cancelled caller does not end the flight for the others."""
        flight = self.lead(key, ask)
        self.waiting += 1
        try:
            return await asyncio.shield(flight)
        finally:
            self.waiting -= 1

    def lead(self, key: K, ask: Callable[[], Coroutine[Any, Any, V]]) -> asyncio.Task[V]:
        """The flight under `key`, begun when there is none; nobody has to wait for it."""
        flight = self._under_way.get(key)
        if flight is None:
            flight = self._tasks.start(ask())
            self._under_way[key] = flight
            flight.add_done_callback(lambda _: self._under_way.pop(key, None))
        return flight
