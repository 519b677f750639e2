"""The three ways to a token: client credentials, a login with PKCE, and a refresh token."""

import secrets
from typing import Any, Protocol
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, grants
from authlib.oauth2.rfc7636 import CodeChallenge

from gateway.demo.identity_provider.memory import Memory
from gateway.demo.identity_provider.models import AuthorizationCode, RefreshToken
from gateway.demo.identity_provider.refusals import InvalidTarget
from gateway.demo.identity_provider.requests import FormRequest
from gateway.demo.identity_provider.tokens import ACCESS_TOKEN_LIFETIME, REFRESH_TOKEN_LIFETIME, Tokens
from gateway.ports import Clock

CODE_LIFETIME = 60
"""Seconds."""
EVERY_METHOD: tuple[str, ...] = (
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "none",
)


class Lends(Protocol):
    """What the grants use of the server."""

    tokens: Tokens
    memory: Memory
    clock: Clock
    default_audience: tuple[str, ...]
    """What a token is for when its request does not say."""


class Issues:
    """What the grants have in common: the answer with the tokens. Mixed in before Authlib's class.

    Authlib's own generator does not see the request, hence not what the token is wanted for (RFC 8707).
    """

    request: FormRequest
    server: Lends
    TOKEN_ENDPOINT_AUTH_METHODS = EVERY_METHOD

    def generate_token(
        self,
        user: str | None = None,
        scope: str | None = None,
        grant_type: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,
    ) -> dict[str, object]:
        """The members of a token response (RFC 6749, 5.1). Raises InvalidScopeError, InvalidTarget."""
        client, grant = self.request.client, self.grant()
        allowed = client.get_allowed_scope(scope)
        if allowed is None:
            raise InvalidScopeError
        resources = self.resources()
        answer: dict[str, object] = {
            "access_token": self._issue(allowed, user, resources, grant),
            "token_type": "Bearer",
            "expires_in": ACCESS_TOKEN_LIFETIME,
            "scope": allowed,
        }
        if include_refresh_token and user is not None and grant is not None:
            answer["refresh_token"] = self.server.tokens.issue_refresh_token(
                client_id=client.client_id,
                subject=user,
                scope=self.refreshable(allowed),
                resources=self.agreed_resources(),
                grant=grant,
            )
        return answer

    def save_token(self, token: dict[str, object]) -> None:
        """Nothing to do: a token is in memory from the moment it is made."""

    def grant(self) -> str | None:
        """The login that the tokens come from, where there was one."""
        return None

    def agreed_resources(self) -> tuple[str, ...]:
        """What the login was for; nothing where there was none."""
        return ()

    def refreshable(self, scope: str) -> str:
        """The scope that the next refresh token keeps."""
        return scope

    def resources(self) -> tuple[str, ...]:
        """What this token is for: what the request says, within what the login was for (RFC 8707, 2.2)."""
        asked, agreed = self.request.resources, self.agreed_resources()
        if not all(is_resource(resource) for resource in asked):
            raise InvalidTarget
        if agreed and not set(asked) <= set(agreed):
            raise InvalidTarget
        return asked or agreed

    def _issue(self, scope: str, subject: str | None, resources: tuple[str, ...], grant: str | None) -> str:
        client = self.request.client
        token = self.server.tokens.describe(
            client_id=client.client_id,
            scope=scope,
            subject=subject,
            audience=resources or self.server.default_audience,
            grant=grant,
        )
        if client.metadata.access_token_format == "jwt" or any(resource.endswith("/jwt") for resource in resources):
            return self.server.tokens.issue_jwt(token, client.metadata.access_token_signed_response_alg)
        return self.server.tokens.issue_opaque(token)


class ClientCredentials(Issues, grants.ClientCredentialsGrant):
    """An application acts for itself (RFC 6749, 4.4)."""

    TOKEN_ENDPOINT_AUTH_METHODS = tuple(method for method in EVERY_METHOD if method != "none")


class Login(Issues, grants.AuthorizationCodeGrant):
    """A person logs in, and the application is given a code (RFC 6749, 4.1)."""

    def grant(self) -> str | None:
        return self._code.grant

    def agreed_resources(self) -> tuple[str, ...]:
        return self._code.resources

    def validate_authorization_request(self) -> str:
        redirect_uri: str = super().validate_authorization_request()
        if not all(is_resource(resource) for resource in self.request.resources):
            raise InvalidTarget(redirect_uri=redirect_uri)
        return redirect_uri

    def save_authorization_code(self, code: str, request: FormRequest) -> None:
        now = int(self.server.clock.time())
        self.server.memory.codes[code] = AuthorizationCode(
            code=code,
            client_id=request.client.client_id,
            redirect_uri=request.payload.redirect_uri or "",
            scope=request.scope,
            subject=request.user,
            resources=request.resources,
            nonce=request.payload.data.get("nonce"),
            code_challenge=request.payload.data["code_challenge"],
            grant=secrets.token_urlsafe(16),
            issued_at=now,
            expires_at=now + CODE_LIFETIME,
        )

    def query_authorization_code(self, code: str, client: Any) -> AuthorizationCode | None:
        self.server.memory.end_grant_if_spent(code)
        found = self.server.memory.codes.get(code)
        return found if found is not None and found.client_id == client.client_id else None

    def delete_authorization_code(self, authorization_code: AuthorizationCode) -> None:
        self.server.memory.spend_code(authorization_code, until=int(self.server.clock.time()) + REFRESH_TOKEN_LIFETIME)

    def authenticate_user(self, authorization_code: AuthorizationCode) -> str:
        return authorization_code.subject

    @property
    def _code(self) -> AuthorizationCode:
        code: AuthorizationCode = self.request.authorization_code
        return code


class Refresh(Issues, grants.RefreshTokenGrant):
    """An application goes on without the person; each refresh token works once (RFC 6749, 6; RFC 9700, 4.14.2)."""

    INCLUDE_NEW_REFRESH_TOKEN = True

    def grant(self) -> str | None:
        return self._token.grant

    def agreed_resources(self) -> tuple[str, ...]:
        return self._token.resources

    def refreshable(self, scope: str) -> str:
        # RFC 6749, 6: "If a new refresh token is issued, the refresh token scope MUST be identical to that of the
        # refresh token included by the client in the request."
        return self._token.scope

    def authenticate_refresh_token(self, refresh_token: str) -> RefreshToken | None:
        self.server.memory.end_grant_if_spent(refresh_token)
        return self.server.memory.refresh_tokens.get(refresh_token)

    def authenticate_user(self, refresh_token: RefreshToken) -> str:
        return refresh_token.subject

    def revoke_old_credential(self, refresh_token: RefreshToken) -> None:
        self.server.memory.spend_refresh_token(refresh_token)

    @property
    def _token(self) -> RefreshToken:
        token: RefreshToken = self.request.refresh_token
        return token


class RequiredChallenge(CodeChallenge):
    """PKCE for everybody, and S256 only (RFC 7636; RFC 9700, 2.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        parameters = grant.request.payload.data
        if not parameters.get("code_challenge"):
            raise InvalidRequestError("Missing 'code_challenge'")
        # RFC 7636, 4.3: the method "defaults to plain if not present in the request".
        if parameters.get("code_challenge_method") != "S256":
            raise InvalidRequestError("Unsupported 'code_challenge_method'")
        super().validate_code_challenge(grant, redirect_uri)


def is_resource(uri: str) -> bool:
    """RFC 8707, 2: "Its value MUST be an absolute URI [...] The URI MUST NOT include a fragment component."""
    try:
        return bool(urlsplit(uri).scheme) and "#" not in uri
    except ValueError:
        return False
