"""Notices on their way: a bounded queue for each channel, which nobody waits for."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TypeAlias

import stamina

from gateway.clients.mail import open_mail
from gateway.clients.notices import Channel, Notice, Undeliverable
from gateway.clients.options import Mail, Webhook
from gateway.clients.webhook import open_webhook
from gateway.policy import Unavailable
from gateway.ports import Clock, Fetch, Metrics
from gateway.providers import Transport
from gateway.tasks import Tasks

log = logging.getLogger(__name__)

OpenFetch: TypeAlias = Callable[[Transport], AbstractAsyncContextManager[Fetch]]
ROOM = 1_000
"""Notices that wait for one channel at most."""
LINGER = 5.0
"""Seconds that the last notices have when the gateway ends."""
TRY_FOR = 300.0
"""Seconds after which a notice is given up, however many tries are left."""


class Postbox:
    """Takes notices for one channel at once, and delivers them one after the other. A full one drops, and counts."""

    def __init__(self, channel: Channel, metrics: Metrics, room: int = ROOM) -> None:
        self._channel = channel
        self._waiting: asyncio.Queue[Notice] = asyncio.Queue(room)
        self._counts = {
            outcome: metrics.counter(
                "notices", "Notices by what became of them.", channel=channel.name, outcome=outcome
            )
            for outcome in ("sent", "failed", "dropped")
        }

    def put(self, notice: Notice) -> None:
        """Never waits and never fails."""
        try:
            self._waiting.put_nowait(notice)
        except asyncio.QueueFull:
            self._counts["dropped"].inc()

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            notice = await self._waiting.get()
            outcome = "dropped"
            try:
                outcome = await self._deliver(notice)
            finally:
                self._counts[outcome].inc()
                self._waiting.task_done()

    async def until_empty(self) -> None:
        """Wait until everything was delivered, or given up."""
        await self._waiting.join()

    def drop_all(self) -> None:
        """Count what will not be delivered any more."""
        self._counts["dropped"].inc(self._waiting.qsize())

    async def _deliver(self, notice: Notice) -> str:
        try:
            await self._try(notice)
        except (Unavailable, Undeliverable) as error:
            log.warning("a notice (%s) was not delivered by %s: %s", notice.verb, self._channel.name, error)
            return "failed"
        except Exception:
            # A fault of ours in one notice must not keep the others from their way.
            log.exception("a notice (%s) cannot be written for %s", notice.verb, self._channel.name)
            return "failed"
        return "sent"

    async def _try(self, notice: Notice) -> None:
        trying = stamina.retry_context(
            on=Unavailable, attempts=self._channel.attempts, timeout=TRY_FOR, wait_initial=1.0, wait_max=60.0
        )
        async for attempt in trying:
            with attempt:
                await self._channel.send(notice)


class Notices:
    """Hands each notice to every channel."""

    def __init__(self, *postboxes: Postbox) -> None:
        self._postboxes = postboxes

    def __call__(self, notice: Notice) -> None:
        for postbox in self._postboxes:
            postbox.put(notice)

    async def until_empty(self) -> None:
        """Wait until every notice was delivered, or given up."""
        for postbox in self._postboxes:
            await postbox.until_empty()

    async def close(self) -> None:
        """Wait for what is on its way, but not long; count what did not make it."""
        try:
            async with asyncio.timeout(LINGER):
                await self.until_empty()
        except TimeoutError:
            for postbox in self._postboxes:
                postbox.drop_all()


@asynccontextmanager
async def open_notices(
    mail: Mail | None, webhook: Webhook | None, open_fetch: OpenFetch, clock: Clock, metrics: Metrics
) -> AsyncIterator[Notices]:
    """Notices that go out until the end of the block, and a few seconds more.

    Raises OSError when a file of the options cannot be read.
    """
    async with AsyncExitStack() as stack:
        channels: list[Channel] = []
        if mail is not None:
            channels.append(await open_mail(mail))
        if webhook is not None:
            channels.append(await stack.enter_async_context(open_webhook(webhook, open_fetch, clock)))
        postboxes = [Postbox(channel, metrics) for channel in channels]
        tasks = Tasks()
        stack.push_async_callback(tasks.close)
        for postbox in postboxes:
            tasks.start(postbox.run())
        notices = Notices(*postboxes)
        stack.push_async_callback(notices.close)
        yield notices
