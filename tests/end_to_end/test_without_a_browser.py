"""The life of an application over HTTP: asked for, granted, called, limited, revoked, restored, deleted."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.end_to_end.processes import one_connection_each
from tests.end_to_end.providers import OWNER, demo_provider
from tests.end_to_end.sites import (
    EVERYWHERE,
    Site,
    ask_for_access,
    decide,
    delete_application,
    granted,
    running_site,
    show_credentials,
    store_url,
)
from tests.gateways import Caller, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=EVERYWHERE)
async def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """One for each kind of store and number of workers."""
    folder = tmp_path_factory.mktemp("site")
    store = await store_url(request.param[0], folder, request)
    async with demo_provider() as at, running_site(at, folder, store, workers=request.param[1]) as site:
        yield site


async def codes(callers: list[Caller], token: str) -> list[str]:
    """What each worker says to the very next request: nothing, or why not."""
    answers = [await caller("GET", "/orders", token) for caller in callers]
    return ["" if answer.status == 200 else f"{answer.status} {answer.code}" for answer in answers]


async def test_every_worker_heeds_a_decision_at_the_very_next_request(site: Site) -> None:
    ada, olga = await site.signed_in("ada"), await site.signed_in(OWNER)
    async with one_connection_each(site.gateway) as callers:
        everywhere = len(callers)
        wish, token = await granted(site, ada, olga)
        assert await codes(callers, token) == [""] * everywhere
        await decide(olga, wish, "revoke")
        assert await codes(callers, token) == ["403 client_without_contract"] * everywhere
        await decide(olga, wish, "restore")
        assert await codes(callers, token) == [""] * everywhere
        await delete_application(ada, wish)
        # This provider ends a client's tokens with the client; with others, the contract is what is missing.
        assert await codes(callers, token) == ["401 token_inactive"] * everywhere


async def test_the_tier_limits_calls_and_the_developer_sees_how_many_there_were(site: Site) -> None:
    ada = await site.signed_in("ada")
    wish = await ask_for_access(ada, tier="bronze")
    token = await site.token(await show_credentials(ada, wish))
    async with one_connection_each(site.gateway) as (caller, *_):
        for left in (2, 1, 0):
            answer = await caller("GET", "/orders", token)
            assert (answer.status, answer.headers["RateLimit"].partition(";t=")[0]) == (200, f'"bronze-3600";r={left}')
        assert await codes([caller], token) == ["429 rate_limited"]

    async def is_shown() -> bool:
        page = (await ada.sees(f"/applications/{wish.application}")).text
        return "A limit of the tier was used up" in page and "3 allowed" in page

    await until(is_shown, "the usage is not shown")
