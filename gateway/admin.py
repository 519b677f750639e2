"""The admin listener: metrics, health, what is served, and what an operator may do while it runs.

Who may use it:
- It listens on loopback unless the configuration says otherwise, on a port of its own: no route, Host or form of target
  on the data port leads here.
- Reading is open to whoever can connect; nothing that is read holds a credential. `/livez`, `/readyz` are for probes.
- Changing (`POST /-/…`) takes the header `X-Requested-With: tokenward`, which a web page of another origin cannot send;
  and only on loopback. Elsewhere it takes a bearer token, `admin.token`; without one configured it is refused.
- Applications and contracts (`/api/…`) are shown and changed by the same rules, but elsewhere than on loopback even
  reading takes the token: people are named there.
- With `admin.token` configured, everything but `/livez` and `/readyz` takes it, on loopback too; it then replaces the
  header.
- On loopback the Host header must be a loopback name or an address: a page whose own name was made to point here (DNS
  rebinding) has another.
"""

import hmac
import ipaddress
import json
import logging
import os
import platform
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from http import HTTPStatus
from socket import socket
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web

from gateway.answers import FAILED, refuse
from gateway.build import Build
from gateway.clients.mistakes import Refusal
from gateway.clock import SystemClock
from gateway.correlation import new_request_id
from gateway.logs import timestamp
from gateway.operations import Operations, Readiness, shown_url
from gateway.policy import Deny, Unavailable
from gateway.ports import Clock
from gateway.providers.status import ProviderStatus

log = logging.getLogger(__name__)

LONGEST_BODY = 4096
LONGEST_LINE = 65_536
"""Of a request's head: whatever may stand in a query finds room."""
PROBES = frozenset({"/livez", "/readyz"})
READING = frozenset({"GET", "HEAD"})
PERSONAL = "/api/"
"""What begins so tells of people."""

HOST_NOT_LOCAL = Deny(421, "host_not_local", "The Host must be a loopback name or an address.")
TOKEN_REQUIRED = Deny(
    401, "admin_token_required", "This takes the admin token.", (("WWW-Authenticate", 'Bearer realm="admin"'),)
)
TOKEN_UNSET = Deny(403, "admin_token_unset", "Off loopback this takes a token: configure admin.token.")
INTENT_REQUIRED = Deny(403, "intent_required", "Send the header X-Requested-With: tokenward.")
BODY_INVALID = Deny(400, "body_invalid", 'The body must be {"client_id": "…"}, or empty for every token.')
SETTINGS_INVALID = Deny(422, "settings_invalid", "The configuration before stays in force.")
NOT_EVERYWHERE = Deny(503, "contracts_not_everywhere", "Not every process has read the store.", (("Retry-After", "1"),))
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}

_Next = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api(Protocol):
    """What is served below `/api/`, behind the same guards. Its handlers raise `Refusal` and `Unavailable`."""

    longest_body: int
    """In bytes."""

    def routes(self) -> Iterable[web.RouteDef]: ...


