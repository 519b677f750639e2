"""The processes of a gateway, told apart: connections that stay with one worker, and workers that stand still."""

import os
import signal
from collections.abc import AsyncIterator, Container, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import aiohttp

from tests.end_to_end.sites import PATIENT
from tests.gateways import Caller, Program


def workers(gateway: Program) -> list[int]:
    """The processes that serve callers: the one there is, or all but the admin process, which is forked first."""
    return gateway.family()[1:] or [gateway.process.pid]


def administrator(gateway: Program) -> int:
    """The process that has the portal."""
    return (gateway.family() or [gateway.process.pid])[0]


@contextmanager
def standing_still(processes: Sequence[int]) -> Iterator[None]:
    """These do nothing during the block."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


@asynccontextmanager
async def one_connection_each(gateway: Program, expected: Container[int] = (401,)) -> AsyncIterator[list[Caller]]:
    """A caller for each worker, on a connection that this worker has accepted and keeps.

    `expected`: the statuses that it may answer a call without a token with.
    """
    everybody = workers(gateway)
    async with AsyncExitStack() as stack:
        callers = []
        for one in everybody:
            connector = aiohttp.TCPConnector(limit=1, keepalive_timeout=600)
            session = aiohttp.ClientSession(connector=connector, timeout=PATIENT)
            caller = Caller(await stack.enter_async_context(session), gateway.caller.port)
            with standing_still([each for each in everybody if each != one]):
                assert await caller.get("/orders") in expected
            callers.append(caller)
        yield callers
