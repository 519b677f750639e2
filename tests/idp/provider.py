"""What the tests may rely on with every real identity provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.idp.clients import Client
from tests.idp.wire import Answer


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the token endpoint gives for a user's sign-in."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    id_token: str = field(repr=False, default="")
    """Empty where the provider gives none."""


class IdentityProvider(Protocol):
    """A running provider. Every call blocks until it is answered, for ten seconds at most."""

    @property
    def name(self) -> str: ...

    @property
    def issuer(self) -> str: ...

    @property
    def metadata_url(self) -> str: ...

    @property
    def introspection_endpoint(self) -> str: ...

    @property
    def token_endpoint(self) -> str: ...

    @property
    def jwks_uri(self) -> str: ...

    @property
    def client(self) -> Client:
        """An application that calls APIs."""

    @property
    def introspector(self) -> Client:
        """The client that the gateway is."""

    def mint(self, *, scope: str = "read", client: Client | None = None) -> str:
        """An access token by client credentials, of `client` unless another one is named."""

    def mint_signed(self) -> str:
        """An access token that is a JWT."""

    def sign_in(self) -> Tokens:
        """The tokens of a user."""

    def introspect(
        self,
        token: str,
        *,
        hint: str | None = "access_token",
        client: Client | None = None,
        accept: str = "application/json",
    ) -> Answer:
        """The raw answer about a token, to `introspector` unless another client is named."""

    def revoke(self, token: str, *, client: Client | None = None) -> Answer:
        """Revoke a token as its client, or as another one."""

    def register(self, metadata: Mapping[str, Any]) -> Answer:
        """Register a client (RFC 7591); nobody is asked for a permission."""
