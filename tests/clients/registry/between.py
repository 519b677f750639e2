"""A store between whose steps somebody else does something."""

from collections.abc import Awaitable, Callable
from typing import Any

from gateway.clients.store.store import Store


class Between:
    """A real store. Before it does the named step, `meanwhile` happens, once."""

    def __init__(self, store: Store, step: str, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._store = store
        self._step = step
        self._meanwhile = meanwhile
        self.happened = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name != self._step or self.happened:
            return found

        async def call(*arguments: Any, **named: Any) -> Any:
            await self._happen()
            return await found(*arguments, **named)

        return call

    def begin(self) -> Any:
        """A transaction, before which it may happen as well."""
        return _Begun(self, self._store) if self._step == "begin" and not self.happened else self._store.begin()

    async def _happen(self) -> None:
        if not self.happened:
            self.happened = True
            await self._meanwhile()


class _Begun:
    def __init__(self, between: Between, store: Store) -> None:
        self._between = between
        self._opening = store.begin()

    async def __aenter__(self) -> Any:
        await self._between._happen()
        return await self._opening.__aenter__()

    async def __aexit__(self, *error: Any) -> Any:
        return await self._opening.__aexit__(*error)
