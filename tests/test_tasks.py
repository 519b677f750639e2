"""Background tasks have an owner and an end."""

import asyncio
import logging

import pytest

from gateway.policy import Unavailable
from gateway.tasks import Tasks


async def forever() -> None:
    await asyncio.Event().wait()


async def fails(error: Exception) -> None:
    raise error


async def test_a_task_gives_its_result() -> None:
    async def answer() -> int:
        return 42

    assert await Tasks().start(answer()) == 42


async def test_closing_cancels_what_still_runs_and_waits_for_it() -> None:
    ended = asyncio.Event()

    async def cleans_up() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            ended.set()

    tasks = Tasks()
    task = tasks.start(cleans_up())
    await asyncio.sleep(0)
    await tasks.close()
    assert task.cancelled()
    assert ended.is_set()


async def test_nothing_starts_once_the_owner_is_closed() -> None:
    tasks = Tasks()
    await tasks.close()
    with pytest.raises(RuntimeError):
        tasks.start(forever())


async def test_a_failing_task_does_not_take_its_siblings_along(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()
    sibling = tasks.start(forever())
    failing = tasks.start(fails(ValueError("a bug")))
    await asyncio.wait([failing])
    await asyncio.sleep(0)
    assert not sibling.done()
    await tasks.close()


async def test_a_failure_nobody_waits_for_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    await asyncio.wait([Tasks().start(fails(ValueError("a bug")))])
    await asyncio.sleep(0)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_that_a_provider_is_unavailable_is_no_bug_and_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    await asyncio.wait([Tasks().start(fails(Unavailable("idp is down")))])
    await asyncio.sleep(0)
    assert caplog.records == []
