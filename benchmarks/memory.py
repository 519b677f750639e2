"""`python -m benchmarks.memory [TOKENS ...]`: what tokens in memory take, and what they make a worker wait for.

Each number of tokens is tried in a process of its own.
"""

import asyncio
import gc
import os
import sys
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context

from benchmarks.accounting import memory_of
from benchmarks.inside import Inside, client_of, inside, token
from gateway.clock import SystemClock

COUNTS = (10_000, 1_000_000)
USED = 10_000
TRACED = 100_000
"""So many at most are counted by Python: it takes long, and the rest is like them."""
HEAD = """
tokens     bytes each   traced      of it used   MB before   MB after   longest collection   full collection   purge
"""


@dataclass(slots=True)
class Pauses:
    """How long the collector stopped everything, in milliseconds."""

    clock: SystemClock = field(default_factory=SystemClock)
    began: float = 0.0
    longest: float = 0.0

    def __call__(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self.began = self.clock.monotonic()
        else:
            self.longest = max(self.longest, (self.clock.monotonic() - self.began) * 1000)

    @contextmanager
    def watched(self) -> Iterator["Pauses"]:
        """Until the end of the block."""
        gc.callbacks.append(self)
        try:
            yield self
        finally:
            gc.callbacks.remove(self)


def main() -> None:
    counts = [int(argument) for argument in sys.argv[1:]] or list(COUNTS)
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        sys.stdout.write(HEAD.lstrip("\n"))
        for count in counts:
            traced = pool.submit(_traced, min(count, TRACED))
            sys.stdout.write(f"{pool.submit(_line, count).result().format(traced=traced.result())}\n")
            sys.stdout.flush()


def _line(count: int) -> str:
    return asyncio.run(_measured(count))


async def _measured(count: int) -> str:
    async with inside(count) as route:
        await _settled(route)
        before = memory_of(os.getpid())
        with Pauses().watched() as pauses:
            await route.learn(range(count))
        gc.collect()
        learned = memory_of(os.getpid())
        _use(route, count)
        gc.collect()
        after = memory_of(os.getpid())
        full = _milliseconds(lambda: gc.collect())
        began = route.clock.monotonic()
        assert await route.purge(client_of(7)) == count // 100
        purge = (route.clock.monotonic() - began) * 1000
        each, used = (learned - before) * 2**20 / count, (after - learned) * 2**20 / min(count, USED)
        return (
            f"{count:<10,} {each:<12,.0f} {{traced:<11,.0f}} {used:<+12,.0f} {before:<11,.0f} {after:<10,.0f} "
            f"{pauses.longest:<20,.1f} {full:<17,.1f} {purge:,.1f}"
        )


def _traced(count: int) -> float:
    """The bytes that Python allocated for each."""

    async def allocated() -> float:
        async with inside(count) as route:
            await _settled(route)
            tracemalloc.start()
            await route.learn(range(count))
            gc.collect()
            return tracemalloc.get_traced_memory()[0] / count

    return asyncio.run(allocated())


async def _settled(route: Inside) -> None:
    """Do everything once, so that only tokens come after this."""
    await route.learn([0])
    route.remembered(route.request(token(0)))
    await route.purge()
    gc.collect()


def _use(route: Inside, count: int) -> None:
    for number in range(max(0, count - USED), count):
        route.remembered(route.request(token(number)))


def _milliseconds(act: "object") -> float:
    clock = SystemClock()
    began = clock.monotonic()
    assert callable(act)
    act()
    return (clock.monotonic() - began) * 1000


if __name__ == "__main__":
    main()
