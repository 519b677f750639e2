"""Objects that several policies use, by key: opened for the first, kept across reloads, closed after the last."""

import asyncio
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeVar, cast

T = TypeVar("T")


@dataclass(slots=True)
class _Open:
    """An object that is open, and how many leases name it."""

    opening: AbstractAsyncContextManager[Any]
    thing: Any
    leases: int = 0


class Shared:
    """What is open in this process."""

    def __init__(self) -> None:
        self._open: dict[Hashable, _Open] = {}
        self._turn = asyncio.Lock()

    def __iter__(self) -> Iterator[object]:
        """The objects that are open now."""
        return iter([entry.thing for entry in self._open.values()])

    async def take(self, key: Hashable, make: Callable[[], AbstractAsyncContextManager[T]]) -> T:
        """The object under `key`, opened if nobody has it; each call needs a `give_back`."""
        async with self._turn:
            entry = self._open.get(key)
            if entry is None:
                opening = make()
                entry = self._open[key] = _Open(opening, await opening.__aenter__())
            entry.leases += 1
            return cast(T, entry.thing)

    async def give_back(self, key: Hashable) -> None:
        """One who took the object needs it no longer; the last one closes it."""
        async with self._turn:
            entry = self._open[key]
            entry.leases -= 1
            if entry.leases > 0:
                return
            del self._open[key]
            await entry.opening.__aexit__(None, None, None)


class Lease:
    """The objects of one runtime: a `gateway.services.Sharing` that gives everything back when it ends."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._keys: list[Hashable] = []

    async def __call__(self, key: Hashable, make: Callable[[], AbstractAsyncContextManager[T]], /) -> T:
        thing = await self._shared.take(key, make)
        self._keys.append(key)
        return thing

    async def end(self) -> None:
        """Give everything back."""
        while self._keys:
            await self._shared.give_back(self._keys.pop())
