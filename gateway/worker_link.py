"""How the processes of one gateway talk: a worker answers what the fleet asks, over a pair of sockets.

Every child also holds a *line* to its supervisor. Over it come the sockets to talk over, and its end means that the
supervisor is gone. Nothing here has a name in a file system or a network: it works on a read-only root, and nobody else
can connect to it.
"""

import asyncio
import json
import logging
import os
import signal
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.clients.catalogue import LimitLeft
from gateway.operations import Operations, Readiness, ReloadResult, RouteView, Whose
from gateway.providers.status import ProviderStatus
from gateway.tasks import Tasks

log = logging.getLogger(__name__)

WHOSE = TypeAdapter(Whose)

STARTED = b"started"
"""Worker to supervisor: it serves."""
DRAIN = b"drain"
"""Supervisor to fleet: the workers finish what they have and end."""
REREAD = b"reread"
"""Supervisor to fleet: the workers were told to read the configuration again."""
END = b"end"
"""Supervisor to fleet: the workers have ended."""
HELD_BACK = (signal.SIGTERM, signal.SIGHUP)
"""Blocked in a worker until it can do what they ask; the kernel keeps them until then."""

_MOST_BYTES = 64 * 1024 * 1024
_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Question:
    """Something to ask a worker, how its answer is written, and how long it may take in seconds."""

    name: str
    answer: TypeAdapter[Any]
    ask: Callable[[Operations, str | None], Awaitable[Any]]
    patience: float = 2.0


READY = Question("ready", TypeAdapter(Readiness), lambda worker, _: worker.ready())
PROVIDERS = Question("providers", TypeAdapter(tuple[ProviderStatus, ...]), lambda worker, _: worker.providers())
ROUTES = Question("routes", TypeAdapter(tuple[RouteView, ...]), lambda worker, _: worker.routes())
RELOAD = Question("reload", TypeAdapter(ReloadResult), lambda worker, _: worker.reload(), patience=30.0)
PURGE = Question("purge", TypeAdapter(int), lambda worker, client_id: worker.purge(client_id), patience=10.0)
CONTRACTS = Question("contracts", TypeAdapter(bool), lambda worker, _: worker.refresh_contracts(), patience=10.0)
LEFT = Question(
    "limits_left",
    TypeAdapter(tuple[LimitLeft, ...]),
    lambda worker, about: worker.limits_left(WHOSE.validate_json(about or "")),
)
METRICS = Question("metrics", TypeAdapter(str), lambda worker, _: worker.metrics_text())
QUESTIONS = {
    question.name: question for question in (READY, PROVIDERS, ROUTES, RELOAD, PURGE, CONTRACTS, LEFT, METRICS)
}


class Line:
    """A child's end of the line to its supervisor."""

    def __init__(self, line: socket.socket) -> None:
        line.setblocking(False)
        self._line = line

    def say(self, message: bytes) -> None:
        """Tell the supervisor; nothing where it is gone."""
        try:
            self._line.send(message)
        except OSError:
            log.debug("the supervisor is gone")

    def listen(self, heard: Callable[[bytes, socket.socket | None], None]) -> None:
        """Call `heard` with each message and the socket that came with it; an empty message is the supervisor's end."""
        asyncio.get_running_loop().add_reader(self._line, self._receive, heard)

    def close(self) -> None:
        """Listen no more."""
        asyncio.get_running_loop().remove_reader(self._line)
        self._line.close()

    def _receive(self, heard: Callable[[bytes, socket.socket | None], None]) -> None:
        try:
            message, sockets, _, _ = socket.recv_fds(self._line, 64, 1, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            message, sockets = b"", []
        if not message:
            asyncio.get_running_loop().remove_reader(self._line)
        heard(message, socket.socket(fileno=sockets[0]) if sockets else None)


class WorkerLink:
    """What a worker knows of the other processes."""

    def __init__(self, number: int, line: socket.socket) -> None:
        self.number = number
        """Of this worker; its replacement has another one."""
        self._line = Line(line)
        self._tasks = Tasks()
        self._writers: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def serving(self, operations: Operations) -> AsyncIterator[None]:
        """Enter once the listeners accept and SIGTERM (drain) and SIGHUP (reload) are handled.

        Those two are blocked in a new worker and let through from here on. SIGTERM may come more than once: the second
        is not a reason to hurry, the supervisor sends SIGKILL. It also comes when the supervisor is gone. SIGINT never
        comes. While the block runs, `operations` answers for this worker; at its end the last metrics are handed over.
        """
        self._line.listen(lambda message, channel: self._heard(message, channel, operations))
        self._line.say(STARTED)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)
        try:
            yield
        finally:
            await self._say_farewell(operations)
            self._line.close()
            await self._tasks.close()

    def _heard(self, message: bytes, channel: socket.socket | None, operations: Operations) -> None:
        if channel is not None:
            self._tasks.start(self._answer_all(channel, operations))
        elif not message:
            log.error("the supervisor is gone: this worker finishes what it has and ends")
            os.kill(os.getpid(), signal.SIGTERM)

    async def _answer_all(self, channel: socket.socket, operations: Operations) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=channel)
        self._writers.add(writer)
        try:
            while (question := await read_frame(reader)) is not None:
                self._tasks.start(_answer(question, operations, writer))
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _say_farewell(self, operations: Operations) -> None:
        try:
            last = {"metrics": await operations.metrics_text()}
            async with asyncio.timeout(METRICS.patience):
                await asyncio.gather(*(_send_last(writer, last) for writer in self._writers))
        except Exception:  # a worker that has finished its requests does not fail for want of a listener
            log.warning("the last metrics of this worker were not handed over", exc_info=True)


async def _send_last(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    write_frame(writer, message)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def _answer(asked: dict[str, Any], operations: Operations, writer: asyncio.StreamWriter) -> None:
    reply: dict[str, Any] = {"id": asked["id"]}
    try:
        question = QUESTIONS[asked["question"]]
        answer = await question.ask(operations, asked.get("about"))
        name = "metrics" if question is METRICS else "answer"
        reply[name] = question.answer.dump_python(answer, mode="json")
    except Exception:  # whoever asks must not wait for an answer that does not come
        log.exception("a question of the fleet could not be answered")
    write_frame(writer, reply)


async def read_frame(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next message; None at the end, however it came about."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > _MOST_BYTES:
            return None
        message = json.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, OSError, ValueError):
        return None
    return message if isinstance(message, dict) else None


def write_frame(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    """Send a message: four bytes of length, then JSON."""
    body = json.dumps(message).encode()
    writer.write(_LENGTH.pack(len(body)) + body)


def understood(question: Question, reply: dict[str, Any]) -> Any | None:
    """The answer in a reply; None where there is none, or not one of that kind."""
    try:
        return question.answer.validate_python(reply["answer"])
    except (KeyError, ValidationError):
        return None
