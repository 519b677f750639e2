"""Small true implementations of the ports, for tests."""

from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

T = TypeVar("T")

NOON = 1_795_435_200.0
"""A noon in November 2026, in seconds since the epoch."""


class FakeClock:
    """A `Clock` that stands still until it is moved."""

    def __init__(self, time: float = NOON, monotonic: float = 1_000.0) -> None:
        self._time = time
        self._monotonic = monotonic

    def time(self) -> float:
        return self._time

    def monotonic(self) -> float:
        return self._monotonic

    def move(self, seconds: float) -> None:
        """Let that much time pass."""
        self._time += seconds
        self._monotonic += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP does; no time passes."""
        self._time += seconds


class Series:
    """One series of `FakeMetrics`: a counter, a gauge and a histogram in one."""

    def __init__(self) -> None:
        self.value = 0.0
        self.observed: list[float] = []

    def inc(self, amount: float = 1, /) -> None:
        self.value += amount

    def set(self, value: float, /) -> None:
        self.value = value

    def observe(self, value: float, /) -> None:
        self.observed.append(value)


class FakeMetrics:
    """`Metrics` that can be looked into: `metrics["name", "label=value", …]`, labels in alphabetical order."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, ...], Series] = {}

    def __getitem__(self, key: str | tuple[str, ...]) -> Series:
        return self.series.setdefault((key,) if isinstance(key, str) else key, Series())

    def _get(self, name: str, labels: dict[str, str]) -> Series:
        return self[(name, *(f"{label}={value}" for label, value in sorted(labels.items())))]

    def counter(self, name: str, description: str, /, **labels: str) -> Series:
        return self._get(name, labels)

    def gauge(self, name: str, description: str, /, **labels: str) -> Series:
        return self._get(name, labels)

    def histogram(self, name: str, description: str, /, **labels: str) -> Series:
        return self._get(name, labels)


class FakeSharing:
    """Opens a new object for each call and closes it at the end: nothing is kept between policies."""

    def __init__(self) -> None:
        self.opened: dict[Hashable, AbstractAsyncContextManager[object]] = {}

    async def __call__(self, key: Hashable, make: Callable[[], AbstractAsyncContextManager[T]], /) -> T:
        opening = make()
        self.opened[key] = opening
        return await opening.__aenter__()

    async def close(self) -> None:
        for opening in self.opened.values():
            await opening.__aexit__(None, None, None)


@asynccontextmanager
async def closing(sharing: FakeSharing) -> AsyncIterator[FakeSharing]:
    """Close what was shared at the end of the block."""
    try:
        yield sharing
    finally:
        await sharing.close()
