"""The way to one server: what it is called, and where it is looked for again."""

import asyncio
import socket

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.addresses import LIFE, SteadyResolver
from gateway.dial import Dial
from gateway.outgoing import UpstreamRefused
from gateway.upstream_connection import Patience
from tests.fakes import FakeClock
from tests.servers import recording_upstream
from tests.test_probe import Nobody

PATIENCE = Patience(connect=1, response=10, idle=20, keep_alive=30)


def dial(origin: str, resolver: AbstractResolver | None = None, clock: FakeClock | None = None) -> Dial:
    now = (clock or FakeClock()).monotonic
    return Dial(origin, patience=PATIENCE, tls=None, resolver=resolver or aiohttp.ThreadedResolver(), now=now)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://up", b"up"),
        ("http://up:80", b"up"),
        ("http://up:443", b"up:443"),
        ("http://up:8080", b"up:8080"),
        ("http://[::1]:8080", b"[::1]:8080"),
        ("http://[::80]", b"[::80]"),
    ],
)
async def test_host_names_the_port_where_it_is_not_the_usual_one(origin: str, host: bytes) -> None:
    assert dial(origin).host == host
    assert dial(origin).names("") == (host, None)


class Moving(AbstractResolver):
    """Resolves every name to one address, until it moves; raises OSError while it is at none."""

    def __init__(self) -> None:
        self.address = "127.0.0.1"

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        if not self.address:
            raise OSError("NXDOMAIN")
        return [ResolveResult(hostname=host, host=self.address, port=port, family=socket.AF_INET, proto=0, flags=0)]

    async def close(self) -> None:
        """There is nothing to close."""


@pytest.mark.case("C250")
async def test_new_connections_follow_a_name_that_moves_and_outlast_one_that_is_gone() -> None:
    clock, resolver = FakeClock(), Moving()
    async with recording_upstream() as old:
        new = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.2", old.port)
        way = dial(f"http://moves.example:{old.port}", SteadyResolver(resolver), clock)

        async def reached() -> str:
            connection = await way.open(Nobody(), None)
            peer: str = connection._transport.get_extra_info("peername")[0]
            connection.end()
            return peer

        assert await reached() == "127.0.0.1"
        resolver.address = "127.0.0.2"
        clock.move(LIFE - 0.1)
        assert await reached() == "127.0.0.1"
        clock.move(0.1)
        assert await reached() == "127.0.0.2"
        resolver.address = ""
        clock.move(LIFE)
        assert await reached() == "127.0.0.2"
        new.close()


async def test_a_name_that_was_never_found_is_refused() -> None:
    resolver = Moving()
    resolver.address = ""
    with pytest.raises(UpstreamRefused):
        await dial("http://moves.example", SteadyResolver(resolver)).open(Nobody(), None)
