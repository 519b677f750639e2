"""How often somebody may come: counted in memory, in windows of a minute, by our clock."""

import math
from collections.abc import Hashable

from cachetools import TLRUCache
from limits import RateLimitItemPerMinute
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from gateway.ports import Clock

MOST_COUNTED = 50_000
"""Addresses and sessions that are counted at once. Beyond that, who came least recently begins anew."""


class Counts(Storage):
    """The library's counters in a bounded store that reads our clock; its own reads the system's, in a thread."""

    STORAGE_SCHEME = None

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._counts: TLRUCache[str, tuple[int, float]] = TLRUCache(MOST_COUNTED, _ends_at, clock.monotonic)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ArithmeticError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        count, ends_at = self._counts.get(key, (0, self._clock.monotonic() + expiry))
        self._counts[key] = (count + amount, ends_at)
        return count + amount

    def get(self, key: str) -> int:
        return self._counts.get(key, (0, 0.0))[0]

    def get_expiry(self, key: str) -> float:
        return self._counts.get(key, (0, self._clock.monotonic()))[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        count = len(self._counts)
        self._counts.clear()
        return count

    def clear(self, key: str) -> None:
        self._counts.pop(key, None)


class Limiter:
    """Counts what comes, and says how long to wait."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows = FixedWindowRateLimiter(Counts(clock))

    def wait(self, what: str, who: str, per_minute: int) -> int:
        """Whole seconds to wait before this may be done; 0: it may, and is counted."""
        item = RateLimitItemPerMinute(per_minute)
        if self._windows.hit(item, what, who):
            return 0
        left = self._windows.get_window_stats(item, what, who).reset_time - self._clock.monotonic()
        return max(1, math.ceil(left))


def _ends_at(_: Hashable, count: tuple[int, float], __: float) -> float:
    return count[1]
