"""The workers of one gateway, seen from the process that has the admin listener: it asks each and answers for all."""

import asyncio
import itertools
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from gateway.clients.catalogue import LimitLeft, least
from gateway.metrics_merge import Ledger
from gateway.operations import Readiness, ReloadResult, RouteView, Whose
from gateway.providers.status import ProviderState, ProviderStatus
from gateway.tasks import Tasks
from gateway.worker_link import (
    CONTRACTS,
    DRAIN,
    END,
    LEFT,
    METRICS,
    PROVIDERS,
    PURGE,
    READY,
    RELOAD,
    REREAD,
    ROUTES,
    WHOSE,
    Line,
    Question,
    read_frame,
    understood,
    write_frame,
)

log = logging.getLogger(__name__)

OURSELVES = 0
"""Where workers have their numbers, which begin at one."""
_WORST_FIRST = (ProviderState.FAILING, ProviderState.STARTING, ProviderState.READY)


class Fleet:
    """All workers as one. Implements `gateway.operations.Operations`.

    A worker that does not answer in time is left out: a sick one does not hide what the others say.
    """

    def __init__(self) -> None:
        self.drains = False
        self.reloaded: Callable[[], Awaitable[None]] | None = None
        """Called after the workers were told to read the configuration again."""
        self.own_metrics: Callable[[], str] | None = None
        """What this process counts itself, in Prometheus' text format."""
        self._workers: dict[int, _Worker] = {}
        self._ledger = Ledger()

    async def talk(self, number: int, channel: socket.socket) -> None:
        """Keep in touch with a worker until it ends."""
        reader, writer = await asyncio.open_unix_connection(sock=channel)
        worker = self._workers[number] = _Worker(writer)
        try:
            while (message := await read_frame(reader)) is not None:
                # Noted as they come, the last ones unasked: an older answer must not replace a newer one.
                if "metrics" in message:
                    self._note(number, message["metrics"])
                worker.replied(message)
        finally:
            del self._workers[number]
            self._ledger.retire(number)
            worker.ended()

    async def ready(self) -> Readiness:
        """Ready while at least one worker is, and nobody asked them to end."""
        if self.drains:
            return Readiness(ready=False, reason="draining")
        answers: dict[int, Readiness] = await self._ask_all(READY)
        if not answers:
            return Readiness(ready=False, reason="starting")
        return max(answers.values(), key=lambda readiness: readiness.ready)

    async def providers(self) -> tuple[ProviderStatus, ...]:
        """Each provider as the worker sees it that sees it worst."""
        answers: dict[int, tuple[ProviderStatus, ...]] = await self._ask_all(PROVIDERS)
        worst: dict[str, ProviderStatus] = {}
        for status in itertools.chain.from_iterable(answers.values()):
            known = worst.setdefault(status.name, status)
            if _WORST_FIRST.index(status.state) < _WORST_FIRST.index(known.state):
                worst[status.name] = status
        return tuple(worst.values())

    async def routes(self) -> tuple[RouteView, ...]:
        """What one worker serves; all read the same file."""
        answers: dict[int, tuple[RouteView, ...]] = await self._ask_all(ROUTES)
        return next(iter(answers.values()), ())

    async def reload(self) -> ReloadResult:
        """Succeeds when it did in every worker."""
        asked = set(self._workers)
        answers: dict[int, ReloadResult] = await self._ask_all(RELOAD)
        await self.reread()
        failed = [result for result in answers.values() if not result.succeeded]
        if failed:
            return failed[0]
        # One that ended meanwhile is replaced by one that reads the new file.
        silent = (asked & set(self._workers)) - set(answers)
        if silent or not answers:
            return ReloadResult(succeeded=False, mistakes=("Not every worker answered; ask again.",))
        return ReloadResult(succeeded=True)

    async def reread(self) -> None:
        """What this process itself has of the configuration follows the workers'."""
        if self.reloaded is not None:
            await self.reloaded()

    async def purge(self, client_id: str | None) -> int:
        """The tokens that all workers forgot together."""
        answers: dict[int, int] = await self._ask_all(PURGE, client_id)
        return sum(answers.values())

    async def refresh_contracts(self) -> bool:
        """Whether every worker took over what changed in the store."""
        asked = set(self._workers)
        answers: dict[int, bool] = await self._ask_all(CONTRACTS)
        # One that ended meanwhile is replaced by one that reads the store anew.
        silent = (asked & set(self._workers)) - set(answers)
        return not silent and all(answers.values())

    async def limits_left(self, whose: Whose) -> tuple[LimitLeft, ...]:
        """As the worker says where the least is left: each may count by itself."""
        answers: dict[int, tuple[LimitLeft, ...]] = await self._ask_all(LEFT, WHOSE.dump_json(whose).decode())
        return least(itertools.chain.from_iterable(answers.values()))

    async def metrics_text(self) -> str:
        """All workers' metrics as if of one, with the totals of those that ended."""
        if self.own_metrics is not None:
            self._note(OURSELVES, self.own_metrics())
        await self._ask_all(METRICS)
        return self._ledger.text(len(self._workers))

    async def _ask_all(self, question: Question, about: str | None = None) -> dict[int, Any]:
        asked = tuple(self._workers.items())
        replies = await asyncio.gather(*(worker.ask(question, about) for _, worker in asked))
        answers = {number: understood(question, reply) for (number, _), reply in zip(asked, replies, strict=True)}
        return {number: answer for number, answer in answers.items() if answer is not None}

    def _note(self, number: int, text: str) -> None:
        try:
            self._ledger.update(number, text)
        except ValueError:
            log.exception("worker %d gave metrics that cannot be read", number)


