"""One request to one upstream: how long each stage of it is waited for, and what each way to fail means."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

import aiohttp
from aiohttp import hdrs

from gateway import answers
from gateway.exchange import Flag
from gateway.headers import Lines, RawHeaders
from gateway.policy import Deny


class UpstreamFailure(Exception):
    """An upstream did not do its part."""

    deny: Deny = answers.UPSTREAM_BROKE
    flag = Flag.UPSTREAM_RESET


class UpstreamRefused(UpstreamFailure):
    """There is no connection: refused, unreachable, unknown name, TLS. Nothing was sent."""

    deny = answers.UPSTREAM_REFUSED
    flag = Flag.UPSTREAM_CONNECT


class UpstreamSilent(UpstreamFailure):
    """It takes or sends nothing within the time."""

    deny = answers.UPSTREAM_SILENT
    flag = Flag.UPSTREAM_TIMEOUT


class UpstreamBroke(UpstreamFailure):
    """It ended the connection in the middle."""

    def __init__(self, message: str, *, was_idle: bool = False) -> None:
        super().__init__(message)
        self.was_idle = was_idle
        """Whether the connection came from the pool and gave no byte: it may have been dead before we used it."""


class UpstreamInvalid(UpstreamFailure):
    """It does not speak HTTP as it must be spoken."""

    deny = answers.UPSTREAM_INVALID
    flag = Flag.UPSTREAM_PROTOCOL


class UpstreamEjected(UpstreamFailure):
    """No target may be asked now, or none has a connection to spare."""

    flag = Flag.UPSTREAM_EJECTED

    def __init__(self, retry_after: int) -> None:
        super().__init__("no target can take the request")
        self.deny = answers.ejected(retry_after)


class UpgradeRefused(Exception):
    """The upstream answered a WebSocket handshake, but not with 101."""

    def __init__(self, status: int, headers: RawHeaders) -> None:
        super().__init__("the upstream opened no WebSocket")
        self.status = status
        self.headers = headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An allowed request, as the upstream is to receive it."""

    method: str
    target: str
    """Path and query, every byte as it is to be sent."""
    headers: Lines
    """All but `Host` and framing."""
    host: str
    """What the caller called us, port included."""
    body: Callable[[], Awaitable[bytes]] | None = None
    """Gives the next piece; empty at the end."""
    content_length: int | None = None
    """Of the body. `None`: it is sent in chunks."""
    expects_continue: bool = False


class Stage(Enum):
    """What is waited for, and hence whose fault it is that it does not come."""

    SLOT = "a connection to become free"
    CONNECTION = "a connection"
    ANSWER = "the upstream"
    CALLER = "the caller"


class Watch:
    """One request's patience up to the answer's head: each stage has its own, and its end another meaning."""

    def __init__(self, *, connect_timeout: float, response_timeout: float) -> None:
        self._seconds = {
            Stage.SLOT: connect_timeout,
            Stage.CONNECTION: connect_timeout,
            Stage.ANSWER: response_timeout,
            Stage.CALLER: None,  # the caller's end has a patience of its own
        }
        self._deadline = asyncio.timeout(connect_timeout)
        self._stage = Stage.SLOT
        self.reused = False

    async def __aenter__(self) -> "Watch":
        await self._deadline.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> None:
        try:
            await self._deadline.__aexit__(*raised)
        except TimeoutError as error:
            raise self._overdue() from error

    def connecting(self) -> None:
        """A new connection is being made."""
        self.enter(Stage.CONNECTION)

    def connected(self, *, reused: bool) -> None:
        """There is a connection; a reused one was in the pool."""
        self.reused = reused
        self.enter(Stage.ANSWER)

    def enter(self, stage: Stage) -> None:
        """Wait for this from now on."""
        self._stage = stage
        seconds = self._seconds[stage]
        # Once the answer's head is here, its reader watches, and there is no deadline left to move.
        with suppress(RuntimeError):
            self._deadline.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)

    def _overdue(self) -> UpstreamFailure:
        if self._stage is Stage.SLOT:
            return UpstreamEjected(1)
        if self._stage is Stage.CONNECTION:
            return UpstreamRefused("no connection in time")
        return UpstreamSilent("no answer in time")


@dataclass(slots=True)
class Body:
    """The request's body on its way to the library, which would hide why it broke off."""

    read: Callable[[], Awaitable[bytes]]
    watch: Watch
    failure: Exception | None = None
    """Why it broke off."""
    response: aiohttp.ClientResponse | None = None
    """The answer, when it came before the body had ended: it ends with it."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """What is sent."""
        while piece := await self._next():
            yield piece

    async def _next(self) -> bytes:
        self.watch.enter(Stage.CALLER)
        try:
            piece = await self.read()
        except Exception as failure:
            self.failure = failure
            if self.response is not None:
                self.response.content.set_exception(failure)
            raise
        self.watch.enter(Stage.ANSWER)
        return piece


def is_sound(response: aiohttp.ClientResponse) -> bool:
    """Whether this is an answer that can be passed on: no upgrade that nobody asked for, no coding that is unknown."""
    codings = [value.strip().lower() for value in response.headers.getall(hdrs.TRANSFER_ENCODING, ())]
    version = response.version
    return 200 <= response.status <= 999 and codings in ([], ["chunked"]) and version is not None and version.major == 1


def translated(error: Exception, *, reused: bool) -> UpstreamFailure:
    """What an error of the library means; `reused` tells whether the connection was in the pool."""
    match error:
        case aiohttp.ClientConnectorError() | aiohttp.ServerFingerprintMismatch():
            return UpstreamRefused("no connection")
        case aiohttp.ClientResponseError():
            return UpstreamInvalid("not HTTP")
        case aiohttp.ServerDisconnectedError():
            # A message that is no text is the beginning of an answer.
            return UpstreamBroke("no answer", was_idle=reused and isinstance(error.message, str))
        case _:
            return UpstreamBroke("no answer", was_idle=reused and isinstance(error, aiohttp.ClientOSError))
