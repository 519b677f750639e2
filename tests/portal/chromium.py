"""A real browser: Debian's chromium, driven by Playwright. It leaves no process behind.

With TOKENWARD_SCREENSHOTS=FOLDER, what it saw is kept there as pictures.
"""

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = shutil.which("chromium")
PHONE, DESK = 360, 1280
"""Widths of windows, in CSS pixels."""
SCREENSHOTS = os.environ.get("TOKENWARD_SCREENSHOTS")
REQUIRED = os.environ.get("TOKENWARD_REQUIRE_SERVERS") == "1"

needs_chromium = pytest.mark.skipif(CHROMIUM is None and not REQUIRED, reason="there is no chromium here")


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody looks at a page."""

    width: int
    scheme: Literal["light", "dark"]

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}"


LOOKS = tuple(Look(width, scheme) for width in (PHONE, DESK) for scheme in ("light", "dark"))


@asynccontextmanager
async def open_chromium() -> AsyncIterator[Browser]:
    """The browser, until the end of the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def window(
    browser: Browser, look: Look = LOOKS[-2], *, cookies: Sequence[dict[str, str]] = (), scripts: bool = False
) -> AsyncIterator[Page]:
    """A window of somebody who has these cookies. Nothing but this machine is reached from it.

    Pages of the portal run no scripts: `scripts` lets a test look into one by a script of its own.
    """
    context = await browser.new_context(
        viewport={"width": look.width, "height": 800}, color_scheme=look.scheme, java_script_enabled=scripts
    )
    try:
        for cookie in cookies:
            await context.add_cookies([{"name": cookie["name"], "value": cookie["value"], "url": cookie["url"]}])
        yield await context.new_page()
    finally:
        await context.close()


async def keep_picture(page: Page, name: str) -> None:
    """Keep what the window shows, if pictures are wanted."""
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)
