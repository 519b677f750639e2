"""A server shaped like Okta's: clients, their secrets, and the groups of applications, in memory.

It is built from Okta's public documentation, and knows what registration asks of it:
https://developer.okta.com/docs/api/openapi/okta-oauth/oauth/tag/Client (clients),
https://developer.okta.com/docs/guides/client-secret-rotation-key/main (two secrets, deactivated before deleted),
https://developer.okta.com/docs/api/openapi/okta-management/management/tag/ApplicationGroups (groups),
https://developer.okta.com/docs/reference/error-codes (error documents).
"""

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

API_TOKEN = "00QCjAl4MlV-WPXM-okta-api-token"
TYPES = {"web", "native", "browser", "service"}
TAKEN = {
    "application_type",
    "client_id",
    "client_name",
    "client_secret",
    "client_uri",
    "grant_types",
    "redirect_uris",
    "response_types",
    "token_endpoint_auth_method",
}
"""The members that it takes; the real one ignores others, and here they are a mistake of ours."""


@dataclass(slots=True)
class Secret:
    id: str
    value: str
    status: str = "ACTIVE"
    created: str = ""

    def document(self) -> dict[str, str]:
        hidden = f"DRUFXGF9XbLnS9k-{self.id}"
        return {
            "id": self.id,
            "status": self.status,
            "client_secret": self.value,
            "secret_hash": hidden,
            "created": self.created,
            "lastUpdated": self.created,
        }


@dataclass(slots=True)
class Application:
    metadata: dict[str, Any]
    secrets: list[Secret] = field(default_factory=list)
    groups: set[str] = field(default_factory=set)


