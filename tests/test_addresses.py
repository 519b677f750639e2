"""Where a host is reached: asked again in time, and kept when nobody can say."""

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.addresses import LIFE, Addresses, SteadyResolver
from tests.fakes import FakeClock


class ScriptedResolver(AbstractResolver):
    """Resolves every name to `addresses`, or fails."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        self.asked += 1
        if not self.addresses:
            raise OSError("NXDOMAIN")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass


async def found(addresses: Addresses) -> list[str]:
    return [entry[4][0] for entry in await addresses.find()]


@pytest.mark.case("C250")
async def test_a_name_is_asked_for_again_when_its_addresses_are_old() -> None:
    clock, resolver = FakeClock(), ScriptedResolver("10.0.0.1")
    addresses = Addresses("up", 80, resolver, clock.monotonic)
    assert await found(addresses) == ["10.0.0.1"]
    resolver.addresses = ("10.0.0.2", "::1")
    clock.move(LIFE - 0.1)
    assert (await found(addresses), resolver.asked) == (["10.0.0.1"], 1)
    clock.move(0.1)
    assert await found(addresses) == ["10.0.0.2", "::1"]
    assert [entry[0] for entry in await addresses.find()] == [socket.AF_INET, socket.AF_INET6]


@pytest.mark.case("C250")
async def test_the_last_good_addresses_outlive_a_name_that_is_gone() -> None:
    clock, resolver = FakeClock(), ScriptedResolver("10.0.0.1")
    addresses = Addresses("up", 80, SteadyResolver(resolver), clock.monotonic)
    await found(addresses)
    resolver.addresses = ()
    clock.move(LIFE)
    assert await found(addresses) == ["10.0.0.1"]
    resolver.addresses = ("10.0.0.2",)
    clock.move(LIFE)
    assert await found(addresses) == ["10.0.0.2"]


async def test_a_name_that_was_never_found_is_an_error_and_asked_for_again() -> None:
    resolver = ScriptedResolver()
    addresses = Addresses("up", 80, SteadyResolver(resolver), FakeClock().monotonic)
    for _ in range(2):
        with pytest.raises(OSError, match="NXDOMAIN"):
            await addresses.find()
    assert resolver.asked == 2


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_an_address_is_its_own_answer(address: str) -> None:
    resolver = ScriptedResolver("10.0.0.1")
    assert await found(Addresses(address, 80, resolver, FakeClock().monotonic)) == [address]
    assert resolver.asked == 0
