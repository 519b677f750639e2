"""`python -m benchmarks.soak --minutes 30`: exit code 1 for a wrong verdict, or for whatever grows."""

import argparse
import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.accounting import Snapshot
from benchmarks.processes import StartError
from benchmarks.soak.health import Health, complaints, slope
from benchmarks.soak.load import MOST_TOLD, Load
from benchmarks.soak.oracle import Oracle
from benchmarks.soak.world import Upstream, World, world
from gateway.descriptors import raise_limit

CONNECTIONS = 16
SAMPLES = 120
"""In a run, but not more often than once a second."""
TRIAL = 3.0
"""Seconds in which the capacity is found out."""


@dataclass(slots=True)
class Soak:
    """A run and what is known of it."""

    it: World
    load: Load
    seconds: float
    samples: list[Health] = field(default_factory=list)

    async def run(self) -> None:
        """At half of what it can do."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.load.run(CONNECTIONS))
            capacity = await self._capacity()
            self.load.rate = capacity / 2
            say(f"capacity is about {capacity:.0f} requests a second; going on with {self.load.rate:.0f}")
            renewing = group.create_task(self._renew())
            await self._watch()
            renewing.cancel()
            self.load.ends = True

    async def _capacity(self) -> float:
        """Requests a second at which it would use all of a core."""
        pid = self.it.gateway.pid
        self.load.rate = 500
        await asyncio.sleep(TRIAL / 2)
        before, asked, began = Snapshot.take().cpu(pid), self.load.answered, time.monotonic()
        await asyncio.sleep(TRIAL)
        used = (Snapshot.take().cpu(pid) - before).total
        return (self.load.answered - asked) / max(used, 0.01) * min(1.0, TRIAL / (time.monotonic() - began))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            self.load.oracle.renew()

    async def _watch(self) -> None:
        began, every = time.monotonic(), max(1.0, self.seconds / SAMPLES)
        while (at := time.monotonic() - began) < self.seconds:
            sample = await asyncio.to_thread(Health.of, self.it.gateway.pid, self.it.admin, at)
            self.samples.append(sample)
            say(
                f"{at:7.0f} s  {self.load.answered:9,} answers  {len(self.load.wrong)} wrong  {self.load.lost} lost  "
                f"{sample.rss:6.1f} MB  {sample.descriptors} descriptors  {sample.tasks} tasks"
            )
            await asyncio.sleep(every)

    def verdict(self) -> list[str]:
        """What went wrong."""
        found = (
            [f"{len(self.load.wrong)} wrong verdicts, such as {self.load.wrong[:MOST_TOLD]}"] if self.load.wrong else []
        )
        found += [f"{self.load.lost} requests were lost"] if self.load.lost else []
        if Upstream.unwanted:
            found.append(f"{Upstream.unwanted} requests with a bad token arrived at the upstream")
        if Upstream.seen != self.load.passed:
            found.append(f"the upstream saw {Upstream.seen} requests, and {self.load.passed} were let through")
        return found + complaints(self.samples)


async def soak(seconds: float, seed: int) -> int:
    """The exit code."""
    cores = sorted(os.sched_getaffinity(0))
    async with world(str(cores[-1])) as it:
        run = Soak(it, Load(Oracle(it.provider, seed), it.port), seconds)
        await run.run()
        for (kind, status), count in sorted(run.load.kinds.items()):
            say(f"{kind:15}{status}{count:10,}")
        say(f"memory after warm-up: {slope(run.samples):+.2f} MB an hour by its slope")
        found = run.verdict()
    for complaint in found:
        say(f"FAILED: {complaint}")
    if not found:
        say(f"passed: {run.load.answered:,} verdicts were right, and nothing grows")
    return 1 if found else 0


def say(text: str) -> None:
    """At once, also into a pipe."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run with the options of the command line."""
    options = parse()
    raise_limit()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    say(f"seed {options.seed}")
    try:
        return asyncio.run(soak(options.minutes * 60, options.seed))
    except StartError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read them; mistakes, and `--help`, end the program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description="Soak a gateway on this machine.")
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N", help="how long (30)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), metavar="N", help="of an earlier run")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