class Okta:
    """The organisation from inside."""

    def __init__(self) -> None:
        self.origin = ""
        self.applications: dict[str, Application] = {}
        self.groups = {"00gEveryone", "00gPartners"}
        self.asked: list[str] = []
        self.hidden_secrets = False
        """Whether the list of secrets leaves out their values."""
        self._made = 0

    @property
    def registration(self) -> str:
        return f"{self.origin}/oauth2/v1/clients"

    def works(self, client_id: str, client_secret: str) -> bool:
        """Whether the client gets a token with that secret."""
        application = self.applications.get(client_id)
        return application is not None and any(
            each.value == client_secret and each.status == "ACTIVE" for each in application.secrets
        )

    def add_secret(self, application: Application) -> Secret:
        self._made += 1
        secret = Secret(
            f"ocs{self._made:017d}", secrets.token_urlsafe(30), created=f"2026-11-23T12:00:{self._made:02}Z"
        )
        application.secrets.append(secret)
        return secret

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._guard])
        app.router.add_post("/oauth2/v1/clients", self._create)
        app.router.add_get("/oauth2/v1/clients/{id}", self._read)
        app.router.add_put("/oauth2/v1/clients/{id}", self._replace)
        app.router.add_delete("/oauth2/v1/clients/{id}", self._delete)
        app.router.add_put("/api/v1/apps/{id}/groups/{group}", self._assign)
        app.router.add_get("/api/v1/apps/{id}/credentials/secrets", self._list_secrets)
        app.router.add_post("/api/v1/apps/{id}/credentials/secrets", self._create_secret)
        app.router.add_post("/api/v1/apps/{id}/credentials/secrets/{secret}/lifecycle/deactivate", self._deactivate)
        app.router.add_delete("/api/v1/apps/{id}/credentials/secrets/{secret}", self._delete_secret)
        return app

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        if request.headers.get("Authorization") != f"SSWS {API_TOKEN}":
            return problem(401, "E0000011", "Invalid token provided")
        if "id" in request.match_info and request.match_info["id"] not in self.applications:
            return problem(404, "E0000007", f"Not found: Resource not found: {request.match_info['id']} (AppInstance)")
        return await handler(request)

    async def _create(self, request: web.Request) -> web.Response:
        metadata = await request.json()
        refusal = wrong(metadata)
        if refusal is not None:
            return refusal
        client_id = f"0oa{secrets.token_hex(8)}"
        application = Application(metadata)
        self.applications[client_id] = application
        if metadata["token_endpoint_auth_method"] != "none":
            self.add_secret(application)
        return web.json_response(self._record(client_id, with_secret=True), status=201)

    async def _read(self, request: web.Request) -> web.Response:
        return web.json_response(self._record(request.match_info["id"]))

    async def _replace(self, request: web.Request) -> web.Response:
        metadata = await request.json()
        refusal = wrong(metadata)
        if refusal is not None:
            return refusal
        self.applications[request.match_info["id"]].metadata = metadata
        return web.json_response(self._record(request.match_info["id"]))

    async def _delete(self, request: web.Request) -> web.Response:
        del self.applications[request.match_info["id"]]
        return web.Response(status=204)

    async def _assign(self, request: web.Request) -> web.Response:
        group = request.match_info["group"]
        if group not in self.groups:
            return problem(404, "E0000007", f"Not found: Resource not found: {group} (UserGroup)")
        self.applications[request.match_info["id"]].groups.add(group)
        return web.json_response({"id": group, "priority": 0})

    async def _list_secrets(self, request: web.Request) -> web.Response:
        listed = [each.document() for each in self.applications[request.match_info["id"]].secrets]
        for each in listed if self.hidden_secrets else []:
            del each["client_secret"]
        return web.json_response(listed)

    async def _create_secret(self, request: web.Request) -> web.Response:
        application = self.applications[request.match_info["id"]]
        if len(application.secrets) >= 2:
            return problem(
                400, "E0000001", "Api validation failed: You've reached the maximum number of client secrets"
            )
        return web.json_response(self.add_secret(application).document(), status=201)

    async def _deactivate(self, request: web.Request) -> web.Response:
        secret = self._secret(request)
        secret.status = "INACTIVE"
        return web.json_response(secret.document())

    async def _delete_secret(self, request: web.Request) -> web.Response:
        secret = self._secret(request)
        if secret.status == "ACTIVE":
            return problem(400, "E0000001", "Api validation failed: You can't delete an active client secret")
        self.applications[request.match_info["id"]].secrets.remove(secret)
        return web.Response(status=204)

    def _secret(self, request: web.Request) -> Secret:
        held = self.applications[request.match_info["id"]].secrets
        return next(each for each in held if each.id == request.match_info["secret"])

    def _record(self, client_id: str, *, with_secret: bool = False) -> dict[str, Any]:
        application = self.applications[client_id]
        shown = {name: value for name, value in application.metadata.items() if name != "client_secret"}
        secret = {"client_secret": application.secrets[0].value} if with_secret and application.secrets else {}
        return {
            "client_id": client_id,
            "client_id_issued_at": 1795435200,
            **secret,
            "client_secret_expires_at": 0,
            "logo_uri": None,
            **shown,
        }


def wrong(metadata: dict[str, Any]) -> web.Response | None:
    """What Okta says of metadata that it does not take."""
    if set(metadata) - TAKEN or metadata.get("application_type") not in TYPES:
        return refusal("invalid_client_metadata", "'application_type' must be one of web, native, browser, service.")
    if metadata["application_type"] == "service" and metadata["response_types"] != ["token"]:
        return refusal("invalid_client_metadata", "'response_types' must be 'token' for a service client.")
    if any("refused" in uri for uri in metadata["redirect_uris"]):
        return refusal("invalid_redirect_uri", "Each value of 'redirect_uris' must be allowed by the organisation.")
    return None


def refusal(error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=400)


def problem(status: int, code: str, summary: str) -> web.Response:
    document = {
        "errorCode": code,
        "errorSummary": summary,
        "errorLink": code,
        "errorId": "oaeHfmOAx1iRLa0H10DeMz5fQ",
        "errorCauses": [],
    }
    return web.Response(status=status, text=json.dumps(document), content_type="application/json")


@asynccontextmanager
async def okta() -> AsyncIterator[Okta]:
    """An organisation on loopback until the end of the block."""
    organisation = Okta()
    server = TestServer(organisation.application())
    await server.start_server()
    organisation.origin = str(server.make_url("")).rstrip("/")
    try:
        yield organisation
    finally:
        await server.close()
