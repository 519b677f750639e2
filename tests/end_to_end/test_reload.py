"""A changed file: what may be asked for, and how, is other in the portal, without a restart."""

import copy
import json
import signal
from pathlib import Path

import pytest

from tests.end_to_end.providers import demo_provider
from tests.end_to_end.sites import Site, ask_for_access, running_site
from tests.gateways import Config, until
from tests.portal.pages.sites import Somebody


def changed(site: Site, title: str, *, tier: str, way: str) -> Config:
    """The configuration with another title of the API, one more tier, and one way to prove who an application is."""
    config: Config = copy.deepcopy(json.loads(site.gateway.config.read_text()))
    config["apis"]["orders"]["title"] = title
    config["tiers"][tier] = {"title": tier.title(), "approval": "automatic"}
    config["apis"]["orders"]["tiers"].append(tier)
    config["providers"]["idp"]["registration"] = {"authentication": [way]}
    return config


async def shows(somebody: Somebody, title: str, tier: str, way: str) -> bool:
    """Whether the portal has all of it."""
    form = (await somebody.sees("/apis/orders/ask")).text
    catalogue = (await somebody.sees("/")).text
    ways = {each for each in ("client_secret_basic", "client_secret_post") if f'value="{each}"' in form}
    return title in catalogue and f'value="{tier}"' in form and ways == {way}


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_portal_follows_a_reload_that_is_asked_for(workers: int, tmp_path: Path) -> None:
    async with (
        demo_provider() as at,
        running_site(at, tmp_path, f"sqlite:///{tmp_path}/store.db", workers=workers) as site,
    ):
        ada = await site.signed_in("ada")
        site.gateway.write(changed(site, "First", tier="silver", way="client_secret_post"))
        assert (await site.gateway.operator.reload()).status == 200
        assert await shows(ada, "First", "silver", "client_secret_post")

        site.gateway.write(changed(site, "Second", tier="copper", way="client_secret_basic"))
        site.gateway.tell(signal.SIGHUP)
        await until(lambda: shows(ada, "Second", "copper", "client_secret_basic"), "SIGHUP did not reach the portal")
        await ask_for_access(ada, tier="copper")


async def test_the_portal_of_several_workers_follows_a_file_that_is_replaced(tmp_path: Path) -> None:
    async with (
        demo_provider() as at,
        running_site(at, tmp_path, f"sqlite:///{tmp_path}/store.db", workers=2, reload={"watch": True}) as site,
    ):
        ada = await site.signed_in("ada")
        site.gateway.write(changed(site, "Noticed", tier="silver", way="client_secret_post"))
        await until(lambda: shows(ada, "Noticed", "silver", "client_secret_post"), "the file was not noticed")


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_file_with_a_mistake_leaves_the_portal_as_it_is(workers: int, tmp_path: Path) -> None:
    async with (
        demo_provider() as at,
        running_site(at, tmp_path, f"sqlite:///{tmp_path}/store.db", workers=workers) as site,
    ):
        somebody = await site.visitor()
        config = changed(site, "Wrong", tier="silver", way="client_secret_post")
        config["apis"]["orders"]["tiers"].append("nowhere")
        site.gateway.write(config)
        assert (await site.gateway.operator.reload()).status == 422
        catalogue = (await somebody.sees("/")).text
        assert "Orders" in catalogue
        assert "Wrong" not in catalogue
