"""What every test may use."""

from collections.abc import Iterator

import pytest

from tests.servers import LANES

pytest_plugins = ["tests.cases", "tests.idp.fixtures", "tests.clients.postgresql"]


@pytest.fixture(params=["ordinary", "express"])
def lane(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a test twice: with gateways that have the ordinary lane alone, and with those that have both."""
    LANES.express = request.param == "express"
    yield request.param
    LANES.express = True
