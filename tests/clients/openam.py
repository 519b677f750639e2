"""A server shaped like OpenAM's: tokens for clients, and registration with such a token, in memory.

It is built from the public documentation of its descendants, and knows what registration asks of it:
https://docs.pingidentity.com/pingam/7.3/oidc1-guide/oauth2-dynamic-client-registration.html (an access token opens
registration), https://docs.pingidentity.com/pingam/7.2/oidc1-guide/rest-api-oauth2-register-endpoint.html (the
registration access token opens what was registered, at `register?client_id=…`).
"""

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote_plus

import jwt
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gateway.ports import Clock

SCOPE = "dynamic_client_registration"
LIFETIME = 60


class OpenAM:
    """The realm from inside."""

    def __init__(self, clock: Clock) -> None:
        self.origin = ""
        self.clock = clock
        self.secrets = {"gateway": "gateway-secret"}
        self.keys: dict[str, RSAPublicKey] = {}
        """Of clients that sign assertions (`private_key_jwt`)."""
        self.clients: dict[str, dict[str, Any]] = {}
        self.given = 0
        """Tokens so far."""
        self.registered = 0
        """Requests to register so far, the refused ones included."""
        self._tokens: dict[str, float] = {}

    @property
    def token_endpoint(self) -> str:
        return f"{self.origin}/openam/oauth2/access_token"

    @property
    def registration(self) -> str:
        return f"{self.origin}/openam/oauth2/connect/register"

    def issue(self) -> str:
        """A token that may register."""
        self.given += 1
        token = secrets.token_urlsafe(20)
        self._tokens[token] = self.clock.time() + LIFETIME
        return token

    def revoke_all(self) -> None:
        self._tokens.clear()

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/openam/oauth2/access_token", self._token)
        app.router.add_post("/openam/oauth2/connect/register", self._register)
        app.router.add_route("*", "/openam/oauth2/register", self._manage)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if not self._is_ours(request, {name: str(value) for name, value in form.items()}):
            return refusal(401, "invalid_client", "Client authentication failed")
        if form.get("grant_type") != "client_credentials" or form.get("scope") != SCOPE:
            return refusal(400, "invalid_scope", "Unknown/invalid scope(s)")
        answer = {"access_token": self.issue(), "scope": SCOPE, "token_type": "Bearer", "expires_in": LIFETIME - 1}
        return web.json_response(answer)

    def _is_ours(self, request: web.Request, form: dict[str, str]) -> bool:
        assertion = form.get("client_assertion")
        if assertion is not None:
            named = str(jwt.decode(assertion, options={"verify_signature": False})["sub"])
            claims = jwt.decode(
                assertion,
                self.keys[named],
                ["RS256"],
                audience=self.token_endpoint,
                options={"verify_exp": False, "verify_iat": False, "require": ["jti", "exp"]},
            )
            return bool(claims["exp"] > self.clock.time())
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return self.secrets.get(form.get("client_id", "")) == form.get("client_secret", "-")
        client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
        return self.secrets.get(unquote_plus(client_id)) == unquote_plus(secret)

    async def _register(self, request: web.Request) -> web.Response:
        self.registered += 1
        token = bearer(request)
        if self._tokens.get(token, 0) <= self.clock.time():
            return refusal(401, "invalid_token", "The access token provided is expired, revoked or malformed")
        client_id = secrets.token_hex(8)
        record = {
            **(await request.json()),
            "client_id": client_id,
            "client_secret": secrets.token_urlsafe(20),
            "client_secret_expires_at": 0,
            "registration_access_token": secrets.token_urlsafe(20),
            "registration_client_uri": f"{self.origin}/openam/oauth2/register?client_id={client_id}",
        }
        self.clients[client_id] = record
        return web.json_response(record, status=201)

    async def _manage(self, request: web.Request) -> web.Response:
        client_id = request.query.get("client_id", "")
        record = self.clients.get(client_id)
        if record is None or bearer(request) != record["registration_access_token"]:
            return refusal(401, "invalid_token", "The access token provided is expired, revoked or malformed")
        match request.method:
            case "DELETE":
                del self.clients[client_id]
                return web.Response(status=204)
            case "PUT":
                kept = {name: record[name] for name in record if name.startswith(("client_", "registration_"))}
                record = {**kept, **(await request.json())}
                self.clients[client_id] = record
        return web.json_response(record)


def bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def refusal(status: int, error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=status)


@asynccontextmanager
async def openam(clock: Clock) -> AsyncIterator[OpenAM]:
    """A realm on loopback until the end of the block."""
    realm = OpenAM(clock)
    server = TestServer(realm.application())
    await server.start_server()
    realm.origin = str(server.make_url("")).rstrip("/")
    try:
        yield realm
    finally:
        await server.close()
