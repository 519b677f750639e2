"""Portals on loopback, with pages that show what a page can rely on."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from gateway.clients import ClientKey
from gateway.clients.catalogue import Catalogue
from gateway.clients.mistakes import Conflict, NotFound, TooMany
from gateway.clients.registry import Registry
from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import new_key
from gateway.clients.store.store import Store
from gateway.demo.listening import address, bind
from gateway.fetch import open_fetch
from gateway.policy import Unavailable
from gateway.portal.opening import open_portal
from gateway.portal.reception import ReceptionStore
from gateway.portal.visits import Page, Parts, Visit
from gateway.ports import Clock
from gateway.providers import ClientCredentials, Provider, Transport
from gateway.settings.portal import PortalSettings, SignIn
from tests.portal.browser import Browser, Shown
from tests.portal.fake_provider import FakeProvider

CREDENTIALS = ClientCredentials(client_id="portal", client_secret=SecretStr("of-the-portal"))


def page(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html")


async def show_home(_: Visit) -> web.Response:
    return page("home")


async def show_who(visit: Visit) -> web.Response:
    person = visit.actor.person
    assert person is not None
    csrf = visit.visitor.csrf if visit.visitor else ""
    return page(
        f"<p>{person.provider}:{person.subject} {person.name} {person.email} decides={visit.actor.decides}</p>"
        f'<input type="hidden" name="csrf" value="{csrf}">'
    )


class Changes:
    """Counts what reached the page."""

    def __init__(self) -> None:
        self.made = 0

    async def make(self, visit: Visit) -> web.Response:
        self.made += 1
        return visit.go("/who")


async def find_nothing(_: Visit) -> web.Response:
    raise NotFound("application")


async def conflict(_: Visit) -> web.Response:
    raise Conflict("It stands <b>otherwise</b>.", "not_possible")


async def too_many(_: Visit) -> web.Response:
    raise TooMany("That was too much.", "too_many_requests")


async def cannot(_: Visit) -> web.Response:
    raise Unavailable("the database says no", code="store_unavailable", retry_after=7)


async def break_down(_: Visit) -> web.Response:
    raise RuntimeError("secret-of-the-inside")


def pages(changes: Changes) -> tuple[Page, ...]:
    return (
        Page("GET", "/", show_home, public=True),
        Page("GET", "/who", show_who),
        Page("GET", "/who/{id}", show_who),
        Page("POST", "/change", changes.make),
        Page("GET", "/nothing", find_nothing, public=True),
        Page("GET", "/conflict", conflict, public=True),
        Page("GET", "/too-many", too_many, public=True),
        Page("GET", "/unavailable", cannot, public=True),
        Page("GET", "/broken", break_down, public=True),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """A portal that runs."""

    origin: str
    options: PortalSettings
    store: Store
    clock: Clock
    changes: Changes
    client: aiohttp.ClientSession

    def browser(self) -> Browser:
        """Somebody's, who never was here."""
        return Browser(self.client, self.origin)

    async def come_back(self, browser: Browser, url: str) -> Shown:
        """What a browser is shown when the provider sends it back."""
        return await browser.get(url.removeprefix(self.origin), Sec_Fetch_Site="cross-site")


async def _tell_nobody(_: ClientKey) -> None:
    return


def parts_of(options: PortalSettings, clock: Clock, store: Store) -> Parts:
    """What pages work with, where there is nothing to ask for."""
    registry = Registry(store, {}, Catalogue(), clock, _tell_nobody, lambda _: None)
    return Parts(options=options, registry=registry, clock=clock)


def opened_store(folder: Path, clock: Clock) -> AbstractAsyncContextManager[Store]:
    """A store in that folder."""
    key = SecretStr(new_key())
    return open_store(StoreOptions(url=SecretStr(f"sqlite:///{folder}/portal.db"), encryption_keys=(key,)), clock)


async def signed_in(portal: "Portal", idp: FakeProvider, browser: Browser | None = None, to: str = "/who") -> Browser:
    """A browser whose person has signed in."""
    browser = browser or portal.browser()
    asked = await browser.get(f"/sign-in?to={to}")
    back = await portal.come_back(browser, idp.sign_in(asked.location))
    assert back.status == 303, back.text
    return browser


def provider_at(issuer: str, **parts: Any) -> Provider:
    """The provider as it is configured."""
    usual: dict[str, Any] = {"discovery": (f"{issuer}/.well-known/openid-configuration",)}
    return Provider(**{"name": "idp", "issuer": issuer, "transport": Transport(timeout=2.0), **usual, **parts})


@asynccontextmanager
async def running(
    provider: Provider,
    store: Store,
    clock: Clock,
    *,
    keeps: ReceptionStore | None = None,
    own_pages: Sequence[Page] | None = None,
    credentials: ClientCredentials | Callable[[str], ClientCredentials] = CREDENTIALS,
    sign_in: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Portal]:
    """A portal on loopback until the end of the block. `credentials` may depend on where it is."""
    listener = bind("127.0.0.1", 0)
    listener.setblocking(False)
    origin = f"http://{address(listener)}"
    ours = credentials if isinstance(credentials, ClientCredentials) else credentials(origin)
    signing_in = SignIn(provider=provider.name, credentials=ours, **(sign_in or {}))
    opened = PortalSettings(**{"url": origin, "sign_in": signing_in, **options})
    changes = Changes()
    parts = parts_of(opened, clock, store)
    served = pages(changes) if own_pages is None else own_pages
    serving = open_portal(
        parts, served, provider=provider, store=keeps or store, open_fetch=open_fetch, sockets=[listener]
    )
    async with serving, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield Portal(origin=origin, options=opened, store=store, clock=clock, changes=changes, client=client)
