"""Two gateways on one PostgreSQL: what is decided at one of them is in force at the other."""

import time
from pathlib import Path

import pytest

from tests.end_to_end.providers import OWNER, demo_provider
from tests.end_to_end.sites import decide, granted, running_site, store_url
from tests.gateways import Config, until


def without_portal(config: Config) -> None:
    del config["portal"]
    # Longer than a test: what is heard of at once must not be what was read by the way.
    config["store"]["reread"] = 600


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    return tmp_path / "here", tmp_path / "there"


async def test_a_decision_here_is_in_force_there_within_a_second(
    folders: tuple[Path, Path], request: pytest.FixtureRequest
) -> None:
    here, there = folders
    store = await store_url("postgresql", here, request)
    async with (
        demo_provider() as at,
        running_site(at, here, store) as site,
        running_site(at, there, store, change=without_portal) as other,
    ):
        ada, olga = await site.signed_in("ada"), await site.signed_in(OWNER)
        wish, token = await granted(site, ada, olga)

        async def is_let_in() -> bool:
            return await other.gateway.caller.get("/orders", token) == 200

        async def is_refused() -> bool:
            return (await other.gateway.caller("GET", "/orders", token)).status == 403

        await until(is_let_in)
        for verb, comes_true in (("revoke", is_refused), ("restore", is_let_in)):
            await decide(olga, wish, verb)
            answered = time.monotonic()
            await until(comes_true, f"{verb} is not in force there")
            assert time.monotonic() - answered < 1