class _Worker:
    """One worker: questions that are under way, by their number."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count()

    async def ask(self, question: Question, about: str | None) -> dict[str, Any]:
        """The reply; an empty one where none came in time."""
        number = next(self._numbers)
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked[number] = reply
        write_frame(self._writer, {"id": number, "question": question.name, "about": about})
        try:
            async with asyncio.timeout(question.patience):
                return await reply
        except TimeoutError:
            return {}
        finally:
            del self._asked[number]

    def replied(self, message: dict[str, Any]) -> None:
        """A reply came, perhaps to a question that was given up."""
        reply = self._asked.get(message.get("id", -1))
        if reply is not None and not reply.done():
            reply.set_result(message)

    def ended(self) -> None:
        """No more replies will come."""
        self._writer.close()
        for reply in self._asked.values():
            if not reply.done():
                reply.set_result({})


class FleetLink:
    """What the process with the admin listener knows of the others."""

    def __init__(self, line: socket.socket) -> None:
        self._line = Line(line)
        self._tasks = Tasks()
        self._fleet = Fleet()
        self._talks = 0
        self._orphaned = False
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Fleet]:
        """The fleet, in touch with its workers while the block runs. Stay in it until `ended` returns."""
        self._line.listen(self._heard)
        try:
            yield self._fleet
        finally:
            self._line.close()
            await self._tasks.close()

    async def ended(self) -> None:
        """Returns when the supervisor says that all workers have ended, or is gone and they are too."""
        await self._ended.wait()

    def _heard(self, message: bytes, channel: socket.socket | None) -> None:
        if channel is not None:
            self._talks += 1
            self._tasks.start(self._talk(int(message), channel))
        elif message == DRAIN:
            self._fleet.drains = True
        elif message == REREAD:
            self._tasks.start(self._fleet.reread())
        elif message == END:
            self._ended.set()
        else:
            self._fleet.drains = self._orphaned = True
            self._end_if_alone()

    async def _talk(self, number: int, channel: socket.socket) -> None:
        try:
            await self._fleet.talk(number, channel)
        finally:
            self._talks -= 1
            self._end_if_alone()

    def _end_if_alone(self) -> None:
        if self._orphaned and not self._talks:
            self._ended.set()
