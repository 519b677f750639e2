"""Identity providers in the YAML, and what becomes of them once their preset is known."""

from dataclasses import dataclass, fields, replace
from typing import Annotated, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainSerializer, SecretStr

from gateway.providers import ClientCredentials, Dialect, Endpoints, KeyTimes, Limits, Order, Provider, Transport
from gateway.providers.presets import PRESETS
from gateway.settings.section import Section
from gateway.settings.urls import origin
from gateway.wording import meant


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
