"""The addresses of a name: asked for again from time to time, and kept when nobody can say."""

import asyncio
import math
import socket
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

LIFE = 10.0
"""Seconds after which a name is asked for again."""


class SteadyResolver(AbstractResolver):
    """Resolves names; when that fails, the addresses that were last good are still good."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver
        self._last_good: dict[tuple[str, int, int], list[ResolveResult]] = {}

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        """The addresses of a host; raises OSError for one that was never found."""
        key = (host, port, int(family))
        try:
            found = await self._resolver.resolve(host, port, family)
        except OSError:
            if key not in self._last_good:
                raise
            return self._last_good[key]
        self._last_good[key] = found
        return found

    async def close(self) -> None:
        """Nothing more will be asked."""
        await self._resolver.close()


class Addresses:
    """Where one host can be reached. `now` counts seconds."""

    def __init__(self, host: str, port: int, resolver: AbstractResolver, now: Callable[[], float]) -> None:
        self._host = host
        self._port = port
        self._resolver = resolver
        self._now = now
        self._asked_at = -math.inf
        self._found: list[AddrInfoType] = [_entry(host, port)] if _is_address(host) else []
        self._fixed = bool(self._found)
        self._asking = asyncio.Lock()

    async def find(self) -> list[AddrInfoType]:
        """In the order in which they are to be tried. Raises OSError when the name was never found."""
        async with self._asking:
            if not self._fixed and self._now() - self._asked_at >= LIFE:
                found = await self._resolver.resolve(self._host, self._port, socket.AF_UNSPEC)
                self._found = [_entry(each["host"], each["port"]) for each in found]
                self._asked_at = self._now()
        return self._found


def _entry(address: str, port: int) -> AddrInfoType:
    if ":" in address:
        return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
