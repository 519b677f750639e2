"""Callers at a steady pace; what they were answered is compared with what they had to be."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.callers import NO_ANSWER, Caller
from benchmarks.soak.oracle import Oracle

LEAVES_AFTER = 200
"""Requests on one connection."""
MOST_TOLD = 10
"""Wrong verdicts that are told in full."""


@dataclass
class Load:
    """`rate` requests a second over some connections, as far as they are answered."""

    oracle: Oracle
    port: int
    rate: float = float("inf")
    answered: int = 0
    passed: int = 0
    lost: int = 0
    excused: int = 0
    """Answers that were right for the moment only."""
    wrong: list[str] = field(default_factory=list)
    kinds: Counter[tuple[str, int]] = field(default_factory=Counter)
    ends: bool = False
    allows: frozenset[int] = frozenset()
    """Statuses that are right for everybody at this moment, beside those of the oracle."""

    async def run(self, connections: int) -> None:
        """Until it is told to end."""
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(self._call(connections))

    async def _call(self, connections: int) -> None:
        loop = asyncio.get_running_loop()
        caller, due, asked = Caller(self.port), loop.time(), 0
        try:
            while not self.ends:
                await self._ask(caller)
                asked += 1
                if asked % LEAVES_AFTER == 0:
                    caller.close()
                due = max(due + connections / self.rate, loop.time() - 1)
                await asyncio.sleep(max(0.0, due - loop.time()))
        finally:
            caller.close()

    async def _ask(self, caller: Caller) -> None:
        question = self.oracle.ask()
        before = self.allows
        began = self.oracle.clock.time()
        outcome = await caller.ask(question.octets)
        expected = question.expected(began, self.oracle.clock.time())
        right = expected | before | self.allows
        self.answered += 1
        self.passed += outcome.status == 200
        self.kinds[question.kind, outcome.status] += 1
        self.excused += outcome.status in right - expected
        if outcome.status == NO_ANSWER:
            self.lost += NO_ANSWER not in right
        elif outcome.status not in right:
            self.wrong.append(f"{question.kind}: {outcome.status} for {sorted(right)}")
