"""Counters in the memory of this process, at the time of the request that counts.

The strategies are the library's; its own memory storage reads the system's clock and starts a thread, so the storage
is ours.
"""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from cachetools import TLRUCache
from limits.storage.base import SlidingWindowCounterSupport, Storage, TimestampedSlidingWindow
from limits.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter

from gateway.clients.catalogue import LimitLeft, Tier
from gateway.ports import Clock
from policies.rate_limit.windows import Left, Window, key_of, windows_of

Strategy: TypeAlias = Literal["fixed", "sliding"]
Taken: TypeAlias = list[Left] | Left
"""What is left of each window; or the one that is full, and nothing was counted."""

MOST_COUNTERS = 200_000
"""Each is a client's window; beyond, the counter that was used least recently starts anew."""
SET_BACK = 60.0
"""Seconds that a window may seem to last too long: who waited for a decision was received earlier than others."""
MOMENT = 0.001
"""Seconds: what has to fall below a bound is not below it yet when it reaches it."""


class Counts(Protocol):
    """Where requests are counted. `key` says whose they are; `now` is in seconds since the epoch."""

    def take(self, windows: Sequence[Window], key: tuple[str, ...], now: float, /) -> Taken | Awaitable[Taken]: ...

    def left(
        self, windows: Sequence[Window], key: tuple[str, ...], now: float, /
    ) -> list[Left] | Awaitable[list[Left]]: ...


@dataclass(slots=True)
class _Counter:
    count: int
    began_at: float
    ends_at: float


class _Memory(Storage, SlidingWindowCounterSupport, TimestampedSlidingWindow):
    """The library's storage, bounded, with the time set from outside."""

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._counters: TLRUCache[str, _Counter] = TLRUCache(
            MOST_COUNTERS, lambda _, counter, __: counter.ends_at, timer=lambda: self.now
        )

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        counter = self._counter(key)
        if counter is None:
            counter = self._counters[key] = _Counter(0, self.now, self.now + expiry)
        counter.count += amount
        return counter.count

    def get(self, key: str) -> int:
        counter = self._counter(key)
        return 0 if counter is None else counter.count

    def get_expiry(self, key: str) -> float:
        counter = self._counter(key)
        return self.now if counter is None else counter.ends_at

    def _counter(self, key: str) -> _Counter | None:
        """A window that begins in the future was begun before the clock was set back: nobody is to wait for it."""
        counter = self._counters.get(key)
        return None if counter is None or counter.began_at - self.now > SET_BACK else counter

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        before, weight, count, _ = self.get_sliding_window(key, expiry)
        if int(before * weight / expiry) + count + amount > limit:
            return False
        self.incr(self.sliding_window_keys(key, expiry, self.now)[1], 2 * expiry, amount)
        return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        before_key, key_now = self.sliding_window_keys(key, expiry, self.now)
        before, into = self.get(before_key), self.now % expiry
        return before, expiry - into if before else 0.0, self.get(key_now), 2 * expiry - into

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        for each in self.sliding_window_keys(key, expiry, self.now):
            self.clear(each)

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        forgotten = len(self._counters)
        self._counters.clear()
        return forgotten

    def clear(self, key: str) -> None:
        self._counters.pop(key, None)


class MemoryCounts:
    """Counts in this process. Several workers count each for itself."""

    def __init__(self, strategy: Strategy, clock: Clock) -> None:
        self._clock = clock
        self._memory = _Memory()
        self._strategy = strategy
        limiter = FixedWindowRateLimiter if strategy == "fixed" else SlidingWindowCounterRateLimiter
        self._limiter = limiter(self._memory)

    def take(self, windows: Sequence[Window], key: tuple[str, ...], now: float, /) -> Taken:
        """Count one request in every window, and what is left; or count nothing, and the window that is full."""
        self._memory.now = now
        for window in windows:
            if not self._limiter.test(window.item, *key):
                return self._left(window, key)
        for window in windows:
            self._limiter.hit(window.item, *key)
        return [self._left(window, key) for window in windows]

    def left(self, windows: Sequence[Window], key: tuple[str, ...], now: float, /) -> list[Left]:
        """What is left, with nothing counted."""
        self._memory.now = now
        return [self._left(window, key) for window in windows]

    async def limits_left(self, provider: str, api: str, client_id: str, tier: Tier, /) -> tuple[LimitLeft, ...]:
        """What is left of the limits of a client's contract, for people."""
        now = max(self._memory.now, self._clock.time())
        left = self.left(windows_of(tier.name, tier.limits), key_of(provider, api, client_id), now)
        return tuple(each.told for each in left)

    def _left(self, window: Window, key: tuple[str, ...]) -> Left:
        if self._strategy == "fixed":
            ends_at, remaining = self._limiter.get_window_stats(window.item, *key)
            # A window that has not begun is whole.
            resets_in = ends_at - self._memory.now if remaining < window.requests else float(window.seconds)
            return Left(window, remaining, resets_in)
        before, weight, count, _ = self._memory.get_sliding_window(window.item.key_for(*key), window.seconds)
        remaining = max(0, window.requests - int(before * weight / window.seconds) - count)
        return Left(window, remaining, _sliding_reset(window, before, count, self._memory.now))


def _sliding_reset(window: Window, before: int, count: int, now: float) -> float:
    """Seconds until one more request fits: with time the window before weighs less, or this one becomes the one
    before.
    """
    into, room = now % window.seconds, window.requests - count
    rest = window.seconds - into
    if room > 0:
        # before * (seconds - into) / seconds has to fall below `room`.
        fits_at = window.seconds - room * window.seconds / before if before else 0.0
        return max(0.0, min(rest, fits_at - into + MOMENT))
    # After the turn, count * (seconds - t) / seconds has to fall below the limit.
    return rest + max(0.0, window.seconds - window.requests * window.seconds / count) + MOMENT
