"""A WebSocket through the gateway: two sockets, and every message, ping and close code from the one to the other."""

import asyncio
import base64
import binascii
from dataclasses import dataclass
from typing import TypeAlias

import aiohttp
from aiohttp import WSMsgType
from aiohttp.http import WSMessageTextBytes
from multidict import CIMultiDict

from gateway.aiohttp_inside import CallersSocket, Socket, end_socket
from gateway.caller import Caller, CallerLeft
from gateway.headers import encode_value
from gateway.paths import BadRequest
from gateway.policy import Headers
from gateway.upstream_websocket import CLOSE_PATIENCE, UpstreamWebSocket

TAKE_PATIENCE = 30.0
"""Seconds that a side gets to take what the other one sent before it closed."""
HANDSHAKE = frozenset(
    {
        "sec-websocket-key",
        "sec-websocket-version",
        "sec-websocket-extensions",
        "sec-websocket-protocol",
        "sec-websocket-accept",
    }
)
"""Headers that each of the two handshakes has of its own."""


CARRIED = frozenset({WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG})
HIGHEST_CODE = 4999

Message: TypeAlias = "aiohttp.WSMessage | WSMessageTextBytes"


class TokenEnded(Exception):
    """What allowed the request is not valid any more, and its answer has not ended."""


@dataclass(slots=True)
class _Ending:
    """How the first of the two sockets ended, and hence how the other one is to end."""

    code: int = 0
    reason: bytes = b""
    is_orderly: bool = False
    """Whether it said so."""


def asks_for_websocket(caller: Caller) -> bool:
    """Whether the request is a WebSocket handshake; raises `BadRequest` for one that is broken (RFC 6455, 4.2.1)."""
    headers = caller.incoming.headers
    if headers.get("Upgrade", "").lower() != "websocket" or not caller.upgrades:
        return False
    if caller.method != "GET" or caller.has_body or not caller.is_1_1 or not _is_key(headers.get("Sec-WebSocket-Key")):
        raise BadRequest("upgrade_invalid", "This is not a WebSocket handshake.")
    if headers.get("Sec-WebSocket-Version") != "13":
        raise BadRequest("upgrade_invalid", "The only WebSocket version known here is 13.")
    return True


def offered_protocols(caller: Caller) -> tuple[str, ...]:
    """The subprotocols that the caller offers, in its order."""
    offered = ",".join(caller.incoming.headers.getall("Sec-WebSocket-Protocol", ()))
    return tuple(protocol.strip() for protocol in offered.split(",") if protocol.strip())


async def tunnel(
    caller: Caller, upstream: UpstreamWebSocket, *, answer_headers: Headers, most: int, time_left: float | None
) -> None:
    """Accept the caller's handshake and carry messages of at most `most` bytes until one side closes.

    Raises `TokenEnded` after `time_left` seconds, when both are closed with 1008 (RFC 6455, 7.4.1: policy violation).
    """
    ending = _Ending()
    socket = CallersSocket(
        protocol=upstream.socket.protocol or "",
        compress=False,
        max_msg_size=most + 1,  # which it refuses
        autoclose=False,
        autoping=False,
        decode_text=False,
        timeout=CLOSE_PATIENCE,
    )
    try:
        await _accept(caller, socket, answer_headers)
        async with asyncio.timeout(time_left), asyncio.TaskGroup() as group:
            group.create_task(_carry(socket, upstream.socket, ending))
            group.create_task(_carry(upstream.socket, socket, ending))
    except TimeoutError:
        ending.code, ending.reason = aiohttp.WSCloseCode.POLICY_VIOLATION, b"token ended"
        raise TokenEnded from None
    finally:
        caller.finished = ending.is_orderly
        code = ending.code or aiohttp.WSCloseCode.GOING_AWAY
        # The caller last: when it is gone, this task is cancelled, and what it raises would not be told.
        await upstream.close(code, ending.reason)
        await end_socket(socket, code, ending.reason, patience=CLOSE_PATIENCE)


async def _accept(caller: Caller, socket: CallersSocket, answer_headers: Headers) -> None:
    handshake: CIMultiDict[str] = CIMultiDict()
    for name in ("Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Key"):
        handshake[name] = caller.incoming.headers[name]
    # Of what the caller offers only the chosen protocol is shown to the library: it logs offers that it does not take,
    # and some callers put their token there.
    if socket.chosen:
        handshake["Sec-WebSocket-Protocol"] = socket.chosen
    for name, value in answer_headers:
        socket.headers[name] = encode_value(value).decode("ascii")
    caller.started = True
    caller.keep_alive = False
    try:
        await socket.prepare(caller.incoming.clone(headers=handshake))
    except ConnectionError as error:
        raise CallerLeft("the caller left") from error


async def _carry(source: Socket, sink: Socket, ending: _Ending) -> None:
    """Carry messages one way until the source ends, then end the sink."""
    try:
        while (message := await source.receive()).type in CARRIED and _is_text(message):
            await sink.send_frame(message.data, message.type)
        if not ending.code:
            ending.code, ending.reason = _how(message)
            ending.is_orderly = message.type is WSMsgType.CLOSE
    except (ConnectionError, aiohttp.ClientError):
        ending.code = ending.code or aiohttp.WSCloseCode.INTERNAL_ERROR
    await end_socket(sink, ending.code, ending.reason, patience=TAKE_PATIENCE)


def _is_text(message: Message) -> bool:
    """Whether what is said to be text is text."""
    if message.type is not WSMsgType.TEXT:
        return True
    try:
        str(message.data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _how(last: Message) -> tuple[int, bytes]:
    """The close code and the reason that follow from what came last."""
    if last.type is WSMsgType.TEXT:
        # RFC 6455, 8.1: an endpoint that finds that it is not UTF-8 "MUST _Fail the WebSocket Connection_".
        return aiohttp.WSCloseCode.INVALID_TEXT, b""
    if last.type is WSMsgType.CLOSE:
        # RFC 6455, 7.4.1: 1005 stands for a close frame without a code, and is never sent. 7.4.2: there is none above
        # 4999; 1006, which "MUST NOT be set", is let through by the library.
        code = last.data or aiohttp.WSCloseCode.OK
        if code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE or code > HIGHEST_CODE:
            return aiohttp.WSCloseCode.PROTOCOL_ERROR, b""
        return code, (last.extra or "").encode()
    if isinstance(last.data, aiohttp.WebSocketError):
        return last.data.code, b""
    return aiohttp.WSCloseCode.INTERNAL_ERROR, b""


def _is_key(value: str | None) -> bool:
    try:
        return len(base64.b64decode(value or "", validate=True)) == 16
    except (binascii.Error, ValueError):
        return False
