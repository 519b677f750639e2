"""The providers that sites are tried with, and how people sign in there in a browser."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from socket import socket
from typing import TypeAlias

from playwright.async_api import Page

from gateway.demo.identity_provider import DemoProvider, run_identity_provider
from tests import gateways
from tests.gateways import Config
from tests.idp import glewlwyd
from tests.idp.clients import Client
from tests.idp.glewlwyd import Glewlwyd
from tests.idp.oidc_provider import OidcProvider

OWNER = "olga"
"""Who decides, when signed in under that name."""

Admit: TypeAlias = Callable[[str], tuple[str, str]]
"""Makes a client of a portal at that origin: id and secret."""
SignIn: TypeAlias = Callable[[Page, str], Awaitable[None]]
"""Fills in the provider's own pages, for somebody of that name; the portal's page comes next."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """A provider, as a site needs it."""

    issuer: str
    token_endpoint: str
    introspector: tuple[str, str] = field(repr=False)
    """Id and secret of the client that the gateway is."""
    admit: Admit
    sign_in: SignIn
    scope: str = "read"
    """Of the API."""
    owners: Config = field(default_factory=lambda: {"claim": "sub", "any_of": [OWNER]})
    asks_for: tuple[str, ...] = ("openid",)
    """Scopes at sign-in."""
    needs_scripts: bool = False
    """Whether its pages run scripts."""
    still_active: Callable[[str], bool] = field(default=lambda _: False)
    """Whether it calls a token active."""


@asynccontextmanager
async def demo_provider(listener: socket | None = None) -> AsyncIterator[At]:
    """The provider for development, until the end of the block. Its client `shop` has no contract."""
    async with run_identity_provider(listener=listener) as provider:
        provider.add_client("shop", "of-the-shop", scope="orders.read")
        yield _at_demo(provider)


def _at_demo(provider: DemoProvider) -> At:
    def admit(origin: str) -> tuple[str, str]:
        client = ("portal", "of-the-portal")
        grants, responses = ["authorization_code"], ["code"]
        redirects = [f"{origin}/signed-in"]
        provider.add_client(
            *client, grant_types=grants, response_types=responses, redirect_uris=redirects, scope="openid profile"
        )
        return client

    async def sign_in(page: Page, name: str) -> None:
        await page.get_by_label("Name").fill(name)
        await page.get_by_role("button", name="Log in").click()

    return At(
        issuer=provider.issuer,
        token_endpoint=f"{provider.issuer}/token",
        introspector=("gateway", gateways.SECRET),
        admit=admit,
        sign_in=sign_in,
        scope="orders.read",
        asks_for=("openid", "profile"),
    )


def at_oidc_provider(provider: OidcProvider) -> At:
    """The npm package, which is certified: whoever gives a name is signed in."""

    def admit(origin: str) -> tuple[str, str]:
        record = provider.register({"redirect_uris": [f"{origin}/signed-in"]}).json()
        return record["client_id"], record["client_secret"]

    async def sign_in(page: Page, name: str) -> None:
        await page.locator("[name=login]").fill(name)
        await page.locator("[name=password]").fill("any will do")
        await page.get_by_role("button", name="Sign-in").click()
        await page.get_by_role("button", name="Continue").click()

    return At(
        issuer=provider.issuer,
        token_endpoint=provider.token_endpoint,
        introspector=(provider.introspector.client_id, provider.introspector.client_secret),
        admit=admit,
        sign_in=sign_in,
        still_active=lambda token: bool(provider.introspect(token).json()["active"]),
    )


def at_glewlwyd(provider: Glewlwyd) -> At:
    """Debian's package: `ada` has nothing but a name, `olga` the scope `write`, which makes an owner."""
    number = next(_numbers)

    def admit(origin: str) -> tuple[str, str]:
        client = Client(client_id=f"portal-{number}")
        glewlwyd.add_web_client(provider, client, f"{origin}/signed-in", ["openid", "write"])
        for name, scopes in (("ada", ["openid"]), (OWNER, ["openid", "write"])):
            glewlwyd.add_user(provider, f"{name}-{number}", scopes)
        return client.client_id, client.client_secret

    async def sign_in(page: Page, name: str) -> None:
        await page.locator("#username").fill(f"{name}-{number}")
        await page.locator("#password").fill(glewlwyd.PASSWORD)
        await page.get_by_role("button", name="OK").click()
        if name == OWNER:
            await page.locator("#grant-write").check()
            await page.get_by_role("button", name="Grant access").click()
        await page.get_by_role("button", name="Continue").click()

    return At(
        issuer=provider.issuer,
        token_endpoint=provider.token_endpoint,
        introspector=(provider.introspector.client_id, provider.introspector.client_secret),
        admit=admit,
        sign_in=sign_in,
        owners={"scopes": ["write"]},
        needs_scripts=True,
        still_active=lambda token: bool(provider.introspect(token).json()["active"]),
    )
