"""A registry for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.demo.identity_provider import DemoProvider, run_identity_provider
from tests.clients.registry.opened import Opened, opened
from tests.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def idp(clock: FakeClock) -> AsyncIterator[DemoProvider]:
    async with run_identity_provider(clock=clock) as provider:
        yield provider


@pytest.fixture
async def here(tmp_path: Path, idp: DemoProvider, clock: FakeClock) -> AsyncIterator[Opened]:
    async with opened(tmp_path, idp, clock) as found:
        yield found
