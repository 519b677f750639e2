"""The portal in a real browser: on a phone and on a desk, in light and in dark, by keyboard, without a script."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from playwright.async_api import Browser, Error, Page, expect

from gateway.clients.client import Client, Metadata
from gateway.clients.store import Usage
from tests.fakes import NOON
from tests.portal.chromium import DESK, LOOKS, Look, keep_picture, needs_chromium, open_chromium, window
from tests.portal.pages.sites import OWNER, Site

pytestmark = needs_chromium

SHOP = Metadata(
    client_name="Checkout of the shop",
    description="Places orders for customers of the shop, and looks up where they are.",
    client_uri="https://shop.example/about",
    contacts=("ada@shop.example",),
)
LONG = replace(SHOP, client_name="A" * 90, description="https://shop.example/" + "b" * 300)
"""Words that cannot be broken at a blank."""
HOUR = int(NOON // 3_600)


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    async with open_chromium() as browser:
        yield browser


async def _filled(site: Site) -> dict[str, str]:
    """The paths of all pages, with something on each."""
    client, agreement = await site.approved(SHOP, by=OWNER)
    waiting = await site.asked(LONG, by=OWNER)
    await _use(site, client)
    return {
        "catalogue": "/",
        "api": "/apis/orders",
        "ask": "/apis/orders/ask",
        "asked": f"/asked/{waiting.id}",
        "applications": "/applications",
        "application": f"/applications/{client.id}",
        "draft": f"/applications/{waiting.client}",
        "edit": f"/applications/{client.id}/edit",
        "rotate": f"/applications/{client.id}/rotate",
        "delete": f"/applications/{client.id}/delete",
        "requests": "/requests",
        "contracts": "/contracts",
        "request": f"/contracts/{waiting.id}",
        "contract": f"/contracts/{agreement.id}",
        "audit": "/audit",
        "providers": "/providers",
        "nowhere": "/nowhere",
    }


async def _use(site: Site, client: Client) -> None:
    assert client.client_id is not None
    shares = [("allowed", 7), ("rate_limited", 2), ("insufficient_scope", 1)]
    await site.store.add_usage(
        Usage(
            hour=HOUR - back,
            provider="demo",
            client_id=client.client_id,
            api="orders",
            code=code,
            calls=calls * (back % 5 + 1),
        )
        for back in range(40)
        for code, calls in shares
    )


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_no_page_is_wider_than_its_window(site: Site, chromium: Browser, look: Look) -> None:
    paths = await _filled(site)
    olga = await site.signed_in(OWNER)
    async with window(chromium, look, cookies=olga.cookies(), scripts=True) as page:
        for name, path in paths.items():
            await page.goto(site.origin + path)
            await page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            await keep_picture(page, f"{name}-{look}")
            assert wide == 0, name


async def test_a_developer_gets_access_without_a_script(site: Site, chromium: Browser) -> None:
    async with window(chromium) as page:
        await _sign_in(page, site, "ada")
        await page.get_by_role("link", name="Orders").click()
        await page.get_by_role("link", name="Ask for access").click()
        await page.get_by_label("Name", exact=True).fill("Shop")
        await page.get_by_label("Free").check()
        await page.get_by_role("button", name="Ask for access").click()
        await expect(page.get_by_role("alert")).to_contain_text("One thing needs your attention")
        assert await page.get_by_label("Name", exact=True).input_value() == "Shop"
        await page.get_by_label("I accept these terms").check()
        await page.get_by_role("button", name="Ask for access").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Access is given")
        await page.get_by_role("link", name="Go to the application").click()
        await page.get_by_role("button", name="Show credentials").click()
        await expect(page.locator("#client-secret")).not_to_be_empty()
        await keep_picture(page, "credentials")


@pytest.mark.case("C296")
async def test_who_goes_back_after_the_credentials_is_not_shown_them_again(site: Site, chromium: Browser) -> None:
    client, _ = await site.approved(SHOP)
    ada = await site.signed_in("ada")
    async with window(chromium, cookies=ada.cookies()) as page:
        await page.goto(f"{site.origin}/applications/{client.id}")
        await page.get_by_role("button", name="Show credentials").click()
        await expect(page.locator("#client-secret")).not_to_be_empty()
        await page.get_by_role("link", name="I have copied them").click()
        # The answer to a form is not kept: the browser would have to send the form anew, and does not without asking.
        with pytest.raises(Error, match="ERR_CACHE_MISS"):
            await page.go_back()
        await expect(page.locator("#client-secret")).to_have_count(0)


async def test_a_mistake_is_reached_from_the_summary_and_is_tied_to_its_field(site: Site, chromium: Browser) -> None:
    ada = await site.signed_in("ada")
    async with window(chromium, cookies=ada.cookies()) as page:
        await page.goto(f"{site.origin}/apis/orders/ask")
        await page.get_by_role("button", name="Ask for access").click()
        await page.get_by_role("link", name="Give the application a name.").click()
        field = page.get_by_label("Name", exact=True)
        await expect(field).to_be_focused()
        await expect(field).to_have_accessible_description(
            "As owners and users will read it. Give the application a name."
        )
        await keep_picture(page, "mistakes")


async def test_everything_is_reached_and_done_by_keyboard(site: Site, chromium: Browser) -> None:
    agreement = await site.asked(SHOP)
    olga = await site.signed_in(OWNER)
    async with window(chromium, cookies=olga.cookies()) as page:
        await page.goto(f"{site.origin}/contracts/{agreement.id}")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await _tab_to(page, "button", "Approve")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Requests that wait for you")
        await expect(page.get_by_text("Nothing waits for you")).to_be_visible()


async def test_focus_can_be_seen(site: Site, chromium: Browser) -> None:
    async with window(chromium, scripts=True) as page:
        await page.goto(f"{site.origin}/apis/orders")
        seen = 0
        for _ in range(12):
            await page.keyboard.press("Tab")
            style = await page.evaluate("getComputedStyle(document.activeElement).outline")
            on_body = await page.evaluate("document.activeElement === document.body")
            if not on_body:
                seen += 1
                assert "solid 3px" in style or "3px solid" in style, style
        assert seen >= 6


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[2]], ids=str)
async def test_fingers_hit_what_can_be_pressed(site: Site, chromium: Browser, look: Look) -> None:
    """WCAG 2.2, 2.5.8: a target is at least 24 by 24 CSS pixels, unless it stands in a sentence."""
    paths = await _filled(site)
    olga = await site.signed_in(OWNER)
    async with window(chromium, look, cookies=olga.cookies(), scripts=True) as page:
        for name, path in paths.items():
            await page.goto(site.origin + path)
            small = await page.evaluate(
                """[...document.querySelectorAll("button, .button, nav a, select, input:not([type=hidden]), textarea")]
                .map(each => [each.outerHTML.slice(0, 80), (each.closest("label") ?? each).getBoundingClientRect()])
                .filter(([_, box]) => box.width > 0 && (box.height < 24 || box.width < 24)).map(([html]) => html)"""
            )
            assert small == [], name


async def test_the_description_is_asked_for_new_applications_only(site: Site, chromium: Browser) -> None:
    await site.asked(SHOP)
    ada = await site.signed_in("ada")
    async with window(chromium, Look(DESK, "light"), cookies=ada.cookies()) as page:
        await page.goto(f"{site.origin}/apis/weather/ask")
        await expect(page.get_by_label("Name", exact=True)).to_be_visible()
        await page.get_by_label("Checkout of the shop").check()
        await expect(page.get_by_label("Name", exact=True)).to_be_hidden()


async def test_the_table_stays_a_table_for_those_who_hear_it(site: Site, chromium: Browser) -> None:
    await site.approved(SHOP)
    olga = await site.signed_in(OWNER)
    async with window(chromium, LOOKS[0], cookies=olga.cookies()) as page:
        await page.goto(f"{site.origin}/contracts")
        await expect(page.get_by_role("table")).to_have_count(1)
        await expect(page.get_by_role("columnheader")).to_have_count(5)
        await expect(page.get_by_role("rowheader", name="Checkout of the shop")).to_be_visible()


async def _sign_in(page: Page, site: Site, name: str) -> None:
    await page.goto(site.origin)
    await page.get_by_role("link", name="Sign in").click()
    await page.get_by_label("Name").fill(name)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_text(name, exact=True)).to_be_visible()


async def _tab_to(page: Page, role: str, name: str) -> None:
    """Press Tab until that is focused; at most once round the page."""
    wanted = page.locator(f"{role}:focus", has_text=name)
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await wanted.count():
            return
    raise AssertionError(f"no {role} {name} is reached")
