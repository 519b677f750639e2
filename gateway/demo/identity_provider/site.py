"""The provider's web site: reads a request, asks Authlib, answers."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from authlib.oauth2.rfc7591 import InvalidClientMetadataError

from gateway.demo.identity_provider import metadata, pages
from gateway.demo.identity_provider.authorization import Authorization
from gateway.demo.identity_provider.client_metadata import is_printable
from gateway.demo.identity_provider.endpoints import userinfo
from gateway.demo.identity_provider.models import Client
from gateway.demo.identity_provider.requests import (
    FormRequest,
    JsonObjectRequest,
    Parameters,
    read_form,
    read_query,
)

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]
LONGEST_NAME = 64


class Site:
    """The endpoints, as aiohttp wants them."""

    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization
        self.introspections = 0
        """How often the introspection endpoint was asked, refusals included."""

    def application(self) -> web.Application:
        """The web application, to be served at the issuer."""
        application = web.Application(middlewares=[self._refusals])
        application.add_routes(
            [
                web.get("/.well-known/openid-configuration", self.describe),
                web.get("/.well-known/oauth-authorization-server", self.describe),
                web.get(metadata.KEYS, self.keys),
                web.get(metadata.AUTHORIZATION, self.ask_for_a_name),
                web.post(metadata.AUTHORIZATION, self.log_in),
                web.post(metadata.TOKEN, self.token),
                web.post(metadata.INTROSPECTION, self.introspect),
                web.post(metadata.REVOCATION, self.revoke),
                web.get(metadata.USERINFO, self.userinfo),
                web.post(metadata.USERINFO, self.userinfo),
                web.post(metadata.REGISTRATION, self.register),
                web.get(metadata.REGISTRATION + "/{client_id}", self.read_client),
                web.put(metadata.REGISTRATION + "/{client_id}", self.update_client),
                web.delete(metadata.REGISTRATION + "/{client_id}", self.read_client),
            ]
        )
        return application

    async def describe(self, request: web.Request) -> web.Response:
        return web.json_response(metadata.describe(self._authorization.issuer, self._authorization.scopes))

    async def keys(self, request: web.Request) -> web.Response:
        return web.json_response(self._authorization.keys.published())

    async def ask_for_a_name(self, request: web.Request) -> web.Response:
        asked = self._query_request(request)
        self._authorization.asked_for(asked)
        return _login_page(request, asked)

    async def log_in(self, request: web.Request) -> web.Response:
        asked = self._query_request(request)
        form = (await read_form(request)).data
        name = form.get("name", "").strip()
        grant = self._authorization.asked_for(asked, name)
        if form.get("decision") == "deny":
            return self._authorization.decided(grant, None)
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            return _login_page(request, asked, f"Please enter a name of up to {LONGEST_NAME} characters.")
        return self._authorization.decided(grant, name)

    async def token(self, request: web.Request) -> web.Response:
        return self._authorization.token(await self._form_request(request))

    async def introspect(self, request: web.Request) -> web.Response:
        self.introspections += 1
        asked = await self._form_request(request)
        return self._authorization.endpoint("introspection", asked)

    async def revoke(self, request: web.Request) -> web.Response:
        asked = await self._form_request(request)
        return self._authorization.endpoint("revocation", asked)

    async def userinfo(self, request: web.Request) -> web.Response:
        claims = userinfo(self._authorization.memory, request.headers)
        return web.json_response(claims, headers={"Cache-Control": "no-store"})

    async def register(self, request: web.Request) -> web.Response:
        asked = self._json_request(request, await _read_object(request))
        return self._authorization.endpoint("client_registration", asked)

    async def read_client(self, request: web.Request) -> web.Response:
        asked = self._json_request(request, {})
        return self._authorization.endpoint("client_configuration", asked)

    async def update_client(self, request: web.Request) -> web.Response:
        asked = self._json_request(request, await _read_object(request))
        return self._authorization.endpoint("client_configuration", asked)

    @web.middleware
    async def _refusals(self, request: web.Request, handler: Answering) -> web.StreamResponse:
        try:
            return await handler(request)
        except OAuth2Error as error:
            return self._authorization.handle_response(*error())

    def _query_request(self, request: web.Request) -> FormRequest:
        parameters = read_query(request)
        # Authlib quotes these two in its refusals, where RFC 6749, 5.2 allows some characters only.
        if not all(is_printable(parameters.data.get(name, "")) for name in ("response_type", "redirect_uri")):
            raise InvalidRequestError("A parameter holds characters that it cannot have.")
        return self._oauth_request(request, parameters)

    async def _form_request(self, request: web.Request) -> FormRequest:
        return self._oauth_request(request, await read_form(request))

    def _oauth_request(self, request: web.Request, parameters: Parameters) -> FormRequest:
        parameters.refuse_repetition()
        return FormRequest(request.method, self._uri(request), request.headers, parameters)

    def _json_request(self, request: web.Request, data: dict[str, Any]) -> JsonObjectRequest:
        return JsonObjectRequest(request.method, self._uri(request), request.headers, data)

    def _uri(self, request: web.Request) -> str:
        # Under our own name, whatever Host says: Authlib refuses http that does not lead to this machine.
        return self._authorization.issuer + request.rel_url.raw_path


def _login_page(request: web.Request, asked: FormRequest, complaint: str = "") -> web.Response:
    client: Client = asked.client
    return pages.login(
        client=client.metadata.client_name or client.client_id,
        scope=asked.scope or "nothing in particular",
        action=request.raw_path,
        complaint=complaint,
    )


async def _read_object(request: web.Request) -> dict[str, Any]:
    try:
        data = await request.json()
    except (ValueError, RecursionError) as error:
        raise InvalidClientMetadataError("The body is not JSON.") from error
    if not isinstance(data, dict):
        raise InvalidClientMetadataError("The body is not a JSON object.")
    return data
