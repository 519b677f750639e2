"""Refusals that Authlib does not have, or answers with another status."""

from authlib.oauth2.rfc6749 import InvalidClientError, OAuth2Error

REALM = "Tokenward demo"


class ClientNotAuthenticated(InvalidClientError):
    """A client did not prove who it is: always 401, with the challenge that RFC 6749, 5.2 asks for."""

    status_code = 401
    description = "Client authentication failed."

    def get_headers(self) -> list[tuple[str, str]]:
        return [*OAuth2Error.get_headers(self), ("WWW-Authenticate", f'Basic realm="{REALM}"')]


class BearerRefused(OAuth2Error):
    """A token was asked for, and did not do (RFC 6750, 3.1)."""

    error = "invalid_token"
    description = "The token is missing, unknown, expired or revoked."
    status_code = 401

    def get_headers(self) -> list[tuple[str, str]]:
        challenge = f'Bearer realm="{REALM}", error="{self.error}"'
        return [*super().get_headers(), ("WWW-Authenticate", challenge)]


class ScopeMissing(BearerRefused):
    """The token is good, and not for this (RFC 6750, 3.1)."""

    error = "insufficient_scope"
    description = "The token has not the scope that this takes."
    status_code = 403


class InvalidTarget(OAuth2Error):
    """The client asks for a token for a resource that it cannot have (RFC 8707, 2)."""

    error = "invalid_target"
    description = "A resource is an absolute URI without a fragment, and one that was agreed to."
