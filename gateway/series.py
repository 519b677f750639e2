"""Counters, gauges and histograms as plain numbers; prometheus-client reads them when somebody asks.

Its own children lock on every call, which costs several times as much as the addition. All of these are written by the
event loop's thread alone and are read there too, so nothing needs a lock.
"""

from bisect import bisect_left
from itertools import accumulate

from prometheus_client.utils import floatToGoString

SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Upper bounds of a histogram's buckets: from a decision in memory to an upstream that gives up."""


class Count:
    """A number that only grows."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1, /) -> None:
        """Raises ValueError for an amount below zero."""
        if amount < 0:
            raise ValueError("a counter only grows")
        self.value += amount


class Level:
    """A number that is set."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def set(self, value: float, /) -> None:
        self.value = value


class Distribution:
    """How often values fell where: one count for each bound of `SECONDS`, and one for what lies above."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0

    def observe(self, value: float, /) -> None:
        # A bucket's bound belongs to the bucket (`le`), hence the left side.
        self.counts[bisect_left(SECONDS, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Bounds as Prometheus writes them, and how many values were not above each."""
        bounds = (*SECONDS, float("inf"))
        return [(_go(bound), count) for bound, count in zip(bounds, accumulate(self.counts), strict=True)]


def _go(bound: float) -> str:
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]  # prometheus-client types its public part only
