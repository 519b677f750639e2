"""Keeps a process's register as the store says: what changed at once, everything now and then.

When the store fails, what is in force stays in force.
"""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import TypeAlias, TypeVar

from gateway.clients import ClientKey, Contract, Register
from gateway.clients.store import InForce, Unusable
from gateway.clients.store.faults import reason
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.store import Store
from gateway.policy import Unavailable
from gateway.ports import Clock, Metrics

log = logging.getLogger(__name__)

Forget: TypeAlias = Callable[[str], Awaitable[int] | int]
"""Drops the cached tokens of a client id."""

T = TypeVar("T")

MANY = 200
"""So many changed clients are not asked about one by one: everything is read."""
STEP = 1000
"""So many contracts are looked at between two looks at requests."""


class Feed:
    """Reads contracts from the store into the register."""

    def __init__(
        self, store: Store, register: Register, forget: Forget, clock: Clock, options: StoreOptions, metrics: Metrics
    ) -> None:
        self._store = store
        self._register = register
        self._forget = forget
        self._clock = clock
        self._options = options
        self._number = 0
        # What was read earlier must not replace what was read later.
        self._turn = asyncio.Lock()
        self._read_at = metrics.gauge(
            "contracts_last_success_timestamp_seconds", "When the contracts of the store were last read."
        )
        self.failing_since: float | None = None
        """Seconds since the epoch; `None` while the last reading was good."""

    async def read(self) -> None:
        """Read everything. Raises `Unavailable` and `Unusable`; then everything stays as it was."""
        async with self._turn:
            await self._read()

    async def refresh(self) -> None:
        """Read what changed since the last reading, here or in another process; it is in force when this returns.

        Raises `Unavailable` and `Unusable`.
        """
        async with self._turn:
            if not self._register.read:
                await self._read()
                return
            clients, number = await self._store.changes_after(self._number)
            # A lower number than ours: the database was restored from a backup.
            if number < self._number or len(clients) > MANY:
                await self._read()
                return
            await self._read_clients(clients)
            self._succeeded(number)

    async def run(self) -> None:
        """Do both, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self._reread())

    async def _follow(self) -> None:
        async with aclosing(self._store.told()) as told:
            async for _ in told:
                await self._insist(self.refresh)

    async def _reread(self) -> None:
        while True:
            await self._insist(self.read)
            await asyncio.sleep(self._options.reread)

    async def _insist(self, read: Callable[[], Awaitable[None]]) -> None:
        """Until it succeeds."""
        while True:
            try:
                await read()
            except (Unavailable, Unusable) as error:
                self._failed(error)
            else:
                return
            await asyncio.sleep(self._options.poll)

    async def _read(self) -> None:
        found = await self._store.in_force()
        if self._register.read:
            await self._adjust(found)
        else:
            self._register.replace(found.contracts, found.blocked)
        self._succeeded(found.number)

    async def _adjust(self, found: InForce) -> None:
        """Change what differs. To replace everything would take no fewer steps, and all of them in one."""
        now: dict[ClientKey, dict[str, Contract]] = {}
        async for contract in _gently(found.contracts):
            now.setdefault((contract.provider, contract.client_id), {})[contract.api] = contract
        blocked = set(found.blocked)
        async for client, contracts in _gently(now.items()):
            if contracts != self._register.of.get(client):
                await self._change(client, contracts.values(), blocked=client in blocked)
        for client in (self._register.of.keys() - now.keys()) | (self._register.blocked ^ blocked):
            await self._change(client, now.get(client, {}).values(), blocked=client in blocked)

    async def _read_clients(self, clients: Iterable[ClientKey]) -> None:
        for client in clients:
            contracts, blocked = await self._store.in_force_of(client)
            await self._change(client, contracts, blocked=blocked)

    async def _change(self, client: ClientKey, contracts: Iterable[Contract], *, blocked: bool) -> None:
        if not self._register.change(client, contracts, blocked=blocked):
            return
        forgotten = self._forget(client[1])
        if inspect.isawaitable(forgotten):
            await forgotten

    def _succeeded(self, number: int) -> None:
        self._number = number
        self._read_at.set(self._clock.time())
        if self.failing_since is not None:
            log.info("the contracts of the store are read again")
        self.failing_since = None

    def _failed(self, error: Unavailable | Unusable) -> None:
        if self.failing_since is None:
            said = reason(error) if isinstance(error, Unavailable) else error.detail
            log.warning("the contracts of the store cannot be read, and stay as they were: %s", said)
            self.failing_since = self._clock.time()


async def _gently(items: Iterable[T]) -> AsyncIterator[T]:
    """All of them, and requests are answered meanwhile."""
    for number, item in enumerate(items):
        if number % STEP == 0:
            await asyncio.sleep(0)
        yield item
