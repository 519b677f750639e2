"""The provider that a test is run with, and the gateway that is tried against it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.idp import demo_provider
from tests.idp.demo_provider import Demo
from tests.idp.gateway import Protect, protecting
from tests.idp.provider import IdentityProvider


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """The development identity provider, running."""
    with demo_provider.start() as provider:
        yield provider


@pytest.fixture
def provider(request: pytest.FixtureRequest) -> IdentityProvider:
    """The provider that `capabilities.over` names."""
    running: IdentityProvider = request.getfixturevalue(request.param)
    return running


@pytest.fixture
async def protect(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Protect]:
    """Runs the gateway: see `protecting`."""
    async with protecting(caplog) as protect:
        yield protect
