"""What the development identity provider knows: clients, authorization codes, access and refresh tokens."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from authlib.oauth2.rfc6749 import ClientMixin

from gateway.demo.identity_provider.client_metadata import ClientMetadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Client(ClientMixin):
    """An application, as Authlib wants to ask about it. Secrets do not show in the `repr`."""

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    metadata: ClientMetadata
    issued_at: int
    registration_access_token: str | None = field(default=None, repr=False)
    """Opens the client's own record (RFC 7592); clients that nobody registered have none."""

    @property
    def id_token_signed_response_alg(self) -> str:
        return self.metadata.id_token_signed_response_alg

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str | None:
        # RFC 6749, 3.1.2.3: with more than one registered, the client MUST name the one it means.
        uris = self.metadata.redirect_uris
        return uris[0] if len(uris) == 1 else None

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """The scope to grant; `None` where it asks for more than it was registered for.

        RFC 6749, 3.3: "If the client omits the scope parameter [...] the authorization server MUST either process the
        request using a pre-defined default value or fail the request": the default is all that was registered.
        """
        registered = self.metadata.scope.split()
        asked = scope.split() if scope else registered
        return " ".join(dict.fromkeys(asked)) if set(asked) <= set(registered) else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return any(_same_redirect(registered, redirect_uri) for registered in self.metadata.redirect_uris)

    def check_client_secret(self, client_secret: object) -> bool:
        """Whether this is the secret; how long the answer takes does not tell how close it was."""
        if self.client_secret is None or not isinstance(client_secret, str):
            return False
        return hmac.compare_digest(self.client_secret.encode(), client_secret.encode())

    def check_response_type(self, response_type: str) -> bool:
        return response_type in self.metadata.accepted_response_types

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.metadata.grant_types


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """What was agreed on the login page, until the client comes for its tokens."""

    code: str = field(repr=False)
    client_id: str
    redirect_uri: str
    """Empty where the request did not name one."""
    scope: str
    subject: str
    resources: tuple[str, ...]
    nonce: str | None
    code_challenge: str
    grant: str
    issued_at: int
    expires_at: int
    code_challenge_method: str = "S256"

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.issued_at

    def get_acr(self) -> None:
        """Nobody was authenticated in earnest."""

    def get_amr(self) -> None:
        """Nobody was authenticated in earnest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """What an access token stands for."""

    token_id: str
    client_id: str
    subject: str
    """The client itself where no user is involved (RFC 9068, 2.2)."""
    scope: str
    audience: tuple[str, ...]
    issued_at: int
    expires_at: int
    grant: str | None
    """The login it comes from; revoking its refresh token ends it too."""

    def check_client(self, client: Client) -> bool:
        return client.client_id == self.client_id

    def claims(self, issuer: str) -> dict[str, object]:
        """The same for an introspection and inside a JWT (RFC 7662, 2.2; RFC 9068, 2.2)."""
        return {
            "iss": issuer,
            "sub": self.subject,
            "client_id": self.client_id,
            "scope": self.scope,
            **self._audience(),
            "iat": self.issued_at,
            "exp": self.expires_at,
            "jti": self.token_id,
        }

    def _audience(self) -> Mapping[str, object]:
        match self.audience:
            case ():
                return {}
            case (one,):
                return {"aud": one}
            case several:
                return {"aud": list(several)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """What a refresh token stands for."""

    token: str = field(repr=False)
    client_id: str
    subject: str
    scope: str
    resources: tuple[str, ...]
    grant: str
    expires_at: int

    def check_client(self, client: Client) -> bool:
        return client.client_id == self.client_id

    def get_scope(self) -> str:
        return self.scope


def _same_redirect(registered: str, asked: str) -> bool:
    if registered == asked:
        return True
    try:
        first, second = urlsplit(registered), urlsplit(asked)
    except ValueError:
        return False
    return _is_loopback(first) and _is_loopback(second) and _without_port(first) == _without_port(second)


def _is_loopback(uri: SplitResult) -> bool:
    # RFC 8252, 7.3: "The authorization server MUST allow any port to be specified at the time of the request for
    # loopback IP redirect URIs". A name (localhost) is not an IP literal.
    return uri.scheme == "http" and uri.hostname in {"127.0.0.1", "::1"}


def _without_port(uri: SplitResult) -> tuple[str | None, str | None, str, str, str]:
    return uri.username, uri.hostname, uri.path, uri.query, uri.fragment
