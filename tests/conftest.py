"""What every test may use."""

from collections.abc import Iterator

import hypothesis
import pytest

from tests.servers import LANES

# How long a test takes says how busy the machine is.
hypothesis.settings.register_profile("without_deadline", deadline=None)
hypothesis.settings.load_profile("without_deadline")

pytest_plugins = ["tests.cases", "tests.idp.fixtures", "tests.clients.postgresql"]


@pytest.fixture(params=["ordinary", "express"])
def lane(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a test twice: with gateways that have the ordinary lane alone, and with those that have both."""
    LANES.express = request.param == "express"
    yield request.param
    LANES.express = True
