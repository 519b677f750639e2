"""Introspection (RFC 7662), revocation (RFC 7009) and userinfo (OpenID Connect Core, 5.3)."""

from collections.abc import Mapping

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from gateway.demo.identity_provider.grants import EVERY_METHOD
from gateway.demo.identity_provider.memory import Memory
from gateway.demo.identity_provider.models import AccessToken, Client, RefreshToken
from gateway.demo.identity_provider.refusals import BearerRefused, ScopeMissing
from gateway.demo.identity_provider.requests import FormRequest


class Introspection(IntrospectionEndpoint):
    """Any confidential client may ask about any access token. A refresh token is not one, hint or no hint."""

    CLIENT_AUTH_METHODS = tuple(method for method in EVERY_METHOD if method != "none")

    def check_params(self, request: FormRequest, client: Client) -> None:
        require_token(request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> AccessToken | None:
        memory: Memory = self.server.memory
        return memory.access_tokens.get(token_string)

    def check_permission(self, token: AccessToken, client: Client, request: FormRequest) -> bool:
        return True

    def create_introspection_payload(self, token: AccessToken | None) -> dict[str, object]:
        # RFC 7662, 2.2: "to avoid disclosing too much [...] the authorization server SHOULD NOT include any
        # additional information about an inactive token, including why the token is inactive."
        if token is None:
            return {"active": False}
        return {"active": True, "token_type": "Bearer", **token.claims(self.server.issuer)}


class Revocation(RevocationEndpoint):
    """A client takes back what was issued to it; what nobody knows is revoked already."""

    CLIENT_AUTH_METHODS = EVERY_METHOD

    def check_params(self, request: FormRequest, client: Client) -> None:
        # RFC 7009, 2.2.1: an "invalid token type hint value is ignored by the authorization server and does not
        # influence the revocation response."
        require_token(request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> AccessToken | RefreshToken | None:
        memory: Memory = self.server.memory
        return memory.access_tokens.get(token_string) or memory.refresh_tokens.get(token_string)

    def revoke_token(self, token: AccessToken | RefreshToken, request: FormRequest) -> None:
        self.server.memory.revoke(request.form["token"])


def require_token(request: FormRequest) -> None:
    """Raises InvalidRequestError where the request names no token."""
    if "token" not in request.form:
        raise InvalidRequestError("Missing 'token' in request.")


def userinfo(memory: Memory, headers: Mapping[str, str]) -> dict[str, object]:
    """The claims about the person who logged in. Raises BearerRefused, ScopeMissing."""
    token = memory.access_tokens.get(bearer(headers))
    if token is None:
        raise BearerRefused
    if "openid" not in token.scope.split() or token.grant is None:
        raise ScopeMissing
    return person(token.subject, token.scope)


def person(subject: str, scope: str) -> dict[str, object]:
    """What there is to tell about somebody who gave us nothing but a name."""
    return {"sub": subject, **({"name": subject} if "profile" in scope.split() else {})}


def bearer(headers: Mapping[str, str]) -> str:
    """The token of the Authorization header; raises BearerRefused."""
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise BearerRefused
    return token.strip()
