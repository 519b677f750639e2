"""A portal with a real store, at a provider that does as it is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.clients.store.store import Store
from tests.fakes import FakeClock
from tests.portal.fake_provider import FakeProvider, run_fake_provider
from tests.portal.portals import Portal, opened_store, provider_at, running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Store]:
    async with opened_store(tmp_path, clock) as store:
        yield store


@pytest.fixture
async def idp(clock: FakeClock) -> AsyncIterator[FakeProvider]:
    async with run_fake_provider(clock) as provider:
        yield provider


@pytest.fixture
async def portal(idp: FakeProvider, store: Store, clock: FakeClock) -> AsyncIterator[Portal]:
    async with running(provider_at(idp.issuer), store, clock) as portal:
        yield portal
