"""A process that is killed: the one in its place knows what was decided, and the portal is back."""

import os
import signal
from pathlib import Path

from tests.end_to_end.processes import administrator, one_connection_each, workers
from tests.end_to_end.providers import OWNER, demo_provider
from tests.end_to_end.sites import Site, decide, granted, running_site
from tests.gateways import is_ready, until
from tests.portal.pages.sites import Somebody


async def replaced(site: Site, process: int) -> None:
    """Kill it, and wait for another one in its place."""
    os.kill(process, signal.SIGKILL)

    async def is_so() -> bool:
        family = site.gateway.family()
        return process not in family and len(family) == 3

    await until(is_so, "it was not replaced")


async def answered(site: Site, token: str) -> set[int]:
    async with one_connection_each(site.gateway) as callers:
        return {await caller.get("/orders", token) for caller in callers}


async def test_whoever_takes_the_place_of_a_killed_process_knows_what_counts(tmp_path: Path) -> None:
    async with (
        demo_provider() as at,
        running_site(at, tmp_path, f"sqlite:///{tmp_path}/store.db", workers=2) as site,
    ):
        ada, olga = await site.signed_in("ada"), await site.signed_in(OWNER)
        wish, token = await granted(site, ada, olga)

        await replaced(site, workers(site.gateway)[0])
        await until(is_ready(site.gateway))
        assert await answered(site, token) == {200}
        await decide(olga, wish, "revoke")
        assert await answered(site, token) == {403}

        await replaced(site, administrator(site.gateway))
        await until(lambda: is_back(olga), "the portal is not back")
        await until(is_ready(site.gateway))
        await decide(olga, wish, "restore")
        assert await answered(site, token) == {200}


async def is_back(somebody: Somebody) -> bool:
    """Whether the portal knows them, as it did before."""
    try:
        return "Sign out" in (await somebody.sees("/")).text
    except OSError:
        return False
