"""WebSockets to upstreams: the one thing that is left to aiohttp's client.

A tunnel of bytes would be simpler, but a message that is too large and a token that has ended are told to both sides in
close frames, and for those one must know where frames begin and messages end.
"""

import asyncio
import ssl
from typing import Any, cast

import aiohttp
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict
from yarl import URL

from gateway.addresses import LIFE
from gateway.aiohttp_inside import ServersSocket, end_socket
from gateway.headers import RawHeaders
from gateway.outgoing import (
    Outgoing,
    UpgradeRefused,
    UpstreamBroke,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamRefused,
    UpstreamSilent,
)
from gateway.target import Target

CLOSE_PATIENCE = 1.0
"""Seconds that either side gets to answer a close frame."""
ADDED_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""What the library would add of its own."""


class UpstreamWebSocket:
    """An open WebSocket to an upstream."""

    def __init__(self, socket: ServersSocket, target: Target) -> None:
        self.socket = socket
        self._target = target
        self._target.tunnels += 1
        self._held = True

    async def close(self, code: int, reason: bytes = b"") -> None:
        """Close it, politely as far as the upstream takes part."""
        try:
            await end_socket(self.socket, code, reason, patience=CLOSE_PATIENCE)
        finally:
            if self._held:
                self._held = False
                self._target.tunnels -= 1


class Handshakes:
    """Opens WebSockets. Close it in the end."""

    def __init__(self, *, connections: int, patience: float, tls: ssl.SSLContext | None, resolver: AbstractResolver):
        self._patience = patience
        self._tls: ssl.SSLContext | bool = tls or True
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, limit_per_host=connections, force_close=True, ttl_dns_cache=int(LIFE), resolver=resolver
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            skip_auto_headers=ADDED_HEADERS,
            ws_response_class=ServersSocket,  # type: ignore[arg-type]  # typed for decoded text only
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def open(
        self,
        target: Target,
        outgoing: Outgoing,
        host: str,
        server_name: str | None,
        protocols: tuple[str, ...],
        most: int,
    ) -> UpstreamWebSocket:
        """A WebSocket for messages of at most `most` bytes. Raises `UpstreamFailure` and `UpgradeRefused`."""
        try:
            socket = await self._shake_hands(target, outgoing, host, server_name, protocols, most)
        except UpgradeRefused:
            target.answered()
            raise
        except (UpstreamRefused, UpstreamBroke):
            target.broke()
            raise
        target.answered()
        return UpstreamWebSocket(socket, target)

    async def _shake_hands(
        self,
        target: Target,
        outgoing: Outgoing,
        host: str,
        server_name: str | None,
        protocols: tuple[str, ...],
        most: int,
    ) -> ServersSocket:
        try:
            async with asyncio.timeout(self._patience):
                socket: Any = await self._session.ws_connect(
                    URL(target.origin + outgoing.target, encoded=True),
                    headers=_headers(outgoing, host),
                    protocols=protocols,
                    ssl=self._tls,
                    server_hostname=server_name,
                    autoclose=False,
                    autoping=False,
                    max_msg_size=most + 1,  # which it refuses
                    decode_text=False,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_PATIENCE),
                )
                return cast("ServersSocket", socket)
        except TimeoutError:
            raise UpstreamSilent("no answer to the handshake in time") from None
        except aiohttp.WSServerHandshakeError as error:
            if error.status == 101 or error.headers is None:
                raise UpstreamInvalid("not a WebSocket handshake") from error
            raise UpgradeRefused(error.status, _raw(error.headers)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise _translated(error) from error

    async def close(self) -> None:
        """Nothing more will be opened."""
        await self._session.close()


def _headers(outgoing: Outgoing, host: str) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict(Host=host)
    # The library takes the last of two names that differ in case; to HTTP they are the same.
    spellings: dict[bytes, str] = {}
    for name, value in outgoing.headers:
        headers.add(spellings.setdefault(name.lower(), name.decode("ascii")), value.decode())
    return headers


def _raw(headers: Any) -> RawHeaders:
    return [(name.encode(), value.encode(errors="surrogateescape")) for name, value in headers.items()]


def _translated(error: Exception) -> UpstreamFailure:
    match error:
        case aiohttp.ClientConnectorError():
            return UpstreamRefused("no connection")
        case aiohttp.ClientResponseError():
            return UpstreamInvalid("not HTTP")
        case _:
            return UpstreamBroke("no answer")
