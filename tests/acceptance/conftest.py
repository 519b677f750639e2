"""What every acceptance case may use: a site with the routes that it asks for, watched over by the invariants."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.acceptance.site import SIGNERS, Site, State, open_site
from tests.policies.token_enforcement.signing import Signer


class OpenSite(Protocol):
    """Opens a site. `routes` by name, `provider` settings over the usual ones, the keys that the
    provider shows, and whatever else the YAML may say at its top.
    """

    async def __call__(
        self,
        routes: Mapping[str, Any] | None = None,
        provider: Mapping[str, Any] | None = None,
        signers: Sequence[Signer] = SIGNERS,
        **top: Any,
    ) -> Site: ...


@pytest.fixture
async def site_with(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[OpenSite]:
    """A site of the test's own making; at the end the invariants are checked."""
    async with AsyncExitStack() as stack:

        async def opening(
            routes: Mapping[str, Any] | None = None,
            provider: Mapping[str, Any] | None = None,
            signers: Sequence[Signer] = SIGNERS,
            **top: Any,
        ) -> Site:
            return await stack.enter_async_context(open_site(tmp_path, caplog, routes, provider, signers, **top))

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
