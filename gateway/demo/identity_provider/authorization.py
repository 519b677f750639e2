"""Authlib's authorization server, fed with what is in memory."""

import logging
from typing import Any

from aiohttp import web
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import AuthorizationServer, grants
from authlib.oidc.core import OpenIDCode
from joserfc.jwk import Key

from gateway.demo.identity_provider import metadata
from gateway.demo.identity_provider.authentication import Authentication
from gateway.demo.identity_provider.endpoints import Introspection, Revocation, person
from gateway.demo.identity_provider.grants import ClientCredentials, Login, Refresh, RequiredChallenge
from gateway.demo.identity_provider.keys import SigningKeys
from gateway.demo.identity_provider.memory import Memory
from gateway.demo.identity_provider.models import Client
from gateway.demo.identity_provider.refusals import ClientNotAuthenticated
from gateway.demo.identity_provider.registration import Configuration, Registration
from gateway.demo.identity_provider.requests import FormRequest, JsonObjectRequest
from gateway.demo.identity_provider.tokens import Tokens
from gateway.ports import Clock

# Below this level Authlib writes the tokens that it issues into the log.
logging.getLogger("authlib").setLevel(logging.INFO)

ID_TOKEN_LIFETIME = 600
"""Seconds."""


class Authorization(AuthorizationServer):
    """Grants and endpoints around one memory. Everything in it is synchronous."""

    def __init__(
        self,
        *,
        issuer: str,
        scopes: tuple[str, ...],
        default_audience: tuple[str, ...],
        initial_access_token: str | None,
        clock: Clock,
    ) -> None:
        super().__init__()
        self.issuer = issuer
        self.scopes = scopes
        self.default_audience = default_audience
        self.initial_access_token = initial_access_token
        self.clock = clock
        self.keys = SigningKeys()
        self.memory = Memory(clock)
        self.tokens = Tokens(issuer, self.memory, self.keys, clock)
        self._authentication = Authentication(self.memory, _audiences(issuer), clock)
        self.register_grant(ClientCredentials)
        self.register_grant(Login, [RequiredChallenge(), IdToken(self)])
        self.register_grant(Refresh)
        for endpoint in (Introspection, Revocation, Registration, Configuration):
            self.register_endpoint(endpoint)

    def token(self, request: FormRequest) -> web.Response:
        """The answer of the token endpoint."""
        answer: web.Response = self.create_token_response(request)
        return answer

    def endpoint(self, name: str, request: FormRequest | JsonObjectRequest) -> web.Response:
        """The answer of an endpoint, by the name that Authlib has for it."""
        answer: web.Response = self.create_endpoint_response(name, request)
        return answer

    def asked_for(self, request: FormRequest, name: str | None = None) -> grants.BaseGrant:
        """What an authorization request is for. Raises OAuth2Error: one that may be sent back knows where to."""
        return self.get_consent_grant(request, end_user=name)

    def decided(self, grant: grants.BaseGrant, name: str | None) -> web.Response:
        """The way back to the client, with a code; without one where nobody gave a name."""
        answer: web.Response = self.create_authorization_response(grant.request, grant_user=name, grant=grant)
        return answer

    # From here on: what Authlib asks for.

    def query_client(self, client_id: str) -> Client | None:
        return self.memory.clients.get(client_id)

    def authenticate_client(self, request: FormRequest, methods: tuple[str, ...], endpoint: str = "token") -> Client:
        client = self._authentication.client(request)
        if client.metadata.token_endpoint_auth_method not in methods:
            raise ClientNotAuthenticated
        # Authlib asks a public client for its code verifier by this.
        request.auth_method = client.metadata.token_endpoint_auth_method
        return client

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: FormRequest) -> FormRequest:
        return request

    def create_json_request(self, request: JsonObjectRequest) -> JsonObjectRequest:
        return request

    def handle_response(self, status: int, body: dict[str, Any] | str, headers: list[tuple[str, str]]) -> web.Response:
        answer = web.Response(status=status) if body == "" else web.json_response(body, status=status)
        answer.headers.update(headers)
        if "Location" in answer.headers:
            # RFC 9207, 2: "In authorization responses to the client, including error responses, an authorization
            # server supporting this specification MUST indicate its identity by including the iss parameter".
            answer.headers["Location"] = add_params_to_uri(answer.headers["Location"], [("iss", self.issuer)])
        return answer


class IdToken(OpenIDCode):
    """The id_token of a login with the scope openid."""

    def __init__(self, server: Authorization) -> None:
        super().__init__(require_nonce=False)
        self._server = server

    def exists_nonce(self, nonce: str, request: FormRequest) -> bool:
        # OpenID Connect Core, 3.1.3.7: the client "MUST verify that it is the same value as the one that was sent".
        return False

    def generate_user_info(self, user: str, scope: str) -> dict[str, object]:
        return person(user, scope)

    def resolve_client_private_key(self, client: Client) -> Key:
        return self._server.keys.signing(client.id_token_signed_response_alg)

    def get_encode_header(self, client: Client) -> dict[str, Any]:
        return {"alg": client.id_token_signed_response_alg, "kid": self.resolve_client_private_key(client).kid}

    def get_client_claims(self, client: Client) -> dict[str, object]:
        now = int(self._server.clock.time())
        return {"iss": self._server.issuer, "aud": client.client_id, "iat": now, "exp": now + ID_TOKEN_LIFETIME}


def _audiences(issuer: str) -> tuple[str, ...]:
    """What a client assertion may be addressed to: us, or the endpoint that it is sent to."""
    return (issuer, *(issuer + path for path in (metadata.TOKEN, metadata.INTROSPECTION, metadata.REVOCATION)))
