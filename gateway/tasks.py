"""Background tasks with an owner and an end: the one place that makes them."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from gateway.policy import Unavailable

T = TypeVar("T")
log = logging.getLogger(__name__)


class Tasks:
    """The tasks of one owner. `close` cancels what still runs and waits for it.

    Unlike a `TaskGroup`, one that fails does not take its siblings along: a provider that cannot be refreshed must
    not stop another.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` beside everything else; raises RuntimeError once the owner is closed."""
        if self._closed:
            work.close()
            raise RuntimeError("these tasks have ended")
        task = asyncio.create_task(work)  # noqa: TID251 - this is the one place
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel what still runs, and wait for it."""
        self._closed = True
        running = tuple(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, Unavailable):
            log.error("a background task failed", exc_info=error)
