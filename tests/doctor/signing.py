"""A provider that people sign in at, the doctor's report about it, and somebody with a browser."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from gateway.demo.listening import address, bind, serving
from gateway.doctor import Extent, Report, examine
from gateway.ports import Clock
from gateway.settings import Settings
from tests.doctor.examining import settings
from tests.fakes import FakeClock
from tests.portal.fake_provider import CLIENT_ID, FakeProvider

KEY = "q8Zf3kq1n0cJm2v7x9LpT4sWbRyEuHdAiGoKjMlNzXc"
PORTAL_SECRET = "a-secret-of-the-portal"
SUBJECT, BY_A_PERSON = "sign-in at idp", "sign-in at idp, by a person"
URL = "https://developers.example.com"
SAID = {
    "code_challenge_methods_supported": ["S256"],
    "scopes_supported": ["openid", "profile", "email"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "backchannel_logout_supported": True,
    "introspection_endpoint": "http://127.0.0.1:9/introspect",
}


@dataclass
class Authorizing(FakeProvider):
    """The fake provider, with a page to sign in at."""

    taken: tuple[str, ...] = (f"{URL}/signed-in",)
    """What redirect URIs begin with."""
    said: dict[str, str] = field(default_factory=lambda: {"error": "login_required"})
    """What people are sent back with, where nobody is to be asked."""
    shows: web.Response | None = None
    """In place of anything else."""
    fails: int = 400
    """For redirect URIs that nobody registered."""

    def application(self) -> web.Application:
        app = super().application()
        app.router.add_get("/authorize", self._authorize)
        return app

    async def _authorize(self, request: web.Request) -> web.Response:
        if self.shows is not None:
            return web.Response(status=self.shows.status, headers=self.shows.headers)
        redirect_uri = request.query["redirect_uri"]
        if not redirect_uri.startswith(self.taken):
            return web.Response(status=self.fails, text="What redirect URI is that?")
        told = {**self.said, "state": request.query["state"]}
        return web.Response(status=302, headers={"Location": f"{redirect_uri}?{urlencode(told)}"})


@asynccontextmanager
async def authorizing(clock: Clock | None = None, **fields: Any) -> AsyncIterator[Authorizing]:
    """One on loopback until the end of the block."""
    listener = bind("127.0.0.1", 0)
    metadata = {**SAID, **fields.pop("metadata", {})}
    issuer = f"http://{address(listener)}"
    provider = Authorizing(issuer=issuer, clock=clock or FakeClock(), metadata=metadata, **fields)
    async with serving(provider.application(), listener):
        yield provider


def configured(issuer: str, *, client_id: str = CLIENT_ID, secret: str = PORTAL_SECRET, **portal: Any) -> Settings:
    """A configuration with a portal whose people sign in there."""
    sign_in = {"provider": "idp", "credentials": {"client_id": client_id, "client_secret": secret}}
    written = {
        "url": URL,
        "listen": "127.0.0.1:0",
        "owners": {"claim": "groups", "any_of": ["api-owners"]},
        **portal,
        "sign_in": {**sign_in, **portal.get("sign_in", {})},
    }
    store = {"url": "sqlite:////tmp/nobody-makes-this.db", "encryption_keys": [KEY]}
    # A portal needs a provider that registers clients; here none is registered.
    idp = {"issuer": issuer, "dialect": {"order": "keys_only"}, "registration": {"delete": False}}
    return settings(idp, upstream=issuer, store=store, portal=written)


async def report_on(provider: Authorizing, **portal: Any) -> Report:
    """What the doctor says of it, without a person."""
    return await examine(configured(provider.issuer, **portal), provider.clock, io.StringIO())


class Terminal(io.StringIO):
    """Where the doctor shows the URL; somebody opens it at once."""

    def __init__(self, opens: Any) -> None:
        super().__init__()
        self._opens = opens
        self.opened: list[Any] = []

    def write(self, text: str) -> int:
        for line in text.split("\n"):
            if line.startswith("http"):
                self.opened.append(self._opens(line))
        return super().write(text)


async def signed_in(configuration: Settings, clock: Clock, opens: Any, port: int | None = None) -> Report:
    """What the doctor says when somebody signs in; `opens` is given the URL, and starts what they do with it."""
    terminal = Terminal(opens)
    report = await examine(configuration, clock, terminal, Extent(signs_in=True, port=port))
    for opened in terminal.opened:
        await opened
    return report