class Admin:
    """The admin listener of a gateway.

    `loopback` says whether its sockets are bound to loopback addresses only. `token` is `admin.token`. `problems` is
    what a problem's type begins with. `api` is there where applications and contracts are kept.
    """

    def __init__(
        self,
        operations: Operations,
        build: Build,
        *,
        loopback: bool = True,
        token: str | None = None,
        problems: str = "urn:tokenward:problem:",
        clock: Clock | None = None,
        api: Api | None = None,
    ) -> None:
        self._operations = operations
        self._build = build
        self._loopback = loopback
        self._token = token
        self._problems = problems
        self._clock = clock or SystemClock()
        self._api = api

    @asynccontextmanager
    async def listening(self, bind: Sequence[socket]) -> AsyncIterator[None]:
        """Answer on these bound sockets while the block runs."""
        runner = web.AppRunner(
            self.application(),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=1,
            max_line_size=LONGEST_LINE,
        )
        await runner.setup()
        try:
            for each in bind:
                await web.SockSite(runner, each).start()
            yield
        finally:
            await runner.cleanup()

    def application(self) -> web.Application:
        """The aiohttp application, for a listener of one's own."""
        longest = LONGEST_BODY if self._api is None else self._api.longest_body
        app = web.Application(middlewares=[self._explain, self._guard], client_max_size=longest)
        app.on_response_prepare.append(_set_headers)
        app.add_routes([
            web.get("/metrics", self._metrics),
            web.get("/livez", self._livez),
            web.get("/readyz", self._readyz),
            web.get("/routes", self._routes),
            web.get("/version", self._version),
            web.post("/-/reload", self._reload),
            web.post("/-/purge", self._purge),
            web.post("/-/contracts", self._refresh_contracts),
        ])  # fmt: skip
        if self._api is not None:
            app.add_routes(self._api.routes())
        return app

    # What is read

    async def _metrics(self, _: web.Request) -> web.Response:
        text = await self._operations.metrics_text()
        return web.Response(body=text.encode(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _livez(self, _: web.Request) -> web.Response:
        # That this runs is the answer. It depends on nobody else: a restart would not heal a provider.
        return web.Response(text="alive\n")

    async def _readyz(self, request: web.Request) -> web.Response:
        readiness = await self._operations.ready()
        status = HTTPStatus.OK if readiness.ready else HTTPStatus.SERVICE_UNAVAILABLE
        if "verbose" in request.query:
            told = _told(readiness, await self._operations.providers())
            return web.Response(text=told, status=status, content_type="application/json")
        return web.Response(text="ready\n" if readiness.ready else f"not ready: {readiness.reason}\n", status=status)

    async def _routes(self, _: web.Request) -> web.Response:
        views = await self._operations.routes()
        shown = [asdict(view) | {"upstream": [shown_url(url) for url in view.upstream]} for view in views]
        return web.json_response({"routes": shown})

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response(asdict(self._build) | {"python": platform.python_version()})

    # What changes something

    async def _reload(self, _: web.Request) -> web.Response:
        result = await self._operations.reload()
        if result.succeeded:
            return web.json_response({"reloaded": True})
        return self._problem(SETTINGS_INVALID, mistakes=result.mistakes)

    async def _purge(self, request: web.Request) -> web.Response:
        client_id = _client_id(await request.read())
        return web.json_response({"purged": await self._operations.purge(client_id)})

    async def _refresh_contracts(self, _: web.Request) -> web.Response:
        if await self._operations.refresh_contracts():
            return web.json_response({"in_force": True})
        return self._problem(NOT_EVERYWHERE)

    # Who may

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Next) -> web.StreamResponse:
        if self._loopback and not all(map(names_this_machine, request.headers.getall("Host", []))):
            raise _Refused(HOST_NOT_LOCAL)
        if request.path not in PROBES and self._token is not None:
            self._require_token(request, self._token)
        elif request.method not in READING:
            self._require_intent(request)
        elif request.path.startswith(PERSONAL) and not self._loopback:
            raise _Refused(TOKEN_UNSET)
        return await handler(request)

    def _require_token(self, request: web.Request, token: str) -> None:
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(_bytes(credential.strip()), _bytes(token)):
            raise _Refused(TOKEN_REQUIRED)

    def _require_intent(self, request: web.Request) -> None:
        if not self._loopback:
            raise _Refused(TOKEN_UNSET)
        if request.headers.get("X-Requested-With") != "tokenward":
            raise _Refused(INTENT_REQUIRED)

    # How it says no

    @web.middleware
    async def _explain(self, request: web.Request, handler: _Next) -> web.StreamResponse:
        """Every answer of 400 and above as a problem document; a failure tells nothing of its cause."""
        try:
            return await handler(request)
        except _Refused as refused:
            return self._problem(refused.deny)
        except web.HTTPException as error:
            return self._problem(_translated(error))
        except Refusal as refusal:
            return self._problem(Deny(refusal.status, refusal.code, refusal.detail))
        except Unavailable as failure:
            return self._problem(_unavailable(failure))
        except Exception:
            log.exception("an admin request failed")
            return self._problem(FAILED)

    def _problem(self, deny: Deny, **more: object) -> web.Response:
        request_id = new_request_id(self._clock.time(), os.urandom(10).hex())
        # aiohttp leaves the body of an answer to HEAD out by itself.
        answer = refuse(deny, request_id=request_id, base=self._problems, method="GET")
        body = json.dumps(json.loads(answer.body) | more).encode() if more else answer.body
        headers = [(name, value) for name, value in answer.headers if name != "Content-Length"]
        return web.Response(status=answer.status, headers=headers, body=body)


class _Refused(Exception):
    def __init__(self, deny: Deny) -> None:
        super().__init__(deny.code)
        self.deny = deny


def _translated(error: web.HTTPException) -> Deny:
    """aiohttp's own refusals: an unknown path, a method that a path does not take, a body that is too large."""
    headers = (("Allow", error.headers["Allow"]),) if "Allow" in error.headers else ()
    code = _CODES.get(error.status, "malformed_request")
    return Deny(error.status, code, f"{HTTPStatus(error.status).phrase}.", headers)


def _unavailable(failure: Unavailable) -> Deny:
    """Operators may read what is wrong, which callers may not: it may name a host behind us."""
    return Deny(503, failure.code, failure.detail, (("Retry-After", str(failure.retry_after)),))


def names_this_machine(host: str) -> bool:
    """Whether a Host header is a loopback name or an address literal, with or without a port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    name = name.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(address: str) -> bool:
    """Whether an address to bind, without its port, is reached from this machine only."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return address == "localhost"


def _client_id(body: bytes) -> str | None:
    """The client that a purge names; None where it is to forget everything, which an empty body says."""
    try:
        asked = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        asked = None
    match asked:
        case {"client_id": str() as client_id} if len(asked) == 1 and client_id:
            return client_id
        case {} if asked == {}:
            return None
    # A body with a slip in it must not purge everything.
    raise _Refused(BODY_INVALID)


def _told(readiness: Readiness, providers: Sequence[ProviderStatus]) -> str:
    """JSON with one line per provider, to be read in a terminal."""
    lines = ",\n".join(
        json.dumps({
            "name": status.name,
            "state": status.state,
            "since": timestamp(status.since),
            "detail": status.detail,
        })
        for status in providers
    )  # fmt: skip
    start = f'{{"ready": {json.dumps(readiness.ready)}, "reason": {json.dumps(readiness.reason)}, "providers": ['
    return f"{start}\n{lines}\n]}}\n" if lines else f"{start}]}}\n"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


async def _set_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "tokenward"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
