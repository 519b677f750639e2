"""The yardstick: what anybody would write first. `python -m benchmarks.naive PORT UPSTREAM INTROSPECTION`."""

import sys
import time

import uvloop
from aiohttp import ClientSession, TCPConnector, encode_basic_auth, web

HOP_BY_HOP = {"connection", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
SESSION = web.AppKey("session", ClientSession)
CLIENT = {"Authorization": encode_basic_auth("gateway", "gateway-secret")}
SEEN: dict[str, float] = {}


async def is_active(session: ClientSession, token: str, life: float) -> bool:
    if SEEN.get(token, 0) < time.monotonic():
        async with session.post(sys.argv[3], data={"token": token}, headers=CLIENT) as answer:
            if not (await answer.json())["active"]:
                return False
        SEEN[token] = time.monotonic() + life
    return True


async def forward(request: web.Request) -> web.StreamResponse:
    session, token = request.app[SESSION], request.headers.get("Authorization", "").removeprefix("Bearer ")
    life = 2 if request.path.startswith("/short/") else 300
    if not request.path.startswith("/plain/") and not (token and await is_active(session, token, life)):
        return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
    body = request.content if request.can_read_body else None
    async with session.request(request.method, sys.argv[2] + request.path_qs, headers=headers, data=body) as answer:
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        response = web.StreamResponse(status=answer.status, headers=kept)
        await response.prepare(request)
        async for piece in answer.content.iter_any():
            await response.write(piece)
        await response.write_eof()
        return response


async def application() -> web.Application:
    app = web.Application()
    app[SESSION] = ClientSession(connector=TCPConnector(limit=0), auto_decompress=False)
    app.router.add_route("*", "/{path:.*}", forward)
    app.on_cleanup.append(lambda app: app[SESSION].close())
    return app


if __name__ == "__main__":
    loop = uvloop.new_event_loop()
    web.run_app(application(), host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, loop=loop)
