"""The developer portal in the YAML."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from gateway.providers import ClientCredentials
from gateway.settings.front import TlsSettings
from gateway.settings.grammar import Address, Listen, Name, Network
from gateway.settings.section import Count, Seconds, Section

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


class SignIn(Section):
    """How people sign in: our client at an identity provider (OpenID Connect)."""

    provider: Name = Field(examples=["okta"])
    """The provider that knows them. It needs an issuer."""
    credentials: ClientCredentials = Field(examples=[{"client_id": "portal", "client_secret": "${PORTAL_SECRET}"}])
    """Our client there: its redirect URI is the url with /signed-in, the one after logout that with /signed-out."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    """What we ask for; openid must be among it."""
    algorithms: tuple[str, ...] = ALGORITHMS
    """How ID tokens may be signed. A shared secret signs none."""
    trusted_audiences: tuple[str, ...] = ()
    """Whom an ID token may be for besides our client; one that is for anybody else is refused."""
    end_session: str | None = None
    """Where people sign out at the provider, if its metadata does not say."""


class Owners(Section):
    """Who decides about requests for access. Nobody, unless something is named; what is named suffices by itself."""

    claim: str | None = None
    """A claim of the ID token, or else of the userinfo endpoint: a text, or a list of texts."""
    any_of: tuple[str, ...] = ()
    """One of these values of the claim makes an owner."""
    scopes: tuple[str, ...] = ()
    """All of these, if the provider granted them, make an owner. They are asked for at sign-in."""


class Visits(Section):
    """How long people stay signed in, in seconds."""

    lifetime: Seconds = 43_200.0
    """After the sign-in."""
    idle: Seconds = 3_600.0
    """After the last page."""


class Rates(Section):
    """How often, per minute."""

    requests: Count = 600
    """Of one address, whatever for."""
    sign_ins: Count = 20
    """Of one address."""
    changes: Count = 30
    """In one session, and twice as many from one address."""


class PortalSettings(Section):
    """The developer portal: where people ask for access, and owners grant it."""

    url: str = Field(examples=["https://developers.example.com"])
    """Where people reach it: https, a host, perhaps a port, and no path. http on this machine only."""
    listen: Annotated[Listen, Field(json_schema_extra={"default": "127.0.0.1:8081"})] = Address("127.0.0.1", 8081)
    """Its address."""
    tls: TlsSettings | None = None
    """TLS for its visitors. Null: plain HTTP, behind something that has TLS."""
    gateway_url: str | None = None
    """Where callers reach the gateway, for the commands that developers copy. Null: http and the first listen."""
    sign_in: SignIn = Field(
        examples=[{"provider": "okta", "credentials": {"client_id": "portal", "client_secret": "${PORTAL_SECRET}"}}]
    )
    """How people sign in."""
    owners: Owners = Owners()
    """Who decides about requests for access."""
    title: str = "Developer portal"
    """What it is called on its pages."""
    visits: Visits = Visits()
    """How long people stay signed in."""
    rates: Rates = Rates()
    """How often somebody may come."""
    timeout: Seconds = 30.0
    """Seconds for one page."""
    trusted_proxies: tuple[Network, ...] = ()
    """Networks whose X-Forwarded-For says where a visitor comes from."""

    @property
    def origin(self) -> str:
        """Scheme and host, and the port where one is named; without a slash."""
        return self.url.rstrip("/")

    @property
    def is_secure(self) -> bool:
        """Whether people reach it over TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def scopes(self) -> tuple[str, ...]:
        """What is asked for at sign-in."""
        return tuple(dict.fromkeys((*self.sign_in.scopes, *self.owners.scopes)))
