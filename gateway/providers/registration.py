"""How clients are registered at a provider: data."""

from dataclasses import dataclass

from pydantic import SecretStr

from gateway.providers import ClientCredentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a provider's registration takes and allows. At most one of the first three; none: it is open to anybody.

    Secrets do not show in the `repr`.
    """

    authorization: SecretStr | None = None
    """The whole Authorization header: `SSWS …`, `Bearer …`."""
    initial_access_token: SecretStr | None = None
    """RFC 7591, 3: sent as a bearer token."""
    client: ClientCredentials | None = None
    """Our own client there: its access token (client_credentials) opens registration."""
    scopes: tuple[str, ...] = ()
    """What we ask for with that token."""
    grant_types: tuple[str, ...] = ("client_credentials", "authorization_code", "refresh_token")
    """What developers may choose from."""
    authentication: tuple[str, ...] = ("client_secret_basic", "client_secret_post", "none")
    """How clients may prove themselves at the token endpoint; the first is what nobody has to choose."""
    update: bool = True
    """Whether we may change clients at the provider."""
    delete: bool = True
    """Whether we may delete clients at the provider."""
    timeout: float = 10.0
    """Seconds for one request."""
    client_url: str | None = None
    """Where a client is managed, with {registration} and {client_id}, at providers that name no
    registration_client_uri; the authorization is then that of registration."""
    secrets_url: str | None = None
    """Where a client may have two secrets for a while (Okta), with {origin} (of registration) and {client_id}."""
    group_url: str | None = None
    """Where a client is assigned to a group (Okta), with {origin}, {client_id} and {group}."""
    groups: tuple[str, ...] = ()
    """Okta: groups that a new client is assigned to, by their ids."""
    service_type: str = "web"
    """`application_type` of a client that nobody signs in to."""
    browser_type: str = "web"
    """`application_type` of a public client whose redirect URIs are the web's."""
    service_responses: tuple[str, ...] = ()
    """`response_types` of a client that nobody signs in to."""
    omits: frozenset[str] = frozenset()
    """Members of a registration that the provider does not know, and is not sent."""
