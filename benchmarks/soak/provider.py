"""An identity provider that knows the truth about its tokens, and can be told to misbehave."""

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gateway.clock import SystemClock

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(slots=True)
class Key:
    """What the provider signs with."""

    alg: str
    private: PrivateKey
    kid: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def new(cls, alg: str) -> "Key":
        if alg == "ES256":
            return cls(alg, ec.generate_private_key(ec.SECP256R1()))
        return cls(alg, rsa.generate_private_key(65537, 2048))

    def jwk(self) -> dict[str, Any]:
        """Its public half."""
        public = self.private.public_key()
        if isinstance(public, ec.EllipticCurvePublicKey):
            members = ECAlgorithm.to_jwk(public, as_dict=True)
        else:
            members = RSAAlgorithm.to_jwk(public, as_dict=True)
        members.pop("key_ops", None)
        return members | {"kid": self.kid, "alg": self.alg, "use": "sig"}


class Provider:
    """Introspection and keys. `fault` is asked first: what it gives is answered instead."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.keys = [Key.new("RS256"), Key.new("ES256")]
        self.published = list(self.keys)
        self.active: dict[str, dict[str, object]] = {}
        self.fault: Fault | None = None
        self._clock = SystemClock()

    def issue(self, scope: str, lifetime: float, *, alg: str = "") -> tuple[str, float]:
        """A token, a JWT where it has an `alg`, and when it expires."""
        now = self._clock.time()
        expires = int(now + lifetime)
        claims: dict[str, object] = {
            "iss": self.issuer,
            "sub": "user-1",
            "client_id": "app",
            "scope": scope,
            "iat": int(now),
            "exp": expires,
            "jti": secrets.token_hex(8),
        }
        token = self.sign(claims, alg) if alg else secrets.token_urlsafe(24)
        self.active[token] = claims | {"active": True, "token_type": "Bearer"}
        return token, float(expires)

    def sign(self, claims: dict[str, object], alg: str) -> str:
        """A JWT of these claims."""
        (key,) = (key for key in self.keys if key.alg == alg)
        return jwt.encode(claims, key.private, alg, {"typ": "at+jwt", "kid": key.kid})

    def revoke(self, token: str) -> None:
        """Introspection says inactive from now on."""
        self.active.pop(token, None)

    def rotate(self, *, keep_old: bool) -> None:
        """Sign with other keys."""
        self.keys = [Key.new("RS256"), Key.new("ES256")]
        self.published = [*self.keys, *(self.published if keep_old else [])]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Whatever it is asked."""
        if self.fault is not None:
            answered = await self.fault(request)
            if answered is not None:
                return answered
        if request.path == "/jwks":
            return web.json_response({"keys": [key.jwk() for key in self.published]})
        token = str((await request.post()).get("token", ""))
        claims = self.active.get(token)
        now = self._clock.time()
        if claims is None or float(str(claims["exp"])) <= now:
            return web.json_response({"active": False})
        return web.Response(text=json.dumps(claims), content_type="application/json")


class Fault:
    """Latency, or an answer that is none. Counts how often it was met."""

    def __init__(self, *answers: "Bad | None", delay: float = 0.0) -> None:
        self.answers = answers
        self.delay = delay
        self.met = 0

    async def __call__(self, _: web.BaseRequest) -> web.StreamResponse | None:
        """In turn; `None` is the answer that there would have been."""
        self.met += 1
        await asyncio.sleep(self.delay)
        bad = self.answers[self.met % len(self.answers)] if self.answers else None
        return None if bad is None else bad.response()


@dataclass(frozen=True, slots=True)
class Bad:
    """An answer that no provider should give."""

    status: int = 500
    body: bytes = b""
    media_type: str = "text/html"
    location: str = ""

    def response(self) -> web.Response:
        headers = {"Location": self.location} if self.location else None
        return web.Response(status=self.status, body=self.body, content_type=self.media_type, headers=headers)
