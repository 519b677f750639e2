"""Gateway, identity provider and API in one process."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from tempfile import TemporaryDirectory
from typing import TextIO

from gateway.clients.store.sealing import new_key
from gateway.demo.curls import Curl, demo_curls
from gateway.demo.identity_provider import AUDIENCE, DemoProvider, run_identity_provider
from gateway.demo.listening import address, bind_anyhow
from gateway.demo.upstream import run_upstream
from gateway.demo.welcome import welcome
from gateway.serve import serve
from gateway.settings import load

CONFIG = Path(__file__).with_name("config.yaml")
HOST = "127.0.0.1"
CLIENT = ("shop", "shop-secret")
PORTAL = ("portal", "portal-secret")
VARIABLES = (
    "TOKENWARD_DEMO_PORT",
    "TOKENWARD_DEMO_ADMIN_PORT",
    "TOKENWARD_DEMO_PORTAL_PORT",
    "TOKENWARD_DEMO_PROVIDER_PORT",
    "TOKENWARD_DEMO_UPSTREAM_PORT",
)
"""What the configuration is told, in the order of `Ports`."""
TOKEN_LIFETIME = 86_400
"""Seconds; the token that is printed should outlast whoever tries it."""
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::-([^}]*))?\}")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where things are wanted; 0 takes a free port, and so does one that is taken."""

    gateway: int = 8080
    admin: int = 9090
    portal: int = 8081
    provider: int = 9000
    upstream: int = 9001


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Where things are, as URLs without a slash at the end."""

    gateway: str
    admin: str
    portal: str
    issuer: str
    upstream: str
    config: Path
    """The configuration in force; it is gone with the demo."""
    token: str = field(repr=False)
    """For the orders API, with the scope orders.read."""

    @property
    def places(self) -> dict[str, str]:
        """What runs where."""
        return {
            "gateway": self.gateway,
            "developer portal": self.portal,
            "its admin port": f"{self.admin}/metrics",
            "identity provider": self.issuer,
            "API behind the gateway": self.upstream,
            "configuration": str(self.config),
        }

    @property
    def curls(self) -> list[Curl]:
        return demo_curls(gateway=self.gateway, issuer=self.issuer, token=self.token, client=CLIENT)

    def moved(self, wanted: Ports) -> list[tuple[int, str]]:
        """The ports that were taken, and where what wanted them is instead."""
        found = {
            wanted.gateway: self.gateway,
            wanted.admin: self.admin,
            wanted.portal: self.portal,
            wanted.provider: self.issuer,
            wanted.upstream: self.upstream,
        }
        return [(port, url) for port, url in found.items() if port and not url.endswith(f":{port}")]


@asynccontextmanager
async def open_demo(wanted: Ports) -> AsyncIterator[Demo]:
    """All of it, until the end of the block."""
    async with AsyncExitStack() as stack:
        ports = (wanted.gateway, wanted.admin, wanted.portal, wanted.provider, wanted.upstream)
        listeners = [stack.enter_context(bind_anyhow(HOST, port)) for port in ports]
        gateway, admin, portal, idp, api = listeners
        provider = await stack.enter_async_context(run_identity_provider(listener=idp))
        provider.add_client(*CLIENT, client_name="Shop", scope="orders.read orders.write")
        portal_url = f"http://{address(portal)}"
        _add_portal(provider, portal_url)
        upstream = await stack.enter_async_context(run_upstream(listener=api))
        folder = stack.enter_context(TemporaryDirectory(prefix="tokenward-demo-"))
        values = dict(zip(VARIABLES, map(_port, listeners), strict=True))
        config = await asyncio.to_thread(_write_config, folder, {**values, "TOKENWARD_DEMO_STORE_KEY": new_key()})
        await stack.enter_async_context(
            serve(load(config), sockets=[gateway], admin_sockets=[admin], portal_sockets=[portal])
        )
        yield Demo(
            gateway=f"http://{address(gateway)}",
            admin=f"http://{address(admin)}",
            portal=portal_url,
            issuer=provider.issuer,
            upstream=upstream,
            config=config,
            token=provider.issue(CLIENT[0], "orders.read", audience=AUDIENCE, lifetime=TOKEN_LIFETIME),
        )


def _write_config(folder: str, values: Mapping[str, str]) -> Path:
    """The configuration with these values in place of its variables, for whoever wants to read it or use it."""
    config = Path(folder, "tokenward.yaml")
    config.touch(mode=0o600)
    config.write_text(VARIABLE.sub(lambda found: values.get(found[1], found[2] or ""), CONFIG.read_text()))
    return config


def _add_portal(provider: DemoProvider, url: str) -> None:
    """The portal's own client, for people to sign in."""
    provider.add_client(
        *PORTAL,
        client_name="Demo portal",
        grant_types=["authorization_code"],
        response_types=["code"],
        redirect_uris=[f"{url}/signed-in"],
        scope="openid profile email",
    )


async def run(output: TextIO, *, port: int, stop: asyncio.Event | None) -> None:
    """Open the demo, say so on `output`, and close it when `stop` is set, or at a signal where there is no `stop`."""
    wanted = Ports(gateway=port)
    # The handlers come first: a Ctrl-C while it starts is obeyed as soon as it has started.
    with signalled() if stop is None else nullcontext(stop) as stopped:
        async with open_demo(wanted) as demo:
            output.write(welcome(demo.places, demo.moved(wanted), demo.curls, colour=output.isatty()))
            output.flush()
            await stopped.wait()
        output.write("\nThe demo has ended, and nothing of it is left.\n")


@contextmanager
def signalled() -> Iterator[asyncio.Event]:
    """An event that is set by SIGINT or SIGTERM."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    for number in SIGNALS:
        loop.add_signal_handler(number, event.set)
    try:
        yield event
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


def _port(listener: socket) -> str:
    return str(listener.getsockname()[1])
