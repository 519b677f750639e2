"""An identity provider that only counts: for machines without nginx's Lua module.

`python -m benchmarks.provider_stub PORT JWKS_FILE`. It does the same as configurations/provider.conf.
"""

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import encode_basic_auth, web

from benchmarks.tokens import AUDIENCE, CLIENT, LIFE, SCOPE
from gateway.clock import SystemClock

CLIENT_AUTH = encode_basic_auth("gateway", "gateway-secret")


@dataclass(slots=True)
class Provider:
    """Every opaque token that begins with `ok` is active until it is revoked."""

    issuer: str
    jwks: str
    delay: float = 0.0
    revoked: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    async def introspect(self, request: web.Request) -> web.Response:
        self.counts["introspections"] += 1
        if self.delay:
            await asyncio.sleep(self.delay)
        if request.headers.get("Authorization") != CLIENT_AUTH:
            return web.json_response({"error": "invalid_client"}, status=401)
        token = str((await request.post()).get("token", ""))
        if not token.startswith("ok") or token in self.revoked:
            return web.json_response({"active": False})
        return web.json_response(self._active())

    def _active(self) -> dict[str, object]:
        now = int(SystemClock().time())
        return {
            "active": True,
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": "user-1",
            "client_id": CLIENT,
            "scope": SCOPE,
            "token_type": "Bearer",
            "exp": now + LIFE,
        }

    async def keys(self, _: web.Request) -> web.Response:
        self.counts["jwks"] += 1
        return web.Response(text=self.jwks, content_type="application/json")

    async def control(self, request: web.Request) -> web.Response:
        """Change what it does: `?delay=0.05`, `?revoke=TOKEN`; the answer counts the calls since the last time."""
        self.delay = float(request.query.get("delay", self.delay))
        self.revoked.add(request.query.get("revoke", ""))
        counted = {name: self.counts[name] for name in ("introspections", "jwks")}
        self.counts.clear()
        return web.json_response(counted)


def application(provider: Provider) -> web.Application:
    """Its endpoints."""
    app = web.Application()
    app.router.add_post("/introspect", provider.introspect)
    app.router.add_get("/jwks", provider.keys)
    app.router.add_get("/control", provider.control)
    return app


if __name__ == "__main__":
    port = int(sys.argv[1])
    stub = Provider(f"http://127.0.0.1:{port}", Path(sys.argv[2]).read_text())
    web.run_app(application(stub), host="127.0.0.1", port=port, access_log=None, print=None)
