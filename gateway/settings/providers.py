"""Identity providers in the YAML, and what becomes of them once their preset is known."""

from dataclasses import dataclass, fields, replace
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainSerializer, SecretStr

from gateway.providers import ClientCredentials, Dialect, Endpoints, KeyTimes, Limits, Order, Provider, Transport
from gateway.providers.presets import PRESETS
from gateway.providers.registration import Registration
from gateway.settings.section import Seconds, Section
from gateway.settings.urls import origin
from gateway.wording import meant

OPEN = Registration()
"""A registration with nothing said of it."""


def _preset(name: str) -> str:
    if name not in PRESETS:
        raise ValueError(f"no preset has this name{meant(name, PRESETS) or '; write one of ' + ', '.join(PRESETS)}")
    return name


PresetName: TypeAlias = Annotated[str, AfterValidator(_preset), Field(json_schema_extra={"enum": list(PRESETS)})]
Words: TypeAlias = Annotated[frozenset[str], PlainSerializer(sorted, when_used="json")]
"""A set, written in one order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Introspection(ClientCredentials):
    """Our client at the provider's introspection endpoint."""

    signed: bool = False
    """Ask for signed answers (RFC 9701), verify them, and take no other."""


class DialectSettings(Section):
    """Where a provider spells things otherwise than its preset says. Null: as the preset says."""

    client_id: tuple[str, ...] | None = None
    """Claims that may hold the client's id; the first that is present counts."""
    subject: tuple[str, ...] | None = None
    """Claims that may hold the subject."""
    scope: tuple[str, ...] | None = None
    """Claims that may hold the scopes, as words or, in a JWT, as a list."""
    scope_lists: bool | None = None
    """Whether an introspection answer may hold a list of scopes, where RFC 7662 has a string."""
    token_type: tuple[str, ...] | None = None
    """Claims that may hold the token's type."""
    access_token_types: Words | None = None
    """What that type may be for an access token, in lower case."""
    requires_token_type: bool | None = None
    """Whether a token without a type is refused."""
    introspects_jwts: bool | None = None
    """Whether JWTs can be introspected."""
    jwt_types: Words | None = None
    """What the `typ` header of a JWT access token may say, in lower case; an empty text is none at all."""
    order: Order | None = None
    """How tokens are verified where a route does not say."""


class RegistrationSettings(Section):
    """How clients are registered. At most one of the first three; none of them: registration is open to anybody."""

    authorization: SecretStr | None = None
    """The whole Authorization header, as in "SSWS ${OKTA_API_TOKEN}"."""
    initial_access_token: SecretStr | None = None
    """Sent as a bearer token (RFC 7591, 3)."""
    client: ClientCredentials | None = None
    """Our own client there, whose access token (client_credentials) opens registration."""
    scopes: tuple[str, ...] = ()
    """What we ask for with that token."""
    grant_types: tuple[str, ...] = OPEN.grant_types
    """What developers may choose from."""
    authentication: tuple[str, ...] = OPEN.authentication
    """How clients may prove themselves; the first is what nobody has to choose."""
    update: bool = OPEN.update
    """Whether we may change clients at the provider."""
    delete: bool = OPEN.delete
    """Whether we may delete clients at the provider."""
    timeout: Seconds = OPEN.timeout
    """Seconds for one request."""
    client_url: str | None = None
    """Where a client is managed, as in "{registration}/{client_id}", if the provider does not say."""
    groups: tuple[str, ...] = ()
    """Okta: the ids of groups that a new client is assigned to."""


class ProviderSettings(Section):
    """An identity provider."""

    preset: PresetName = "generic"
    """What kind it is: where its endpoints are, and how it spells what it says."""
    issuer: str | None = None
    """Its issuer, as its metadata says it: compared byte for byte."""
    metadata: str | None = None
    """The URL of its metadata, where that is not at the well-known place below the issuer."""
    endpoints: Endpoints = Endpoints()
    """URLs, in place of the preset's and of what the metadata says."""
    introspection: Introspection | None = None
    """Our client at its introspection endpoint."""
    registration: RegistrationSettings | None = None
    """How clients are registered there. Null: nobody asks for access to its APIs here."""
    dialect: DialectSettings = DialectSettings()
    """Where it spells things otherwise than its preset says."""
    transport: Transport = Transport()
    """How it is reached."""
    limits: Limits = Limits()
    """What it may cost us, and what it is spared."""
    keys: KeyTimes = KeyTimes()
    """How long its keys are trusted."""


def provider(name: str, settings: ProviderSettings) -> Provider:
    """The provider as the machine knows it: what is configured, over the preset; the rest is left to discovery."""
    return Provider(
        name=name,
        issuer=settings.issuer,
        discovery=_discovery(settings),
        endpoints=endpoints(settings),
        introspection=_credentials(settings.introspection),
        dialect=dialect(settings),
        transport=settings.transport,
        limits=settings.limits,
        keys=settings.keys,
        signed_introspection=settings.introspection is not None and settings.introspection.signed,
    )


def endpoints(settings: ProviderSettings) -> Endpoints:
    """The configured endpoints, and the preset's where none is configured."""
    if settings.issuer is None:
        return settings.endpoints
    templates = PRESETS[settings.preset].endpoints
    words = {"issuer": settings.issuer.rstrip("/"), "origin": origin(settings.issuer)}
    known = {each.name: getattr(templates, each.name) for each in fields(Endpoints)}
    filled = {name: template.format(**words) for name, template in known.items() if template is not None}
    return Endpoints(**{name: getattr(settings.endpoints, name) or filled.get(name) for name in known})


def dialect(settings: ProviderSettings) -> Dialect:
    """The preset's dialect, with what is configured in place of its words."""
    written = {name: getattr(settings.dialect, name) for name in type(settings.dialect).model_fields}
    overrides = {name: value for name, value in written.items() if value is not None}
    return replace(PRESETS[settings.preset].dialect, **overrides)


def registration(settings: ProviderSettings) -> Registration | None:
    """How clients are registered there, with what the preset knows of it."""
    if settings.registration is None:
        return None
    written = {name: getattr(settings.registration, name) for name in RegistrationSettings.model_fields}
    chosen = {name: value for name, value in written.items() if value is not None}
    return replace(PRESETS[settings.preset].registration, **chosen)


def _discovery(settings: ProviderSettings) -> tuple[str, ...]:
    if settings.metadata is not None:
        return (settings.metadata,)
    if settings.issuer is None or not PRESETS[settings.preset].discovers:
        return ()
    # RFC 8414, 3.1: "any terminating "/" MUST be removed before inserting "/.well-known/" and the well-known URI
    # suffix between the host component and the path component." OpenID Connect Discovery, 4, appends it instead.
    issuer = settings.issuer.rstrip("/")
    path = urlsplit(issuer).path
    return (
        f"{issuer}/.well-known/openid-configuration",
        f"{origin(issuer)}/.well-known/oauth-authorization-server{path}",
    )


def _credentials(written: Introspection | None) -> ClientCredentials | None:
    if written is None:
        return None
    return ClientCredentials(**{each.name: getattr(written, each.name) for each in fields(ClientCredentials)})


def secret_of(value: SecretStr | None) -> str:
    """What a secret says; empty where there is none."""
    return "" if value is None else value.get_secret_value()
