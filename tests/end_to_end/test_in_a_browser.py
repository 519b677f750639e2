"""The life of an application as people live it: in a browser, at identity providers that others wrote."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.clients.postgresql import missing
from tests.end_to_end.processes import one_connection_each
from tests.end_to_end.providers import OWNER, at_glewlwyd, at_oidc_provider
from tests.end_to_end.sites import Keys, Site, running_site, store_url
from tests.gateways import Caller
from tests.idp.fixtures import MISSING, must_be_here
from tests.portal.chromium import needs_chromium, window

pytestmark = [needs_chromium, pytest.mark.asyncio(loop_scope="session")]


def over(provider: str, store: str, workers: int) -> object:
    """A skip is told at once and not while the test runs: what is skipped must count as no proof."""
    reason = None if must_be_here() else MISSING[provider]() or (missing() if store == "postgresql" else None)
    marks = [pytest.mark.skip(reason=reason)] if reason else []
    return pytest.param((provider, store, workers), marks=marks, id=f"{provider}, {store}, workers: {workers}")


@pytest.mark.parametrize("kind", [over("oidc_provider", "postgresql", 2), over("glewlwyd", "sqlite", 1)])
async def test_an_application_lives_as_its_owner_decides(
    kind: tuple[str, str, int], chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    provider, store, workers = kind
    running = request.getfixturevalue(provider)
    at = at_oidc_provider(running) if provider == "oidc_provider" else at_glewlwyd(running)
    url = await store_url(store, tmp_path, request)
    async with (
        running_site(at, tmp_path, url, workers=workers) as site,
        signed_in(chromium, site, "ada") as ada,
        signed_in(chromium, site, OWNER) as olga,
        one_connection_each(site.gateway) as callers,
    ):
        await ask(ada, "Gold")
        await decide(olga, "Approve")
        token = await site.token(await credentials(ada))
        assert await statuses(callers, token) == {200}

        await decide(olga, "Revoke", "It called too often.")
        assert await statuses(callers, token) == {403}
        await ada.reload()
        await expect(ada.get_by_text("It called too often.")).to_be_visible()
        await decide(olga, "Restore")
        assert await statuses(callers, token) == {200}

        await delete(ada)
        assert await asyncio.to_thread(at.still_active, token)
        assert await statuses(callers, token) == {401}


async def statuses(callers: list[Caller], token: str) -> set[int]:
    """What is answered to the very next request of each."""
    return {await caller.get("/orders", token) for caller in callers}


@asynccontextmanager
async def signed_in(chromium: Browser, site: Site, name: str) -> AsyncIterator[Page]:
    """A window of somebody's own, in which somebody signed in by the provider's own pages."""
    async with window(chromium, scripts=site.at.needs_scripts) as page:
        await page.goto(site.origin)
        await page.get_by_role("link", name="Sign in").click()
        await site.at.sign_in(page, name)
        await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        page.set_default_timeout(6000)
        yield page


async def ask(page: Page, tier: str) -> None:
    """Ask for access for a new application, and look at that."""
    await page.get_by_role("link", name="Orders").click()
    await page.get_by_role("link", name="Ask for access").click()
    await page.get_by_label("Name", exact=True).fill("Shop")
    # glewlwyd registers no client without one.
    await page.get_by_label("Redirect URIs").fill("https://shop.example/callback")
    await page.get_by_label(tier).check()
    await page.get_by_role("button", name="Ask for access").click()
    await page.get_by_role("link", name="Go to the application").click()


async def decide(page: Page, verb: str, reason: str = "") -> None:
    """About the request that waits, or else about the contract that there is."""
    pages = page.get_by_role("navigation", name="Main")
    await pages.get_by_role("link", name="Requests" if verb == "Approve" else "Contracts").click()
    await page.get_by_role("main").get_by_role("link", name="Shop").first.click()
    form = page.locator("form", has=page.get_by_role("heading", name=verb, exact=True))
    await form.get_by_label("Reason").fill(reason)
    await form.get_by_role("button", name=verb).click()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()


async def credentials(page: Page) -> Keys:
    """Of the application on the page; then that page again."""
    await page.reload()
    await page.get_by_role("button", name="Show credentials").click()
    keys = Keys(await page.locator("#client-id").inner_text(), await page.locator("#client-secret").inner_text())
    await page.get_by_role("link", name="I have copied them").click()
    await expect(page.get_by_role("button", name="Show credentials")).to_have_count(0)
    return keys


async def delete(page: Page) -> None:
    """The application on the page."""
    await page.get_by_role("link", name="Delete").click()
    await page.get_by_label(re.compile("name")).fill("Shop")
    await page.get_by_role("button", name="Delete it for ever").click()
    await expect(page.get_by_text("You have no application yet")).to_be_visible()
