"""A site: `tokenward run` in front of an API, with a portal and a store, at a provider that people sign in at."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from _pytest.mark import ParameterSet

from gateway.clients.store.sealing import new_key
from tests import gateways
from tests.clients.postgresql import PostgreSQL, missing
from tests.end_to_end.providers import At
from tests.gateways import DEADLINE, Config, Program, free_port, program
from tests.idp.fixtures import must_be_here
from tests.idp.wire import ask, basic
from tests.portal.pages.sites import Answer, Somebody
from tests.servers import RecordingUpstream, recording_upstream

STORE_KEY = new_key()
PATIENT = aiohttp.ClientTimeout(total=DEADLINE)


def _everywhere() -> Sequence[ParameterSet]:
    """What a site can be made of: a kind of store, and a number of workers. What is not installed is skipped."""
    reason = missing()
    absent = [] if reason is None or must_be_here() else [pytest.mark.skip(reason=reason)]
    marks = {"sqlite": [], "postgresql": absent}
    return [
        pytest.param((store, workers), marks=marks[store], id=f"{store}, workers: {workers}")
        for store in marks
        for workers in (1, 2)
    ]


EVERYWHERE = _everywhere()


def configuration(at: At, upstream: str, origin: str, store: str, **options: Any) -> Config:
    """A gateway whose API `orders` wants a contract; the tier `gold` is granted by an owner, `bronze` at once."""
    client_id, client_secret = at.admit(origin)
    gateway_id, gateway_secret = at.introspector
    credentials = {"client_id": client_id, "client_secret": client_secret}
    idp = {
        "issuer": at.issuer,
        "introspection": {"client_id": gateway_id, "client_secret": gateway_secret},
        "registration": {},
    }
    enforcement = {"provider": "idp", "scopes": [at.scope], "contract": "required"}
    policies = [{"token-enforcement": enforcement}, {"rate-limit": {}}]
    return {
        **gateways.configuration(at.issuer, upstream),
        "providers": {"idp": idp},
        "routes": {"orders": {"path": "/orders", "upstream": upstream, "policies": policies}},
        "tiers": {
            "bronze": {"title": "Bronze", "limits": [{"requests": 3, "seconds": 3600}], "approval": "automatic"},
            "gold": {"title": "Gold", "limits": [{"requests": 1000, "seconds": 3600}]},
        },
        "apis": {"orders": {"title": "Orders", "tiers": ["bronze", "gold"]}},
        "store": {"url": store, "encryption_keys": [STORE_KEY], "poll": 0.05, "usage": 0.05},
        "portal": {
            "url": origin,
            "listen": origin.removeprefix("http://"),
            "gateway_url": "http://api.example",
            "sign_in": {"provider": "idp", "credentials": credentials, "scopes": at.asks_for},
            "owners": at.owners,
            "rates": {"requests": 6000, "sign_ins": 600, "changes": 600},
        },
        **options,
    }


async def store_url(kind: str, folder: Path, request: pytest.FixtureRequest) -> str:
    """A new store of that kind: `sqlite` or `postgresql`."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/store.db"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return await server.database()


@dataclass(frozen=True, slots=True)
class Keys:
    """What an application was given."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """All of it, running."""

    at: At
    gateway: Program
    origin: str
    upstream: RecordingUpstream
    _stack: AsyncExitStack = field(repr=False)

    async def visitor(self) -> Somebody:
        """Somebody whom nobody knows."""
        session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=PATIENT)
        return Somebody(await self._stack.enter_async_context(session), self.origin)

    async def signed_in(self, name: str) -> Somebody:
        """Somebody who signed in at the development provider under that name."""
        return await (await self.visitor()).signs_in(name)

    async def token(self, keys: Keys) -> str:
        """An access token of an application's own."""
        form = {"grant_type": "client_credentials", "scope": self.at.scope}
        headers = {"Authorization": basic(keys.client_id, keys.client_secret)}
        answer = await asyncio.to_thread(ask, "POST", self.at.token_endpoint, headers=headers, form=form)
        assert answer.status == 200, answer.body
        return str(answer.json()["access_token"])


@asynccontextmanager
async def running_site(
    at: At, folder: Path, store: str, *, change: Callable[[Config], object] | None = None, **options: Any
) -> AsyncIterator[Site]:
    """The site until the end of the block. `change` changes its configuration first."""
    origin = f"http://127.0.0.1:{free_port()}"
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(recording_upstream())
        config = configuration(at, upstream.url, origin, store, **options)
        if change is not None:
            change(config)
        gateway = await stack.enter_async_context(program(config, folder))
        yield Site(at=at, gateway=gateway, origin=origin, upstream=upstream, _stack=stack)


# What people do, without a browser


@dataclass(frozen=True, slots=True)
class Wish:
    """A request for access that was made."""

    agreement: str
    application: str


async def ask_for_access(
    developer: Somebody, *, name: str = "Shop", tier: str = "gold", reason: str = "We sell."
) -> Wish:
    """For a new application."""
    form = "/apis/orders/ask"
    fields = [
        ("application", "new"),
        ("name", name),
        ("grant_types", "client_credentials"),
        ("authentication", "client_secret_basic"),
        ("tier", tier),
        ("terms", "accepted"),
        ("reason", reason),
    ]
    answer = await developer.sends(form, form, fields)
    assert answer.status == 200, answer.text
    (application,) = set(re.findall(r'"/applications/([\w-]+)"', answer.text))
    return Wish(answer.path.removeprefix("/asked/"), application)


async def decide(owner: Somebody, wish: Wish, verb: str, reason: str = "Because.") -> Answer:
    """Approve, refuse, revoke or restore."""
    page = f"/contracts/{wish.agreement}"
    return await owner.sends(page, f"{page}/{verb}", [("reason", reason)])


async def show_credentials(developer: Somebody, wish: Wish) -> Keys:
    """This one time."""
    page = f"/applications/{wish.application}"
    answer = await developer.sends(page, f"{page}/credentials")
    assert answer.status == 200, answer.text
    return Keys(*(re.findall(rf'id="{name}">([^<]+)<', answer.text)[0] for name in ("client-id", "client-secret")))


async def delete_application(developer: Somebody, wish: Wish, name: str = "Shop") -> Answer:
    """Its name is typed to say that it is meant."""
    page = f"/applications/{wish.application}/delete"
    return await developer.sends(page, page, [("name", name)])


async def granted(site: Site, developer: Somebody, owner: Somebody, name: str = "Shop") -> tuple[Wish, str]:
    """An application with a contract in force, and a token of it."""
    wish = await ask_for_access(developer, name=name)
    answer = await decide(owner, wish, "approve")
    assert answer.status == 200, answer.text
    return wish, await site.token(await show_credentials(developer, wish))
