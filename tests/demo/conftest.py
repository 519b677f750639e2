"""A provider and a way to ask it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.demo.identity_provider import DemoProvider, run_identity_provider
from tests.demo.asking import Ask
from tests.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def provider(clock: FakeClock) -> AsyncIterator[DemoProvider]:
    async with run_identity_provider(clock=clock) as provider:
        provider.add_client("shop", "shop-secret", scope="orders.read orders.write")
        yield provider


@pytest.fixture
async def ask(provider: DemoProvider) -> AsyncIterator[Ask]:
    async with aiohttp.ClientSession(auto_decompress=True) as session:
        yield Ask(session, provider.issuer)
