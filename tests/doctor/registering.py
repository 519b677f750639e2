"""A provider that registers clients, as well or as badly as it is told to, and the doctor's report about it."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from aiohttp import web

from gateway.demo.listening import address, bind, serving
from gateway.doctor import Report
from gateway.doctor.findings import Finding
from gateway.settings import Settings
from tests.doctor.examining import CLIENT, JWK, SECRET, described, examined, settings

SUBJECT = "registration at idp"
Answers = tuple[int, dict[str, Any]]


@dataclass
class Registering:
    """Each field may be set at any time. What is `None` goes well."""

    issuer: str
    clients: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Whose they are."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Beside what it says of itself; `None` leaves a member out."""
    headers: list[str] = field(default_factory=list)
    """The Authorization of each registration."""
    wishes: list[dict[str, Any]] = field(default_factory=list)
    """What each registration asked for."""
    added: dict[str, Any] = field(default_factory=dict)
    """To what it says of a client; `None` leaves a member out."""
    on_register: Answers | None = None
    on_read: Answers | None = None
    on_update: Answers | None = None
    on_delete: list[Answers] = field(default_factory=list)
    """One for each deletion to come; none: it is done."""
    on_token: Answers | None = None
    on_introspect: Answers | None = None
    claims: dict[str, Any] = field(default_factory=dict)
    """Beside what it says of a token."""
    ends_tokens: bool = False
    """Whether a client's tokens end with it."""
    keeps_secrets: bool = False
    """Whether a client goes on getting tokens after its end."""
    registering: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when somebody registers."""
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    """Registrations are answered once this is set."""
    _gone: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.may_answer.set()

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._describe)
        app.router.add_get("/jwks", self._jwks)
        app.router.add_post("/token", self._token)
        app.router.add_post("/introspect", self._introspect)
        app.router.add_post("/register", self._register)
        app.router.add_route("*", "/register/{id}", self._manage)
        return app

    async def _describe(self, _: web.Request) -> web.Response:
        usual = {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/jwks",
            "token_endpoint": f"{self.issuer}/token",
            "introspection_endpoint": f"{self.issuer}/introspect",
            "registration_endpoint": f"{self.issuer}/register",
        }
        said = {name: value for name, value in {**usual, **self.metadata}.items() if value is not None}
        return web.json_response(said)

    async def _jwks(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [JWK]})

    async def _token(self, request: web.Request) -> web.Response:
        client_id, secret = basic(request)
        known = {**(self._gone if self.keeps_secrets else {}), **self.clients, CLIENT: {"client_secret": SECRET}}
        if known.get(client_id, {}).get("client_secret") != secret:
            return refusal(401, "invalid_client")
        if self.on_token is not None and client_id != CLIENT:
            return answer(self.on_token)
        token = secrets.token_urlsafe(16)
        self.tokens[token] = client_id
        return web.json_response({"access_token": token, "token_type": "Bearer"})

    async def _introspect(self, request: web.Request) -> web.Response:
        owner = self.tokens.get(str((await request.post()).get("token")))
        if owner is None or (self.ends_tokens and owner in self._gone):
            return web.json_response({"active": False})
        if self.on_introspect is not None and owner != CLIENT:
            return answer(self.on_introspect)
        usual = {"active": True, "token_type": "Bearer", "client_id": owner, "scope": "read", "exp": 4_000_000_000}
        return web.json_response({**usual, **self.claims})

    async def _register(self, request: web.Request) -> web.Response:
        self.headers.append(request.headers.get("Authorization", ""))
        wish = await request.json()
        self.wishes.append(wish)
        self.registering.set()
        await self.may_answer.wait()
        if self.on_register is not None:
            return answer(self.on_register)
        client_id = f"new-{len(self.wishes)}"
        named = {
            "client_id": client_id,
            "client_secret": secrets.token_urlsafe(24),
            "registration_client_uri": f"{self.issuer}/register/{client_id}",
            "registration_access_token": secrets.token_urlsafe(24),
        }
        record = {name: value for name, value in {**wish, **named, **self.added}.items() if value is not None}
        self.clients[client_id] = record
        return web.json_response(record, status=201)

    async def _manage(self, request: web.Request) -> web.Response:
        client_id = request.match_info["id"]
        record = self.clients.get(client_id)
        if record is None:
            return refusal(401, "invalid_token")
        match request.method:
            case "DELETE" if self.on_delete:
                return answer(self.on_delete.pop(0))
            case "DELETE":
                self._gone[client_id] = self.clients.pop(client_id)
                return web.Response(status=204)
            case "PUT" if self.on_update is not None:
                return answer(self.on_update)
            case "PUT":
                record.update(await request.json())
            case "GET" if self.on_read is not None:
                return answer(self.on_read)
        return web.json_response(record)


def basic(request: web.Request) -> tuple[str, str]:
    """Who asks, by HTTP Basic."""
    encoded = request.headers.get("Authorization", "Basic ").partition(" ")[2]
    client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
    return unquote_plus(client_id), unquote_plus(secret)


def answer(told: Answers) -> web.Response:
    status, document = told
    return web.json_response(document, status=status)


def refusal(status: int, error: str, description: str = "") -> web.Response:
    return answer((status, {"error": error, "error_description": description}))


@asynccontextmanager
async def registering(**fields: Any) -> AsyncIterator[Registering]:
    """One on loopback until the end of the block."""
    listener = bind("127.0.0.1", 0)
    provider = Registering(issuer=f"http://{address(listener)}", **fields)
    async with serving(provider.application(), listener):
        yield provider


def configured(issuer: str, registration: dict[str, Any] | None = None, **more: Any) -> Settings:
    """A configuration that registers there."""
    options = described(issuer, registration=registration or {}, **more)
    return settings(options, {"scopes": ["read"]}, upstream=issuer)


async def report_on(provider: Registering, registration: dict[str, Any] | None = None, **more: Any) -> Report:
    """What the doctor says of it."""
    return await examined(configured(provider.issuer, registration, **more))


def told(report: Report, subject: str = SUBJECT) -> dict[str, Finding]:
    """The findings about registration by check."""
    return {finding.check: finding for finding in report.findings if finding.subject == subject}


def not_well(report: Report, subject: str = SUBJECT) -> list[tuple[str, str]]:
    """What is not well of it."""
    return [(check, each.result.value) for check, each in told(report, subject).items() if each.result != "ok"]
