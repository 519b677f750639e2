"""One request to an upstream for whoever awaits it: the answer's head, and its pieces one after the other."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gateway.answer_parser import AnswerHead
from gateway.headers import Lines
from gateway.outgoing import Outgoing, UpstreamFailure
from gateway.tasks import Tasks
from gateway.upstream_connection import UpstreamConnection

CONTINUE_PATIENCE = 1.0
"""Seconds after which a body is sent to an upstream that said nothing about `Expect: 100-continue`.

RFC 9110, 10.1.1: a client "SHOULD NOT wait for an indefinite period before sending the content".
"""
MOST_HELD = 262_144
"""Bytes of an answer's body that wait here for the caller to take them, before the upstream has to wait."""


class UpstreamAnswer:
    """The head of an upstream's answer, and its body as it arrives. The sink of its connection."""

    __slots__ = (
        "_body_task",
        "_changed",
        "_connection",
        "_ended",
        "_failure",
        "_held",
        "_invited",
        "_pieces",
        "_room",
        "headers",
        "length",
        "reason",
        "status",
    )

    def __init__(self, connection: UpstreamConnection) -> None:
        self.status = 0
        """Of the answer; zero as long as there is none."""
        self.reason = ""
        self.headers: Lines = []
        self.length: int | None = None
        """Of the body, or of what it would be."""
        self._connection: UpstreamConnection | None = connection
        self._pieces: list[bytes] = []
        self._held = 0
        self._ended = False
        self._failure: Exception | None = None
        self._changed: asyncio.Future[None] | None = None
        self._invited: asyncio.Event | None = None
        self._room: asyncio.Event | None = None
        self._body_task: asyncio.Task[None] | None = None

    # --- for whoever asked ---

    async def arrive(self) -> None:
        """Wait for the head. Raises `UpstreamFailure`, and whatever the request's body raises meanwhile."""
        while not self.status:
            if self._failure is not None:
                raise self._failure
            await self._change()

    async def read(self) -> bytes:
        """The next piece of the body, as soon as there is one; empty at its end.

        Raises `UpstreamFailure`, and whatever the request's body raises meanwhile.
        """
        while not self._pieces:
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return b""
            await self._change()
        return self.take()

    def take(self) -> bytes:
        """What has come of the body and was not read yet; empty when that is nothing."""
        pieces, self._pieces = self._pieces, []
        self._held = 0
        if self._connection is not None:
            self._connection.resume()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """End the connection, unless the answer is complete."""
        connection = self._connection
        self._part()
        if connection is not None:
            connection.abort()

    def send_body(self, outgoing: Outgoing, tasks: Tasks) -> None:
        """Send the request's body as it comes, while the answer is awaited."""
        if outgoing.body is not None:
            self._room = asyncio.Event()
            self._room.set()
            self._invited = asyncio.Event()
            pieces = self._send_pieces(outgoing.body, outgoing.framed, expects_continue=outgoing.expects_continue)
            self._body_task = tasks.start(pieces)

    async def _send_pieces(
        self, read: Callable[[], Awaitable[bytes]], framed: Callable[[bytes], bytes], *, expects_continue: bool
    ) -> None:
        try:
            if expects_continue and not await self._is_invited():
                return
            while piece := await read():
                await self._send(framed(piece))
            await self._send(framed(b""))
            if self._connection is not None:
                self._connection.finish()
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is told to whoever awaits the answer
            self._give_up(failure)

    async def _is_invited(self) -> bool:
        """Whether the upstream wants the body: it says so, or says nothing for a while."""
        if self._invited is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(CONTINUE_PATIENCE):
                    await self._invited.wait()
        return not self.status

    async def _send(self, octets: bytes) -> None:
        if self._connection is not None and octets:
            self._connection.send(octets)
        if self._room is not None:
            await self._room.wait()

    def _give_up(self, failure: Exception) -> None:
        self._failure = self._failure or failure
        self._body_task = None
        self.close()
        self._tell()

    # --- for the connection ---

    def head(self, head: AnswerHead) -> None:
        """The answer has begun."""
        self.status = head.status
        self.reason = head.reason.decode("utf-8", "surrogateescape")
        self.headers = head.lines
        self.length = head.length
        if self._invited is not None:
            self._invited.set()
        self._tell()

    def piece(self, piece: bytes) -> None:
        """A part of the answer's body."""
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held >= MOST_HELD and self._connection is not None:
            self._connection.pause()
        self._tell()

    def end(self) -> None:
        """The answer is complete."""
        self._ended = True
        self._part()
        self._tell()

    def failed(self, failure: UpstreamFailure) -> None:
        """There is no answer, or no end of it."""
        self._failure = failure
        self._part()
        self._tell()

    def go_on(self) -> None:
        """The request's body is waited for."""
        if self._invited is not None:
            self._invited.set()

    def hold_body(self) -> None:
        """The upstream takes no more for now."""
        if self._room is not None:
            self._room.clear()

    def resume_body(self) -> None:
        """It takes more again."""
        if self._room is not None:
            self._room.set()

    # --- in here ---

    def _part(self) -> None:
        """The connection is another's now, and the body of no use to anybody."""
        self._connection = None
        if self._body_task is not None:
            self._body_task.cancel()
            self._body_task = None

    async def _change(self) -> None:
        self._changed = asyncio.get_running_loop().create_future()
        try:
            await self._changed
        finally:
            self._changed = None

    def _tell(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
