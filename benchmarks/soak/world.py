"""A gateway as a process, with its upstream and its provider in this one."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web

from benchmarks.processes import Crew, Program, crew, free_ports
from benchmarks.soak.oracle import BELIEVED, GOOD
from benchmarks.soak.provider import Provider

TOKENWARD = str(Path(sys.executable).with_name("tokenward"))
KEPT = 300
"""Tokens in memory: few, so that it is full when the warm-up ends."""


class Upstream(asyncio.Protocol):
    """Counts requests, and answers each; `trouble` may answer instead of it, or not at all."""

    seen = 0
    unwanted = 0
    """Requests that no gateway may let through."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    trouble: ClassVar[Callable[[asyncio.Transport], bool]] = staticmethod(lambda _: False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The gateway connects."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._left = 0

    def data_received(self, data: bytes) -> None:
        """A request, or what is left of its body: the gateway sends one after the other."""
        if self._left:
            self._left -= len(data)
        else:
            head, _, body = data.partition(b"\r\n\r\n")
            Upstream.seen += 1
            Upstream.unwanted += GOOD not in head
            length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            self._left = int(length or b"0") - len(body)
        if not self._left and not Upstream.trouble(self._transport):
            self._transport.write(Upstream.answer)


@dataclass(slots=True)
class World:
    """What runs."""

    crew: Crew
    gateway: Program
    provider: Provider
    port: int
    admin: int
    config: dict[str, Any]

    @property
    def path(self) -> Path:
        """Of the configuration."""
        return self.crew.folder / "tokenward.yaml"


@asynccontextmanager
async def world(cpus: str, **options: Any) -> AsyncIterator[World]:
    """All of it, until the end of the block."""
    port, admin, upstream_port, provider_port = free_ports(4)
    loop, provider = asyncio.get_running_loop(), Provider(provider_port)
    with tempfile.TemporaryDirectory(prefix="tokenward-soak-") as name, crew(Path(name)) as hands:
        async with (
            await loop.create_server(Upstream, "127.0.0.1", upstream_port),
            await loop.create_server(web.Server(provider.answer), "127.0.0.1", provider_port),
        ):
            config = configuration(provider.issuer, port, admin, f"http://127.0.0.1:{upstream_port}", Path(name))
            config |= options
            (Path(name) / "tokenward.yaml").write_text(json.dumps(config))
            gateway = await asyncio.to_thread(
                hands.start, "tokenward", [TOKENWARD, "run", "--config", f"{name}/tokenward.yaml"], cpus=cpus, port=port
            )
            yield World(hands, gateway, provider, port, admin, config)
            await asyncio.to_thread(gateway.end)


def configuration(issuer: str, port: int, admin: int, upstream: str, folder: Path) -> dict[str, Any]:
    """Two routes: one believes the provider's word, one its keys."""
    cache = {"max_age": BELIEVED, "max_age_without_exp": BELIEVED, "negative_age": 1}
    enforcement = {"provider": "soak", "scopes": ["orders.read"], "leeway": 0, "cache": cache}
    routes = {"orders": {}, "signed": {"order": "keys_only"}}
    return {
        "listen": f"127.0.0.1:{port}",
        "admin": {"listen": f"127.0.0.1:{admin}"},
        "access_log": {"to": str(folder / "access.log")},
        "drain": {"delay": 0, "timeout": 2},
        "reload": {"watch": False},
        "log_level": "warning",
        "providers": {
            "soak": {
                "issuer": issuer,
                "endpoints": {"introspection": f"{issuer}/introspect", "jwks": f"{issuer}/jwks"},
                "introspection": {"client_id": "gateway", "client_secret": "gateway-secret"},
                "limits": {"verified_tokens": KEPT, "rejected_tokens": KEPT},
            }
        },
        "routes": {
            name: {
                "path": f"/{name}",
                "upstream": upstream,
                "policies": [{"token-enforcement": {**enforcement, **more}}],
            }
            for name, more in routes.items()
        },
    }
