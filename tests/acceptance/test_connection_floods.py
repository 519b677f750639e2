"""C259 and C268: more connections than there is room for cost those who are there nothing, and pass."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.accounting import Snapshot
from benchmarks.callers import Outcome, quantile
from gateway.descriptors import RESERVE
from gateway.tasks import Tasks
from tests.gateways import Program, configuration, program, until
from tests.servers import RawCaller, RecordingUpstream, recording_upstream, request

NOBODY = "http://127.0.0.1:9"
GET = request("GET", "/public")
BODY = b"half of it"
UPLOAD = request("POST", "/public", f"Content-Length: {2 * len(BODY)}")
DESCRIPTORS = 256


def open_descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


async def busy(pid: int, seconds: float) -> float:
    """The share of one core that a process uses meanwhile."""
    before, began = Snapshot.take().cpu(pid), time.monotonic()
    await asyncio.sleep(seconds)
    return (Snapshot.take().cpu(pid) - before).total / (time.monotonic() - began)


async def uploads(gateway: Program, upstream: RecordingUpstream, count: int) -> list[RawCaller]:
    """Requests whose body has arrived by half."""
    callers = [await gateway.caller.raw() for _ in range(count)]
    for caller in callers:
        caller.send(UPLOAD + BODY)
    await upstream.until(lambda it: len(it.requests) >= count)
    return callers


@pytest.mark.case("C259")
async def test_without_descriptors_callers_wait_and_nobody_under_way_notices(tmp_path: Path) -> None:
    async with recording_upstream() as upstream:
        config = configuration(NOBODY, upstream.url)
        async with program(config, tmp_path, through=("prlimit", f"--nofile={DESCRIPTORS}")) as gateway:
            pid = gateway.process.pid
            under_way = await uploads(gateway, upstream, 20)
            crowd = [await gateway.caller.raw() for _ in range(600)]
            late = await gateway.caller.raw()
            late.send(GET)

            async def is_full() -> bool:
                return await gateway.operator.metric("tokenward_connections") == (DESCRIPTORS - RESERVE) // 2

            await until(is_full)
            assert await busy(pid, 1) < 0.5
            assert open_descriptors(pid) < DESCRIPTORS
            with pytest.raises(TimeoutError):
                await late.reply(timeout=0.1)
            for caller in under_way:
                caller.send(BODY)
            assert [(await caller.reply()).status for caller in under_way] == [200] * len(under_way)
            assert await gateway.operator.readiness() == "ready"
            for caller in crowd:
                caller.close()
            assert (await late.reply(timeout=5)).status == 200
            assert await gateway.caller.get("/public") == 200
            assert gateway.process.returncode is None
            assert gateway.stderr.count("no room for another connection") == 1
            assert "Traceback" not in gateway.stderr


# Floods


FLOOD = """
import os, resource, socket, sys, time
os.nice(19)
port, count, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
end, held, opened = time.monotonic() + seconds, [], 0
while time.monotonic() < end:
    if len(held) >= count:
        for each in held[:100]:
            each.close()
        del held[:100]
        time.sleep(0.01)
    each = socket.socket()
    each.setblocking(False)
    each.connect_ex(("127.0.0.1", port))
    held.append(each)
    opened += 1
print(opened)
"""
"""Opens connections as fast as it can, and keeps more of them than the backlog takes."""


@dataclass
class Established:
    """Callers who keep their connections, and what they got."""

    gateway: Program
    callers: list[RawCaller]
    outcomes: list[Outcome] = field(default_factory=list)
    ends: bool = False

    async def ask(self, caller: RawCaller) -> None:
        while not self.ends:
            began = time.monotonic()
            caller.send(GET)
            reply = await caller.reply(timeout=10)
            self.outcomes.append(Outcome(began, time.monotonic(), reply.status))
            await asyncio.sleep(0.01)

    def taken(self) -> list[Outcome]:
        """What came since the last time."""
        outcomes, self.outcomes = self.outcomes, []
        return outcomes


@asynccontextmanager
async def established(gateway: Program, count: int = 8) -> AsyncIterator[Established]:
    """Callers that ask now and then while the block runs; none may lose its connection."""
    connections = [
        await asyncio.open_connection("127.0.0.1", gateway.caller.port, local_addr=("127.0.0.2", 0))
        for _ in range(count)
    ]
    it, tasks = Established(gateway, [RawCaller(*each) for each in connections]), Tasks()
    asking = [tasks.start(it.ask(caller)) for caller in it.callers]
    try:
        yield it
        it.ends = True
        await asyncio.gather(*asking)
    finally:
        await tasks.close()
        for caller in it.callers:
            caller.close()


@pytest.mark.case("C268")
@pytest.mark.parametrize(
    "limits", [{"connections": 64}, {"connections_per_address": 64}, {}], ids=["all", "each", "none"]
)
async def test_a_flood_of_connections_costs_those_who_are_there_nothing(limits: dict[str, int], tmp_path: Path) -> None:
    async with recording_upstream() as upstream:
        config = configuration(NOBODY, upstream.url, limits=limits)
        async with program(config, tmp_path) as gateway, established(gateway) as callers:
            await asyncio.sleep(1)
            calm = callers.taken()
            flood = await asyncio.create_subprocess_exec(
                sys.executable, "-c", FLOOD, str(gateway.caller.port), "6000", "2", stdout=asyncio.subprocess.PIPE
            )
            opened, _ = await flood.communicate()
            during = callers.taken()
            assert int(opened) > 6000
            assert {outcome.status for outcome in calm + during} == {200}
            assert len(during) > len(calm) / 2
            # A new connection takes its part of the processor; nobody must have to wait for many of them.
            assert quantile(during, 0.99) < 20 * quantile(calm, 0.99) + 50
            refused = await gateway.operator.metric("tokenward_connections_refused_total")
            pauses = await gateway.operator.metric("tokenward_accept_pauses_total")
            assert (refused > 0, pauses > 0) == ("connections_per_address" in limits, "connections" in limits)
