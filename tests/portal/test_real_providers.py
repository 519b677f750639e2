"""The portal with identity providers that others wrote, and with the one for development."""

import asyncio
import html
import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from pydantic import SecretStr

from gateway.clients.store.store import Store
from gateway.clock import SystemClock
from gateway.demo.identity_provider import DemoProvider, run_identity_provider
from gateway.providers import ClientAuthentication, ClientCredentials
from gateway.settings.portal import Owners
from tests.fakes import FakeClock
from tests.idp.oidc_provider import OidcProvider
from tests.idp.sign_in import Browser as ProviderBrowser
from tests.portal.browser import Browser
from tests.portal.portals import Portal, opened_store, provider_at, running

# With the development identity provider


async def log_in(browser: Browser, name: str, decision: str = "allow", to: str = "/who") -> str:
    """Open the login page of the development identity provider, and say who we are. Where that leads."""
    asked = await browser.get(f"/sign-in?to={to}")
    url = asked.location
    body = f"name={name}&decision={decision}"
    sent = await browser.send("POST", url, {"Content-Type": "application/x-www-form-urlencoded"}, body)
    assert sent.status == 302, sent.text
    return sent.location


def add_portal(provider: DemoProvider, origin: str) -> ClientCredentials:
    provider.add_client(
        "portal",
        "of-the-portal",
        grant_types=["authorization_code"],
        redirect_uris=[f"{origin}/signed-in"],
        scope="openid profile",
    )
    return ClientCredentials(client_id="portal", client_secret=SecretStr("of-the-portal"))


async def test_people_sign_in_with_the_development_provider(store: Store, clock: FakeClock) -> None:
    owners = Owners(claim="name", any_of=("olga",))
    async with (
        run_identity_provider(clock=clock) as provider,
        running(
            provider_at(provider.issuer),
            store,
            clock,
            credentials=lambda origin: add_portal(provider, origin),
            sign_in={"scopes": ("openid", "profile")},
            owners=owners,
        ) as portal,
    ):
        for name, decides in (("anna", False), ("olga", True)):
            browser = portal.browser()
            back = await portal.come_back(browser, await log_in(browser, name))
            assert back.headers["Location"] == f"{portal.origin}/who"
            assert f"idp:{name} {name}  decides={decides}" in (await browser.get("/who")).text


async def test_who_cancels_at_the_development_provider_is_told_so(store: Store, clock: FakeClock) -> None:
    async with (
        run_identity_provider(clock=clock) as provider,
        running(
            provider_at(provider.issuer),
            store,
            clock,
            credentials=lambda origin: add_portal(provider, origin),
            sign_in={"scopes": ("openid", "profile")},
        ) as portal,
    ):
        browser = portal.browser()
        shown = await portal.come_back(browser, await log_in(browser, "anna", "deny"))
        assert shown.status == 403


# With oidc-provider, which is certified


class AtProvider(ProviderBrowser):
    """The same person's browser at the provider."""

    def sign_out(self, url: str) -> str:
        """Open the page for signing out, and agree. Where that leads."""
        page = self._send("GET", url).body.decode()
        action, xsrf = re.search(r'action="([^"]+)"', page), re.search(r'name="xsrf" value="([^"]+)"', page)
        assert action, page
        assert xsrf, page
        answer = self._send("POST", urljoin(url, html.unescape(action[1])), {"xsrf": xsrf[1], "logout": "yes"})
        return str(answer.headers["Location"])


@pytest.fixture(params=["client_secret_basic", "client_secret_post", "client_secret_jwt"])
def authentication(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def portal(oidc_provider: OidcProvider, tmp_path: Path, authentication: str) -> AsyncIterator[Portal]:
    """A portal whose people sign in at oidc-provider."""
    clock = SystemClock()

    def register(origin: str) -> ClientCredentials:
        record = oidc_provider.register({
            "redirect_uris": [f"{origin}/signed-in"],
            "post_logout_redirect_uris": [f"{origin}/signed-out"],
            "backchannel_logout_uri": f"{origin}/back-channel-logout",
            "backchannel_logout_session_required": True,
            "token_endpoint_auth_method": authentication,
        }).json()  # fmt: skip
        return ClientCredentials(
            authentication=ClientAuthentication(authentication),
            client_id=record["client_id"],
            client_secret=SecretStr(record["client_secret"]),
            algorithm="HS256" if authentication == "client_secret_jwt" else "RS256",
        )

    async with (
        opened_store(tmp_path, clock) as store,
        running(
            provider_at(oidc_provider.issuer), store, clock, credentials=register, sign_in={"scopes": ("openid",)}
        ) as portal,
    ):
        yield portal


async def sign_in(portal: Portal, browser: Browser, there: AtProvider) -> None:
    asked = await browser.get("/sign-in?to=/who")
    back = await asyncio.to_thread(there.open, asked.location, until=portal.origin)
    shown = await portal.come_back(browser, back)
    assert shown.headers["Location"] == f"{portal.origin}/who"


async def test_people_sign_in_and_out_with_oidc_provider(portal: Portal) -> None:
    browser, there = portal.browser(), AtProvider("alice")
    await sign_in(portal, browser, there)
    assert "idp:alice" in (await browser.get("/who")).text
    shown = await browser.submit("/who", "/sign-out")
    url = shown.headers["Refresh"].removeprefix("0; url=")
    back = await asyncio.to_thread(there.sign_out, url)
    assert back.startswith(f"{portal.origin}/signed-out")
    assert (await browser.get(urlsplit(back).path)).status == 200


async def test_oidc_provider_ends_the_session_when_somebody_signs_out_there(
    portal: Portal, oidc_provider: OidcProvider
) -> None:
    browser, there = portal.browser(), AtProvider("alice")
    await sign_in(portal, browser, there)
    other, elsewhere = portal.browser(), AtProvider("alice")
    await sign_in(portal, other, elsewhere)
    client_id = portal.options.sign_in.credentials.client_id
    await asyncio.to_thread(there.sign_out, f"{oidc_provider.issuer}/session/end?client_id={client_id}")
    assert (await browser.get("/who")).status == 303
    assert (await other.get("/who")).status == 200
