"""What is configured of the portal: data."""

from dataclasses import dataclass, field

from gateway.providers import ClientCredentials

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """How people sign in: our client at an identity provider (OpenID Connect)."""

    provider: str
    """The name of the provider. It needs an issuer."""
    credentials: ClientCredentials
    """Our client there. Its redirect URI is the portal's url with `/signed-in`, its post-logout redirect URI that with
    `/signed-out`, and its back-channel logout URI that with `/back-channel-logout`."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    """What we ask for; `openid` must be among it."""
    algorithms: tuple[str, ...] = ALGORITHMS
    """How ID tokens and logout tokens may be signed. A shared secret signs none."""
    trusted_audiences: tuple[str, ...] = ()
    """Whom an ID token may be for besides our client; one that is for anybody else is refused."""
    end_session: str | None = None
    """Where people sign out at the provider, when its metadata does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Who decides about requests for access. Nobody, unless something is named; what is named suffices by itself."""

    claim: str | None = None
    """A claim of the ID token, or else of the userinfo endpoint: a string, or a list of strings."""
    any_of: tuple[str, ...] = ()
    """One of these values of the claim makes an owner."""
    scopes: tuple[str, ...] = ()
    """All of these, when the provider says that it granted them, make an owner. They are asked for at sign-in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """How long people stay signed in. Times in seconds."""

    lifetime: float = 43_200.0
    """After the sign-in."""
    idle: float = 3_600.0
    """After the last page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often, per minute."""

    requests: int = 600
    """Of one address, whatever for."""
    sign_ins: int = 20
    """Of one address."""
    changes: int = 30
    """In one session, and twice as many from one address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalOptions:
    """The developer portal."""

    url: str
    """Where people reach it: `https`, a host, perhaps a port, and no path. `http` on this machine only."""
    sign_in: SignIn
    owners: Owners = field(default_factory=Owners)
    title: str = "Developer portal"
    """What it is called on its pages."""
    visits: Visits = field(default_factory=Visits)
    rates: Rates = field(default_factory=Rates)
    timeout: float = 30.0
    """Seconds for one page."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks in front of the portal, whose X-Forwarded-For says where a visitor comes from."""

    @property
    def origin(self) -> str:
        """Scheme and host, and the port where one is named; without a slash."""
        return self.url.rstrip("/")

    @property
    def scopes(self) -> tuple[str, ...]:
        """What is asked for at sign-in."""
        return tuple(dict.fromkeys((*self.sign_in.scopes, *self.owners.scopes)))
