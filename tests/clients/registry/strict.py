"""A registration server that changes everything with every answer: a new token, and with an update a new secret."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from gateway.clients.registration.registrar import Registrar, open_registrar
from gateway.demo.listening import address, bind, serving
from gateway.fetch import open_fetch
from gateway.providers import Endpoints, Provider
from gateway.providers.registration import Registration
from tests.fakes import FakeClock


class Strict:
    """RFC 7592, 3: a registration access token is good until the next answer, and not longer."""

    def __init__(self) -> None:
        self.url = ""
        self.clients: dict[str, dict[str, Any]] = {}
        self.issued: list[str] = []
        """Every secret and token that it ever gave."""
        self.expires_at = 0
        self.refuses: str = ""
        """What it says to registrations, where it does not take them."""

    @property
    def provider(self) -> Provider:
        """As the configuration would have it."""
        return Provider(name="idp", endpoints=Endpoints(registration=f"{self.url}/register"))

    def application(self) -> web.Application:
        application = web.Application()
        application.add_routes(
            [
                web.post("/register", self._register),
                web.get("/register/{client_id}", self._read),
                web.put("/register/{client_id}", self._update),
                web.delete("/register/{client_id}", self._delete),
            ]
        )
        return application

    async def _register(self, request: web.Request) -> web.Response:
        if self.refuses:
            return web.json_response(
                {"error": "invalid_client_metadata", "error_description": self.refuses}, status=400
            )
        client_id = f"client-{len(self.clients) + 1}"
        self.clients[client_id] = {**await request.json(), "client_id": client_id, **self._secret()}
        return self._answer(client_id, 201)

    async def _read(self, request: web.Request) -> web.Response:
        return self._answer(self._own(request))

    async def _update(self, request: web.Request) -> web.Response:
        client_id = self._own(request)
        self.clients[client_id] = {**await request.json(), **self._secret()}
        return self._answer(client_id)

    async def _delete(self, request: web.Request) -> web.Response:
        del self.clients[self._own(request)]
        return web.Response(status=204)

    def _own(self, request: web.Request) -> str:
        client_id = request.match_info["client_id"]
        token = self.clients.get(client_id, {}).get("registration_access_token")
        if request.headers.get("Authorization") != f"Bearer {token}":
            raise web.HTTPUnauthorized
        return client_id

    def _secret(self) -> dict[str, object]:
        return {"client_secret": self._issue("secret"), "client_secret_expires_at": self.expires_at}

    def _issue(self, kind: str) -> str:
        self.issued.append(f"{kind}-{secrets.token_urlsafe(24)}")
        return self.issued[-1]

    def _answer(self, client_id: str, status: int = 200) -> web.Response:
        client = self.clients[client_id]
        client["registration_access_token"] = self._issue("token")
        client["registration_client_uri"] = f"{self.url}/register/{client_id}"
        return web.json_response(client, status=status)


@asynccontextmanager
async def strict_provider(clock: FakeClock) -> AsyncIterator[tuple[Strict, Registrar]]:
    """The server, and a registrar that asks it."""
    server = Strict()
    listener = bind("127.0.0.1", 0)
    server.url = f"http://{address(listener)}"
    async with (
        serving(server.application(), listener),
        open_registrar(server.provider, Registration(), open_fetch, clock) as registrar,
    ):
        yield server, registrar
