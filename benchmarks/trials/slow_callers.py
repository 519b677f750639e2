"""Callers that are slow on purpose, beside others that are not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from benchmarks.callers import Connection, Stream, callers, count_of, quantile, repeatedly, request
from benchmarks.scenarios import Check
from benchmarks.testbed import Gateway, Testbed
from benchmarks.trials import Figures, Trial

SENDERS = 200
"""Each sends a byte of its head now and then."""
READERS = 20
"""Each asks for 10 MB, and reads slowly."""
EVERY = 0.5
PIECE = 16_384
BUFFER = 65_536
SECONDS = 5.0
GOOD_CALLERS = 8
PAUSE = 0.002
GOOD = request("/plain/1k")


@dataclass(slots=True)
class Slow:
    """How many are still connected."""

    open: int = 0


async def slow_callers(_: Testbed, gateway: Gateway, __: str) -> Figures:
    """Good traffic alone, then beside the slow ones."""
    calm, meanwhile, slow = Stream(), Stream(), Slow()
    await _good(gateway, calm, SECONDS / 2)
    before = gateway.program.memory()
    async with _slow(gateway.port, slow):
        await asyncio.sleep(EVERY)
        await _good(gateway, meanwhile, SECONDS)
        after, left = gateway.program.memory(), slow.open
    return {
        "calm_rate": len(calm.outcomes) / (SECONDS / 2),
        "rate": len(meanwhile.outcomes) / SECONDS,
        "calm_p99": quantile(calm.outcomes, 0.99),
        "p99": quantile(meanwhile.outcomes, 0.99),
        "wrong": len(meanwhile.outcomes) - count_of(meanwhile.outcomes, 200),
        "memory": after - before,
        "left": left,
    }


async def _good(gateway: Gateway, stream: Stream, seconds: float) -> None:
    async with callers(gateway.port, GOOD_CALLERS) as busy, asyncio.TaskGroup() as group:
        for caller in busy:
            group.create_task(stream.keep_asking(caller, repeatedly(GOOD, every=PAUSE)))
        await asyncio.sleep(seconds)
        stream.enough = True


@contextlib.asynccontextmanager
async def _slow(port: int, slow: Slow) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_send(port, slow)) for _ in range(SENDERS)]
        tasks += [group.create_task(_read(port, slow)) for _ in range(READERS)]
        yield
        for task in tasks:
            task.cancel()


async def _send(port: int, slow: Slow) -> None:
    async with _connection(port, slow) as (_, writer):
        for byte in GOOD:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(EVERY)


async def _read(port: int, slow: Slow) -> None:
    async with _connection(port, slow) as (reader, writer):
        writer.write(request("/plain/10m"))
        while await reader.read(PIECE):
            await asyncio.sleep(EVERY)


@contextlib.asynccontextmanager
async def _connection(port: int, slow: Slow) -> AsyncIterator[Connection]:
    """A connection that counts as long as the gateway keeps it."""
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=BUFFER)
        slow.open += 1
        try:
            yield reader, writer
        finally:
            slow.open -= 1
            writer.transport.abort()


SLOW = Trial(
    name="slow",
    title="200 callers that send a byte in half a second, and 20 that read 32 KB a second, beside 8 good ones",
    check=Check.NOTHING,
    measures={
        "calm_rate": "good ones before, a second",
        "rate": "good ones during, a second",
        "calm_p99": "before: p99, ms",
        "p99": "during: p99, ms",
        "wrong": "good ones: wrong answers",
        "memory": "MB more",
        "left": "slow ones still connected",
    },
    run=slow_callers,
    seconds=SECONDS * 1.5 + 1,
)
