"""The portal as people meet it: its pages, the registry, a store on disk, and the demo identity provider."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
from pydantic import SecretStr
from yarl import URL

from gateway.clients import ClientKey
from gateway.clients.catalogue import Catalogue
from gateway.clients.client import Actor, Agreement, Client, Metadata, Person
from gateway.clients.notices import Notice
from gateway.clients.registration.registrar import open_registrar
from gateway.clients.registry import Registry
from gateway.clients.store.store import Store
from gateway.demo.identity_provider import DemoProvider, run_identity_provider
from gateway.demo.listening import address, bind
from gateway.fetch import open_fetch
from gateway.portal.opening import open_portal
from gateway.portal.pages.site import PAGES
from gateway.portal.visits import Parts
from gateway.providers import ClientCredentials, Provider
from gateway.providers.registration import Registration
from gateway.providers.status import ProviderState, ProviderStatus
from gateway.settings.portal import Owners, PortalSettings, SignIn
from tests.fakes import NOON, FakeClock
from tests.portal.pages.catalogues import CATALOGUE
from tests.portal.portals import opened_store

OWNER = "olga"
"""Who decides, when signed in under that name."""
OLGA = Actor(person=Person(provider="demo", subject=OWNER, name=OWNER), decides=True)
REGISTRATION = Registration()
STATUSES = (
    ProviderStatus(name="demo", state=ProviderState.READY, since=NOON),
    ProviderStatus(name="okta", state=ProviderState.FAILING, since=NOON, detail="It did not answer in time."),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person is shown."""

    status: int
    path: str
    text: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class Somebody:
    """A person with a browser: keeps cookies, follows redirects, sends forms with the token of the page."""

    def __init__(self, session: aiohttp.ClientSession, origin: str) -> None:
        self._session = session
        self.origin = origin

    async def sees(self, path: str) -> Answer:
        """A page, wherever it leads."""
        async with self._session.get(self.origin + path) as response:
            return await _answer(response)

    async def sends(self, page: str, action: str, fields: list[tuple[str, str]] | None = None) -> Answer:
        """A form of that page, and what it leads to."""
        shown = await self.sees(page)
        token = shown.text.partition('name="csrf" value="')[2].partition('"')[0]
        assert token, shown.text
        return await self.posts(action, [("csrf", token), *(fields or [])])

    async def posts(self, path: str, fields: list[tuple[str, str]]) -> Answer:
        """Fields, as a browser sends them."""
        headers = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        async with self._session.post(self.origin + path, data=fields, headers=headers) as response:
            return await _answer(response)

    async def signs_in(self, name: str) -> "Somebody":
        """By the page of the demo provider, under that name."""
        answer = await self.comes_back_as(name)
        assert answer.status == 200, answer.text
        return self

    async def comes_back_as(self, name: str) -> Answer:
        """What the portal shows to somebody who comes from that page."""
        async with self._session.get(self.origin + "/sign-in") as page:
            url = page.url
        async with self._session.post(url, data={"name": name, "decision": "allow"}) as response:
            assert str(response.url).startswith(self.origin), await response.text()
            return await _answer(response)

    def cookies(self) -> list[dict[str, str]]:
        """For another browser."""
        jar = self._session.cookie_jar.filter_cookies(URL(self.origin))
        return [{"name": name, "value": morsel.value, "url": self.origin} for name, morsel in jar.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """All of it, running."""

    origin: str
    registry: Registry
    store: Store
    idp: DemoProvider
    clock: FakeClock
    notices: list[Notice]
    _stack: AsyncExitStack = field(repr=False)

    async def visitor(self) -> Somebody:
        """Somebody whom nobody knows."""
        jar = aiohttp.CookieJar(unsafe=True)
        session = await self._stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
        return Somebody(session, self.origin)

    async def signed_in(self, name: str) -> Somebody:
        """Somebody who signed in under that name."""
        return await (await self.visitor()).signs_in(name)

    async def asked(
        self, metadata: Metadata, *, api: str = "orders", tier: str | None = "gold", by: str = "ada"
    ) -> Agreement:
        """A request that somebody made."""
        actor = Actor(person=Person(provider="demo", subject=by, name=by))
        return await self.registry.ask(metadata, api=api, tier=tier, accepted_terms=True, reason="We sell.", by=actor)

    async def approved(self, metadata: Metadata, *, by: str = "ada") -> tuple[Client, Agreement]:
        """An application with a contract in force."""
        agreement = await self.registry.approve((await self.asked(metadata, by=by)).id, by=OLGA)
        return await self.registry.client(agreement.client, by=OLGA), agreement


@asynccontextmanager
async def running_site(
    folder: Path, catalogue: Catalogue = CATALOGUE, change: Callable[[Parts], Parts] = lambda parts: parts
) -> AsyncIterator[Site]:
    """The site on loopback, until the end of the block. Its store is in that folder."""
    clock = FakeClock()
    listener = bind("127.0.0.1", 0)
    listener.setblocking(False)
    origin = f"http://{address(listener)}"
    notices: list[Notice] = []
    async with AsyncExitStack() as stack:
        idp = await stack.enter_async_context(run_identity_provider(clock=clock))
        provider = _provider(idp)
        _know_portal(idp, origin)
        store = await stack.enter_async_context(opened_store(folder, clock))
        registrar = await stack.enter_async_context(open_registrar(provider, REGISTRATION, open_fetch, clock))
        registry = Registry(store, {"demo": registrar}, catalogue, clock, _spread, notices.append)
        stack.push_async_callback(registry.close)
        parts = change(_parts(origin, registry, clock, idp))
        await stack.enter_async_context(
            open_portal(parts, PAGES, provider=provider, store=store, open_fetch=open_fetch, sockets=[listener])
        )
        yield Site(origin=origin, registry=registry, store=store, idp=idp, clock=clock, notices=notices, _stack=stack)


def _provider(idp: DemoProvider) -> Provider:
    return Provider(
        name="demo", issuer=idp.issuer, discovery=(urljoin(idp.issuer, "/.well-known/openid-configuration"),)
    )


def _know_portal(idp: DemoProvider, origin: str) -> None:
    idp.add_client(
        "portal",
        "of-the-portal",
        grant_types=["authorization_code"],
        response_types=["code"],
        redirect_uris=[f"{origin}/signed-in"],
        scope="openid profile",
    )


def _parts(origin: str, registry: Registry, clock: FakeClock, idp: DemoProvider) -> Parts:
    credentials = ClientCredentials(client_id="portal", client_secret=SecretStr("of-the-portal"))
    options = PortalSettings(
        url=origin,
        title="Example developers",
        sign_in=SignIn(provider="demo", credentials=credentials, scopes=("openid", "profile")),
        owners=Owners(claim="sub", any_of=(OWNER,)),
    )

    async def endpoint(_: str) -> str:
        return f"{idp.issuer}/token"

    async def statuses() -> tuple[ProviderStatus, ...]:
        return STATUSES

    return Parts(
        options=options,
        registry=registry,
        clock=clock,
        token_endpoint=endpoint,
        provider_statuses=statuses,
    )


async def _spread(_: ClientKey) -> None:
    """There are no other workers."""


async def _answer(response: aiohttp.ClientResponse) -> Answer:
    return Answer(response.status, response.url.path, await response.text(), response.headers)
