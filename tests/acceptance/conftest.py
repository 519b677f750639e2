"""What every acceptance case may use: a site with the routes that it asks for, watched over by the invariants."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.acceptance.site import Broken, Site, State, open_site
from tests.faulty_server import Verb


class OpenSite(Protocol):
    """Opens a site. `routes` by name, `provider` settings over the usual ones, what the
    provider answers from the first moment on, by path, `more` providers, and whatever else the YAML may say at its top.
    """

    async def __call__(
        self,
        routes: Mapping[str, Any] | None = None,
        provider: Mapping[str, Any] | None = None,
        broken: Broken | Mapping[str, Verb] | None = None,
        more: Mapping[str, Any] | None = None,
        **top: Any,
    ) -> Site: ...


@pytest.fixture(autouse=True)
def both_lanes(lane: str) -> str:
    """Every case is tried twice: with the express lane and without it."""
    return lane


@pytest.fixture
async def site_with(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[OpenSite]:
    """A site of the test's own making; at the end the invariants are checked."""
    async with AsyncExitStack() as stack:

        async def opening(
            routes: Mapping[str, Any] | None = None,
            provider: Mapping[str, Any] | None = None,
            broken: Broken | Mapping[str, Verb] | None = None,
            more: Mapping[str, Any] | None = None,
            **top: Any,
        ) -> Site:
            return await stack.enter_async_context(open_site(tmp_path, caplog, routes, provider, broken, more, **top))

        yield opening


@pytest.fixture
async def site(site_with: OpenSite) -> Site:
    """The usual site: one route, /orders."""
    return await site_with()


@pytest.fixture(params=list(State), ids=str)
def state(request: pytest.FixtureRequest) -> State:
    """Each of the three states that a case is tried in."""
    found: State = request.param
    return found
