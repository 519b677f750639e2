"""Counters that several gateways share, in Redis. While it does not answer, each counts alone: no limit is lifted."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter
from limits.errors import StorageError
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway.breaker import Breaker
from gateway.clients.catalogue import LimitLeft, Tier
from gateway.ports import Clock
from policies.rate_limit.counters import MemoryCounts, Strategy, Taken
from policies.rate_limit.windows import Left, Window, key_of, windows_of

log = logging.getLogger(__name__)

FAILURES = 3
COOL_DOWN = 2.0
"""Seconds during which Redis is left alone after so many failures in a row."""
PREFIX = "tokenward"
MOST_CONNECTIONS = 64


class RedisCounts:
    """Counts in Redis, and here while it does not answer."""

    def __init__(self, storage: RedisStorage, strategy: Strategy, clock: Clock, patience: float) -> None:
        limiter = FixedWindowRateLimiter if strategy == "fixed" else SlidingWindowCounterRateLimiter
        self._limiter = limiter(storage)
        self._clock = clock
        self._patience = patience
        self._here = MemoryCounts(strategy, clock)
        self._breaker = Breaker(clock, failures=FAILURES, cool_down=COOL_DOWN)

    async def take(self, windows: Sequence[Window], key: tuple[str, ...], now: float, /) -> Taken:
        """Count one request in every window, and what is left; or count nothing, and the window that is full."""
        if self._breaker.admit():
            try:
                async with asyncio.timeout(self._patience):
                    taken = await self._take(windows, key)
            except (StorageError, TimeoutError, OSError) as error:
                self._breaker.failed()
                log.warning("Redis does not count, so this process does by itself: %s", type(error).__name__)
            else:
                self._breaker.succeeded()
                return taken
        return self._here.take(windows, key, now)

    async def left(self, windows: Sequence[Window], key: tuple[str, ...], now: float, /) -> list[Left]:
        """What is left, with nothing counted."""
        try:
            async with asyncio.timeout(self._patience):
                return [await self._left(window, key) for window in windows]
        except (StorageError, TimeoutError, OSError):
            return self._here.left(windows, key, now)

    async def limits_left(self, provider: str, api: str, client_id: str, tier: Tier, /) -> tuple[LimitLeft, ...]:
        """What is left of the limits of a client's contract, for people."""
        windows, key = windows_of(tier.name, tier.limits), key_of(provider, api, client_id)
        return tuple(each.told for each in await self.left(windows, key, self._clock.time()))

    async def _take(self, windows: Sequence[Window], key: tuple[str, ...]) -> Taken:
        for window in windows:
            if not await self._limiter.test(window.item, *key):
                return await self._left(window, key)
        for window in windows:
            # Others count at the same time: what was free a moment ago may be taken.
            if not await self._limiter.hit(window.item, *key):
                return await self._left(window, key)
        return [await self._left(window, key) for window in windows]

    async def _left(self, window: Window, key: tuple[str, ...]) -> Left:
        stats = await self._limiter.get_window_stats(window.item, *key)
        resets_in = (
            stats.reset_time - self._clock.time() if stats.remaining < window.requests else float(window.seconds)
        )
        return Left(window, stats.remaining, max(0.0, resets_in))


@asynccontextmanager
async def open_redis(url: str, strategy: Strategy, clock: Clock, patience: float) -> AsyncIterator[RedisCounts]:
    """Counters at that URL, which need not answer yet. `patience`: seconds for all that one request asks."""
    storage = RedisStorage(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix=PREFIX,
        socket_timeout=patience,
        socket_connect_timeout=patience,
        max_connections=MOST_CONNECTIONS,
        retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]  # passed on to the client as it is
    )
    try:
        yield RedisCounts(storage, strategy, clock, patience)
    finally:
        await storage.bridge.get_connection().aclose()  # type: ignore[attr-defined]  # redis-py's client has it
