"""An identity provider that does as it is told, faults included. Nobody has to say who they are."""

import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from gateway.demo.listening import address, bind, serving
from gateway.portal.tokens import LOGOUT_EVENT
from gateway.ports import Clock
from tests.fakes import FakeClock

CLIENT_ID = "portal"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def jwk_of(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    """What is published of a key."""
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


@dataclass
class FakeProvider:
    """Each field may be set at any time."""

    issuer: str
    clock: Clock
    claims: dict[str, Any] = field(default_factory=lambda: {"name": "Alice", "email": "alice@example.com"})
    """What ID tokens say besides the usual; `None` leaves a claim out."""
    sign: Callable[[dict[str, Any]], str] | None = None
    """In place of a proper signature."""
    keys: list[dict[str, Any]] = field(default_factory=lambda: [jwk_of(KEY, "one")])
    metadata: dict[str, Any] = field(default_factory=dict)
    """In place of what it says of itself; `None` leaves a member out."""
    token_answer: tuple[int, dict[str, Any]] | None = None
    userinfo: tuple[int, dict[str, Any]] = (404, {})
    scope: str | None = "openid profile email"
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """The paths that it was asked for."""
    forms: list[dict[str, str]] = field(default_factory=list)
    """What its token endpoint was sent."""

    def sign_in(self, url: str, **returned: str | None) -> str:
        """What happens when a browser opens the URL: the address where it comes back to us.

        `returned` stands in place of the parameters; `None` leaves one out.
        """
        asked = dict(parse_qsl(urlsplit(url).query))
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        usual: dict[str, str | None] = {"code": code, "state": asked["state"], "iss": self.issuer}
        kept = {name: value for name, value in {**usual, **returned}.items() if value is not None}
        return f"{asked['redirect_uri']}?{urlencode(kept)}"

    def signed(self, claims: dict[str, Any], **header: str) -> str:
        """A token that says so."""
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, KEY, "RS256", {"kid": "one", **header})

    def logout_token(self, **claims: Any) -> str:
        """A logout token; `None` leaves a claim out."""
        now = self.clock.time()
        usual = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 120,
            "jti": secrets.token_urlsafe(8),
            "sub": "alice-id",
            "events": {LOGOUT_EVENT: {}},
        }
        return self.signed({**usual, **claims}, typ="logout+jwt")

    def id_claims(self, asked: dict[str, str]) -> dict[str, Any]:
        """What the ID token for that authorization request says."""
        now = self.clock.time()
        usual = {
            "iss": self.issuer,
            "aud": asked["client_id"],
            "sub": "alice-id",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
        }
        return {**usual, **self.claims}

    def application(self) -> web.Application:
        """Its endpoints."""
        app = web.Application(middlewares=[self._note])
        app.router.add_get("/.well-known/openid-configuration", self._describe)
        app.router.add_get("/jwks", self._jwks)
        app.router.add_post("/token", self._token)
        app.router.add_get("/userinfo", self._userinfo)
        return app

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _describe(self, _: web.Request) -> web.Response:
        usual = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "end_session_endpoint": f"{self.issuer}/end-session",
            "authorization_response_iss_parameter_supported": True,
        }
        said = {name: value for name, value in {**usual, **self.metadata}.items() if value is not None}
        return web.json_response(said)

    async def _jwks(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": self.keys})

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append(form)
        asked = self.codes.pop(form.get("code", ""), None)
        if self.token_answer is not None:
            status, answer = self.token_answer
            return web.json_response(answer, status=status)
        if asked is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        claims = self.id_claims(asked)
        granted = {
            "access_token": "access-token",
            "token_type": "Bearer",
            "id_token": (self.sign or self.signed)(claims),
        }
        return web.json_response(granted | ({"scope": self.scope} if self.scope is not None else {}))

    async def _userinfo(self, _: web.Request) -> web.Response:
        status, answer = self.userinfo
        return web.Response(status=status, body=json.dumps(answer).encode(), content_type="application/json")


@asynccontextmanager
async def run_fake_provider(clock: FakeClock) -> AsyncIterator[FakeProvider]:
    """One that answers on loopback until the end of the block."""
    listener = bind("127.0.0.1", 0)
    provider = FakeProvider(issuer=f"http://{address(listener)}", clock=clock)
    async with serving(provider.application(), listener):
        yield provider
