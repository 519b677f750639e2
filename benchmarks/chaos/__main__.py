"""`python -m benchmarks.chaos --minutes 30`: exit code 1 for a wrong verdict, or a fault that is felt for too long."""

import argparse
import asyncio
import os
import random
import secrets
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.chaos.phases import LOST, SCHEDULE, Phase, Scene
from benchmarks.processes import StartError
from benchmarks.soak.__main__ import say
from benchmarks.soak.load import MOST_TOLD, Load
from benchmarks.soak.oracle import Oracle
from benchmarks.soak.world import Upstream, World, world
from gateway.descriptors import raise_limit

CONNECTIONS = 16
RATE = 400.0
RECOVERY = 10.0
"""Seconds after a fault in which it may still be felt."""
STRICT = 5.0
"""Seconds after these, in which everything has to be as it was."""
SHORTEST = 5.0


@dataclass(slots=True)
class Chaos:
    """A run."""

    it: World
    load: Load
    random: random.Random
    failed: list[str] = field(default_factory=list)

    async def run(self, phases: Sequence[Phase], lasts: float) -> None:
        """One phase after the other; at the end, the gateway is told to end under load."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.load.run(CONNECTIONS))
            renewing = group.create_task(self._renew())
            await asyncio.sleep(SHORTEST)
            for phase in phases:
                await self._go_through(phase, lasts)
            renewing.cancel()
            self.load.allows = LOST
            await asyncio.to_thread(self.it.gateway.end)
            self.load.ends = True
        if self.it.gateway.process.returncode != 0:
            self.failed.append(f"the gateway ended with {self.it.gateway.process.returncode}")

    async def _go_through(self, phase: Phase, lasts: float) -> None:
        wrong, lost = len(self.load.wrong), self.load.lost
        answered, excused = self.load.answered, self.load.excused
        oracle = self.load.oracle
        oracle.is_outage, self.load.allows = phase.is_outage, phase.excuses
        async with phase.does(Scene(self.it, self.load, self.random)):
            await asyncio.sleep(lasts)
        await asyncio.sleep(RECOVERY)
        # Two steps: a question that was asked under an excuse has it until it is answered.
        oracle.is_outage, self.load.allows = False, frozenset()
        await asyncio.sleep(STRICT)
        wrong, lost, excused = len(self.load.wrong) - wrong, self.load.lost - lost, self.load.excused - excused
        counts = f"{self.load.answered - answered:9,} answers {excused:6,} excused  {wrong} wrong  {lost} lost"
        say(f"{phase.name:35}{counts}")
        if self.load.answered == answered:
            self.failed.append(f"{phase.name}: nothing was answered")

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            self.load.oracle.renew()


async def chaos(minutes: float, seed: int, *, shuffle: bool) -> int:
    """The exit code."""
    dice = random.Random(seed)  # noqa: S311 - for a run that can be had again
    phases = dice.sample(SCHEDULE, len(SCHEDULE)) if shuffle else SCHEDULE
    lasts = max(SHORTEST, minutes * 60 / len(phases) - RECOVERY - STRICT)
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    async with world(cores, workers=2) as it:
        run = Chaos(it, Load(Oracle(it.provider, seed), it.port, RATE), dice)
        await run.run(phases, lasts)
    found = run.failed
    found += [f"{len(run.load.wrong)} wrong verdicts, such as {run.load.wrong[:MOST_TOLD]}"] if run.load.wrong else []
    found += [f"{run.load.lost} requests were lost beyond what was declared"] if run.load.lost else []
    found += [f"{Upstream.unwanted} requests with a bad token arrived at the upstream"] if Upstream.unwanted else []
    for complaint in found:
        say(f"FAILED: {complaint}")
    if not found:
        say(f"passed: {run.load.answered:,} verdicts were right")
    return 1 if found else 0


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read them; mistakes, and `--help`, end the program."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description="Faults beside a steady load.")
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N", help="how long in all, 6 at least (30)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), metavar="N", help="of an earlier run")
    parser.add_argument("--shuffle", action="store_true", help="the faults in an order that the seed decides")
    return parser.parse_args(arguments)


def main() -> int:
    """Run with the options of the command line."""
    options = parse()
    raise_limit()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    say(f"seed {options.seed}")
    try:
        return asyncio.run(chaos(options.minutes, options.seed, shuffle=options.shuffle))
    except StartError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
