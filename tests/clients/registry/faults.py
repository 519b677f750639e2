"""Faults between real things: the store and the provider fail at one step, or from one step on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from gateway.clients.store.store import Store
from gateway.fetch import open_fetch
from gateway.policy import Headers, Unavailable
from gateway.ports import Fetch, Reply
from gateway.providers import Transport

T = TypeVar("T")


class Crash(BaseException):
    """The process ends: nothing that comes after it is done either."""


class How(Enum):
    """What goes wrong, from the chosen step."""

    NOT_DONE = "this step is not done"
    UNHEARD = "this step is done, and nobody hears of it"
    STORE_DOWN = "the store does nothing from here on"
    PROVIDER_DOWN = "the provider does nothing from here on"
    ALL_DOWN = "nobody does anything from here on"
    CRASH = "the process ends before this step"
    CRASH_UNHEARD = "the process ends after this step"


CRASHES = (How.CRASH, How.CRASH_UNHEARD)
UNHEARD = (How.UNHEARD, How.CRASH_UNHEARD)
ONE_DOWN = {How.STORE_DOWN: "store", How.PROVIDER_DOWN: "provider"}


@dataclass(slots=True)
class Faults:
    """Counts the steps that leave the process, and lets one fail."""

    at: int = 0
    """Counted from one; 0 is never."""
    how: How = How.NOT_DONE
    steps: int = 0
    after: str = ""
    """The step, by its name, that has to be done before anything fails."""

    def heal(self) -> None:
        self.at = 0

    @property
    def happened(self) -> bool:
        return 0 < self.at <= self.steps

    async def around(self, who: str, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """Do that step, as well as it can be done."""
        self.steps += 1
        if name == self.after:
            self.at, self.after = self.steps + 1, ""
        if not self._fails(who):
            return await work()
        if self.how in UNHEARD and self.steps == self.at:
            await work()
        if self.how in CRASHES:
            raise Crash
        raise Unavailable(f"the {who} is down", code="store_unavailable" if who == "store" else "provider_timeout")

    def _fails(self, who: str) -> bool:
        if not self.happened:
            return False
        if self.how in (How.NOT_DONE, How.UNHEARD):
            return self.steps == self.at
        return self.how not in ONE_DOWN or ONE_DOWN[self.how] == who

    def open_fetch(self, transport: Transport) -> AbstractAsyncContextManager[Fetch]:
        """Real connections to a provider that fails."""

        @asynccontextmanager
        async def opening() -> AsyncIterator[Fetch]:
            async with open_fetch(transport) as fetch:

                async def ask(method: str, url: str, *, headers: Headers = (), body: bytes = b"") -> Reply:
                    return await self.around("provider", method, lambda: fetch(method, url, headers=headers, body=body))

                yield ask

        return opening()


class FaultyStore:
    """A real store that fails."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return _faulty(self._store, name, self._faults)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Any]:
        opening = self._store.begin()
        transaction: Any = None

        async def begin() -> None:
            nonlocal transaction
            transaction = await opening.__aenter__()

        try:
            await self._faults.around("store", "begin", begin)
        except BaseException as error:
            if transaction is not None:
                await opening.__aexit__(type(error), error, error.__traceback__)
            raise
        try:
            yield _FaultyTransaction(transaction, self._faults)
        except BaseException as error:
            await opening.__aexit__(type(error), error, error.__traceback__)
            raise
        done = False

        async def commit() -> None:
            nonlocal done
            done = True
            await opening.__aexit__(None, None, None)

        try:
            await self._faults.around("store", "commit", commit)
        except BaseException as error:
            if not done:
                await opening.__aexit__(type(error), error, error.__traceback__)
            raise


class _FaultyTransaction:
    def __init__(self, transaction: Any, faults: Faults) -> None:
        self._transaction = transaction
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        return _faulty(self._transaction, name, self._faults)


def _faulty(thing: Any, name: str, faults: Faults) -> Any:
    found = getattr(thing, name)
    if not iscoroutinefunction(found):
        return found

    async def call(*arguments: Any, **named: Any) -> Any:
        return await faults.around("store", name, lambda: found(*arguments, **named))

    return call
