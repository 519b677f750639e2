"""Makes the pictures of the documentation anew: `python -m tests.end_to_end.screenshots` writes docs/images.

They are of a running gateway, at the provider for development. No test makes them: a picture is a file to be looked at
before it is kept.
"""

import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from playwright.async_api import Browser
from pydantic import SecretStr

from gateway.clients.store import Usage
from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clock import SystemClock
from tests.end_to_end.providers import OWNER, demo_provider
from tests.end_to_end.sites import STORE_KEY, Keys, Site, Wish, ask_for_access, decide, running_site
from tests.gateways import Config
from tests.portal.chromium import DESK, PHONE, Look, open_chromium, window
from tests.portal.pages.sites import Somebody

IMAGES = Path(__file__).parents[2] / "docs" / "images"
LIGHT, DARK, SMALL = Look(DESK, "light"), Look(DESK, "dark"), Look(PHONE, "light")
HOURS = (3, 2, 1, 1, 2, 4, 9, 16, 27, 34, 38, 41, 36, 39, 44, 47, 43, 35, 28, 22, 15, 11, 8, 5)
"""How much is called in each of the last 24 hours."""
CALLS = 140
MOST_BYTES = 150_000


def as_in_a_company(config: Config) -> None:
    """Several APIs with what developers read of them."""
    upstream = config["routes"]["orders"]["upstream"]
    policies = config["routes"]["orders"]["policies"]
    for name in ("invoices", "stock"):
        config["routes"][name] = {"path": f"/{name}", "upstream": upstream, "policies": policies}
    config["portal"]["title"] = "Example developers"
    config["tiers"] = {
        "bronze": {
            "title": "Bronze",
            "description": "To try things out.",
            "limits": [{"requests": 60, "seconds": 60}],
            "approval": "automatic",
        },
        "gold": {
            "title": "Gold",
            "description": "For applications that people rely on.",
            "limits": [{"requests": 600, "seconds": 60}, {"requests": 100_000, "seconds": 86_400}],
        },
    }
    tiers = {"version": "1", "tiers": ["bronze", "gold"]}
    config["apis"] = {
        "orders": {**tiers, "title": "Orders", "description": "Place orders, read them, and cancel them."},
        "invoices": {**tiers, "title": "Invoices", "description": "Invoices and credit notes, as PDF and as data."},
        "stock": {
            "title": "Stock",
            "version": "2",
            "description": "What is in which warehouse, and when more of it comes.",
            "approval": "automatic",
        },
    }


async def make_all(folder: Path) -> None:
    """Every picture, into `folder`."""
    with tempfile.TemporaryDirectory(prefix="tokenward-screenshots-") as name:
        home = Path(name)
        store = f"sqlite:///{home}/store.db"
        async with (
            demo_provider() as at,
            running_site(at, home, store, change=as_in_a_company) as site,
            open_chromium() as chromium,
        ):
            ada, olga = await site.signed_in("ada"), await site.signed_in(OWNER)
            shop = await _lived_in(site, ada, olga)
            keys = await _picture_credentials(chromium, ada, shop, folder)
            await _picture_asking(chromium, await site.signed_in("cleo"), folder)
            await _use(site, store, keys)
            page = f"/applications/{shop.application}"
            for name, somebody, path, look, height in (
                ("catalogue", ada, "/", LIGHT, 620),
                ("application", ada, page, LIGHT, 1420),
                ("application-dark", ada, page, DARK, 1420),
                ("application-phone", ada, page, SMALL, 1000),
                ("requests", olga, "/requests", LIGHT, 620),
                ("audit", olga, "/audit", LIGHT, 860),
            ):
                await _picture(chromium, somebody, path, look, height, folder / f"{name}.png")


async def _lived_in(site: Site, ada: Somebody, olga: Somebody) -> Wish:
    """Some applications; the one that is looked at."""
    shop = await ask_for_access(ada, name="Checkout of the shop", reason="Customers order here.")
    await decide(olga, shop, "approve", "Agreed with the team of the shop.")
    ben, cleo = await site.signed_in("ben"), await site.signed_in("cleo")
    returns = await ask_for_access(ben, name="Returns desk", tier="bronze", reason="To see what may come back.")
    await decide(olga, returns, "revoke", "It called from two places at once.")
    await ask_for_access(ben, name="Delivery planner", reason="It plans tomorrow's tours from today's orders.")
    await ask_for_access(cleo, name="Loyalty programme", reason="Points for what was ordered, once a night.")
    return shop


async def _use(site: Site, store: str, keys: Keys) -> None:
    """Some calls now, and as if there had been many in a day."""
    token = await site.token(keys)
    for _ in range(CALLS):
        assert await site.gateway.caller.get("/orders", token) == 200
    now = int(SystemClock().time() // 3600)
    options = StoreOptions(url=SecretStr(store), encryption_keys=(SecretStr(STORE_KEY),))
    async with open_store(options, SystemClock()) as opened:
        await opened.add_usage(
            Usage(hour=now - back, provider="idp", client_id=keys.client_id, api="orders", code=code, calls=calls)
            for back, times in enumerate(reversed(HOURS))
            for code, calls in (("allowed", 190 * times), ("rate_limited", 30 * max(0, times - 30)))
            if calls
        )


async def _picture_credentials(chromium: Browser, ada: Somebody, wish: Wish, folder: Path) -> Keys:
    """They are shown once: the picture is taken then."""
    async with window(chromium, LIGHT, cookies=ada.cookies()) as page:
        await page.goto(f"{ada.origin}/applications/{wish.application}")
        await page.get_by_role("button", name="Show credentials").click()
        keys = Keys(await page.locator("#client-id").inner_text(), await page.locator("#client-secret").inner_text())
        await page.screenshot(path=folder / "credentials.png")
        return keys


async def _picture_asking(chromium: Browser, somebody: Somebody, folder: Path) -> None:
    async with window(chromium, LIGHT, cookies=somebody.cookies()) as page:
        await page.set_viewport_size({"width": LIGHT.width, "height": 900})
        await page.goto(f"{somebody.origin}/apis/invoices/ask")
        await page.get_by_label("Name", exact=True).fill("Tax adviser")
        await page.get_by_label("What it does").fill("Collects the invoices of a month for the tax adviser.")
        await page.screenshot(path=folder / "ask.png")


async def _picture(chromium: Browser, somebody: Somebody, path: str, look: Look, height: int, file: Path) -> None:
    async with window(chromium, look, cookies=somebody.cookies()) as page:
        await page.set_viewport_size({"width": look.width, "height": height})
        await page.goto(somebody.origin + path)
        await page.screenshot(path=file)


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 where a picture has become too large for a repository."""
    folder = Path(arguments[0]) if arguments else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(make_all(folder))
    large = [file.name for file in folder.glob("*.png") if file.stat().st_size > MOST_BYTES]
    sys.stdout.write(f"Pictures are in {folder}.\n" + "".join(f"{name} is too large.\n" for name in large))
    return 1 if large else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
