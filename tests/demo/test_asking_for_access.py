"""What the demo's text says of its portal, done: ask, approve, call with what the page shows, revoke."""

import asyncio
import re
from html import unescape

import aiohttp
import pytest

from gateway.demo.running import Ports, open_demo
from tests.demo.test_demo import ENVIRONMENT
from tests.end_to_end.sites import ask_for_access, decide
from tests.gateways import until
from tests.portal.pages.sites import Somebody


async def signed_in(session: aiohttp.ClientSession, portal: str, name: str) -> Somebody:
    return await Somebody(session, portal).signs_in(name)


async def status_of(commands: str) -> int:
    """What the API answers to the commands that a page shows."""
    shell = await asyncio.create_subprocess_shell(
        commands.replace("curl ", "curl --silent --include "),
        stdout=asyncio.subprocess.PIPE,
        env=ENVIRONMENT,
    )
    async with asyncio.timeout(10):
        printed, _ = await shell.communicate()
    found = re.findall(r"^HTTP/1\.1 (\d+)", printed.decode(), re.MULTILINE)
    return int(found[-1])


@pytest.fixture
def ports() -> Ports:
    return Ports(gateway=0, admin=0, portal=0, provider=0, upstream=0)


async def test_access_is_asked_for_granted_used_and_revoked_as_the_text_says(ports: Ports) -> None:
    def jar() -> aiohttp.CookieJar:
        return aiohttp.CookieJar(unsafe=True)

    async with (
        open_demo(ports) as demo,
        aiohttp.ClientSession(cookie_jar=jar()) as one,
        aiohttp.ClientSession(cookie_jar=jar()) as another,
    ):
        ada, olga = await signed_in(one, demo.portal, "ada"), await signed_in(another, demo.portal, "olga")
        wish = await ask_for_access(ada, tier="gold")
        await decide(olga, wish, "approve")
        page = f"/applications/{wish.application}"
        shown = await ada.sends(page, f"{page}/credentials")
        (commands,) = re.findall(r'<code id="command">(.*?)</code>', shown.text, re.DOTALL)
        assert await status_of(unescape(commands)) == 200
        await decide(olga, wish, "revoke")
        assert await status_of(unescape(commands)) == 403

        async def is_counted() -> bool:
            return "1</strong> allowed and <strong>1</strong> refused" in (await ada.sees(page)).text

        await until(is_counted, "the calls are not shown")
