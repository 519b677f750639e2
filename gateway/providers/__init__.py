"""Identity providers as data: where they answer, how we prove who we are, how they spell what they say."""

from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import SecretStr


class ClientAuthentication(StrEnum):
    """How our confidential client proves itself (OpenID Connect Core, 9; RFC 8705, 2)."""

    CLIENT_SECRET_BASIC = "client_secret_basic"
    CLIENT_SECRET_POST = "client_secret_post"
    CLIENT_SECRET_JWT = "client_secret_jwt"
    PRIVATE_KEY_JWT = "private_key_jwt"
    TLS_CLIENT_AUTH = "tls_client_auth"
    AUTHORIZATION_HEADER = "authorization_header"
    """A fixed Authorization header, for what no standard names (`SSWS …`, a long-lived bearer token)."""


class Order(StrEnum):
    """Which way a token is verified first, and whether there is a second."""

    INTROSPECT_THEN_KEYS = "introspect_then_keys"
    """Ask the provider; when it cannot answer and the token is a JWT, check its signature."""
    KEYS_FIRST = "keys_first"
    """Check a JWT's signature; ask the provider about any other token."""
    INTROSPECT_ONLY = "introspect_only"
    KEYS_ONLY = "keys_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """Our client at the provider, and its proof. Secrets do not show in the `repr`."""

    authentication: ClientAuthentication = ClientAuthentication.CLIENT_SECRET_BASIC
    client_id: str = ""
    client_secret: SecretStr | None = None
    private_key: SecretStr | None = None
    """PEM; for `private_key_jwt`."""
    key_id: str | None = None
    algorithm: str = "RS256"
    """The signature of a client assertion; for `client_secret_jwt` HS256, HS384 or HS512."""
    authorization: SecretStr | None = None
    """The whole header value; for `authorization_header`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """A provider's URLs. `None` is what nobody named; discovery may fill it in."""

    introspection: str | None = None
    jwks: str | None = None
    token: str | None = None
    authorization: str | None = None
    registration: str | None = None
    revocation: str | None = None
    userinfo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a provider spells what it says. Claims are tried in order; the first that is present counts."""

    client_id: tuple[str, ...] = ("client_id", "azp")
    subject: tuple[str, ...] = ("sub",)
    scope: tuple[str, ...] = ("scope",)
    """In a JWT, a string of names between spaces, or a list of strings."""
    scope_lists: bool = False
    """Whether an introspection answer may hold a list of scopes, where RFC 7662 has a string."""
    token_type: tuple[str, ...] = ("token_type",)
    access_token_types: frozenset[str] = frozenset({"bearer"})
    """What `token_type` of an introspected access token may say, in lower case."""
    requires_token_type: bool = True
    """Whether a token without a `token_type` is refused. A refresh token may introspect as active without one."""
    introspects_jwts: bool = True
    """Whether JWTs can be introspected; where not, they are validated by the provider's keys."""
    jwt_types: frozenset[str] = frozenset({"at+jwt"})
    """What the `typ` header of a JWT access token may say, in lower case and without `application/` (RFC 9068, 2.1)."""
    order: Order = Order.INTROSPECT_THEN_KEYS
    """How tokens are verified where a route does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """How a server is reached. Times in seconds, sizes in bytes. Redirects are never followed."""

    connect_timeout: float = 1.0
    timeout: float = 5.0
    """For the whole answer, connecting included."""
    max_bytes: int = 262_144
    """Of a decoded body."""
    ca_file: str | None = None
    """A bundle in PEM that replaces the system's authorities."""
    certificate_file: str | None = None
    """Our certificate in PEM (`tls_client_auth`)."""
    key_file: str | None = None
    proxy: str | None = None
    """An outbound HTTP proxy. The environment's proxy settings are not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one provider may cost us, and what it is spared. Times in seconds."""

    concurrency: int = 64
    """Introspections under way at once; more wait, within the timeout."""
    failures: int = 5
    """In a row, before the provider is left alone."""
    cool_down: float = 5.0
    """How long it is left alone, before one request asks again."""
    verified_tokens: int = 100_000
    """Kept in memory at most."""
    rejected_tokens: int = 20_000
    """Kept in memory at most, apart from the verified: invented tokens cannot push out good ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTimes:
    """How long keys are trusted, in seconds."""

    refresh_after: float = 300.0
    """Then they are fetched anew in the background."""
    max_age: float = 86_400.0
    """Then they are trusted no more, whatever the reason for not having newer ones."""
    cool_down: float = 10.0
    """Between two fetches for the sake of an unknown key id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An identity provider."""

    name: str
    issuer: str | None = None
    """Compared byte for byte with what tokens and metadata say."""
    discovery: tuple[str, ...] = ()
    """URLs of its metadata, tried in order. None: all endpoints are configured."""
    endpoints: Endpoints = field(default_factory=Endpoints)
    introspection: ClientCredentials | None = None
    dialect: Dialect = field(default_factory=Dialect)
    transport: Transport = field(default_factory=Transport)
    limits: Limits = field(default_factory=Limits)
    keys: KeyTimes = field(default_factory=KeyTimes)
    signed_introspection: bool = False
    """Ask for RFC 9701 answers, verify them, and take no other."""
