"""The contracts of the store in a process that serves requests: its register, kept up to date, and what it counts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from gateway.clients import Register
from gateway.clients.feed import Feed
from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.store import Store
from gateway.policy import Unavailable
from gateway.ports import Clock, Metrics
from gateway.tasks import Tasks
from gateway.usage import Tally


@dataclass(frozen=True, slots=True)
class Contracts:
    """The store, and what follows it in this process."""

    store: Store
    register: Register
    feed: Feed
    tally: Tally


@asynccontextmanager
async def open_contracts(
    options: StoreOptions, forget: Callable[[str], Awaitable[int]], clock: Clock, metrics: Metrics
) -> AsyncIterator[Contracts]:
    """The contracts, followed until the end of the block. `forget` drops the cached tokens of a client.

    They have been read when the block begins, unless the store is away. Raises `Unusable` for what an operator has to
    put right.
    """
    async with open_store(options, clock) as store:
        register = Register()
        feed = Feed(store, register, forget, clock, options, metrics)
        dropped = metrics.counter("usage_dropped", "Calls that were not counted for their client.")
        tally = Tally(store, dropped.inc, options.usage)
        with suppress(Unavailable):
            await feed.read()
        tasks = Tasks()
        tasks.start(feed.run())
        tasks.start(tally.run())
        try:
            yield Contracts(store, register, feed, tally)
        finally:
            await tasks.close()
            await tally.flush_if_it_can()
