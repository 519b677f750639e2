"""An identity provider for development and tests, on loopback: everything in memory, nothing stored."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from socket import socket

from gateway.clock import SystemClock
from gateway.demo.identity_provider.authorization import Authorization
from gateway.demo.identity_provider.client_metadata import ClientMetadata
from gateway.demo.identity_provider.models import Client
from gateway.demo.identity_provider.site import Site
from gateway.demo.identity_provider.tokens import ACCESS_TOKEN_LIFETIME
from gateway.demo.listening import address, bind, serving
from gateway.ports import Clock

SCOPES = ("openid", "profile", "orders.read", "orders.write")
AUDIENCE = "https://orders.example"
"""What a token is for when its request does not say (RFC 9068, 3)."""
GATEWAY = ("gateway", "gateway-secret")
"""The client that every provider has, with its secret: it may introspect, and cannot get a token."""


class DemoProvider:
    """The provider from inside: tokens can be issued and revoked, keys rotated, without a request."""

    def __init__(self, authorization: Authorization) -> None:
        self._authorization = authorization
        self._site = Site(authorization)
        self.application = self._site.application()
        self.add_client(*GATEWAY, grant_types=[])

    @property
    def issuer(self) -> str:
        return self._authorization.issuer

    @property
    def clients(self) -> dict[str, Client]:
        """By client id."""
        return self._authorization.memory.clients

    @property
    def introspections(self) -> int:
        """How often the introspection endpoint was asked, refusals included."""
        return self._site.introspections

    def add_client(self, client_id: str, client_secret: str | None = None, **metadata: object) -> Client:
        """A client that did not register: `metadata` has the members of RFC 7591, 2, such as `scope`.

        It may have scopes that the provider does not advertise. Raises pydantic's ValidationError.
        """
        client = Client(
            client_id=client_id,
            client_secret=client_secret,
            metadata=ClientMetadata.model_validate({"grant_types": ["client_credentials"], **metadata}),
            issued_at=int(self._authorization.clock.time()),
        )
        self.clients[client_id] = client
        return client

    def delete_client(self, client_id: str) -> None:
        """Forget the client, and every token that was issued to it."""
        self._authorization.memory.delete_client(client_id)

    def issue(
        self,
        client_id: str,
        scope: str,
        *,
        jwt: bool = False,
        subject: str | None = None,
        audience: str | Iterable[str] | None = None,
        lifetime: int = ACCESS_TOKEN_LIFETIME,
        algorithm: str = "RS256",
    ) -> str:
        """An access token, without asking whether the client exists or may have the scope.

        `audience` is one, several, or none at all; `lifetime` is in seconds; `algorithm` (RS256 or ES256) signs a JWT.
        Without a `subject` the token is the client's own.
        """
        tokens = self._authorization.tokens
        token = tokens.describe(
            client_id=client_id,
            scope=scope,
            subject=subject,
            audience=(audience,) if isinstance(audience, str) else tuple(audience or ()),
            lifetime=lifetime,
        )
        return tokens.issue_jwt(token, algorithm) if jwt else tokens.issue_opaque(token)

    def revoke(self, token: str) -> None:
        """Forget an access or refresh token: introspection says inactive from now on."""
        self._authorization.memory.revoke(token)

    def rotate_keys(self, *, keep_old: bool = True) -> None:
        """Sign with new keys; the old ones stay published, unless they are not to be kept."""
        self._authorization.keys.rotate(keep_old=keep_old)


@asynccontextmanager
async def run_identity_provider(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    listener: socket | None = None,
    scopes: tuple[str, ...] = SCOPES,
    default_audience: str | None = AUDIENCE,
    initial_access_token: str | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[DemoProvider]:
    """A provider that answers on loopback until the end of the block; port 0 takes a free one.

    A `listener` that is bound already replaces host and port. An `initial_access_token` closes registration to
    everybody who does not have it (RFC 7591, 3). Raises OSError when the port is taken.
    """
    listener = listener or bind(host, port)
    provider = DemoProvider(
        Authorization(
            issuer=f"http://{address(listener)}",
            scopes=scopes,
            default_audience=(default_audience,) if default_audience else (),
            initial_access_token=initial_access_token,
            clock=clock or SystemClock(),
        )
    )
    async with serving(provider.application, listener):
        yield provider
