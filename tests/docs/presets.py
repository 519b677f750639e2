"""A preset as rows of a table: what the pages about providers say of it."""

from dataclasses import fields

from gateway.providers import Dialect, Endpoints
from gateway.providers.presets import PRESETS, Preset
from gateway.providers.registration import Registration

WORDS = {
    "client_id": "claims with the client's id",
    "subject": "claims with the subject",
    "scope": "claims with the scopes",
    "scope_lists": "introspection may give a list of scopes",
    "token_type": "claims with the token's type",
    "access_token_types": "types of an access token",
    "requires_token_type": "a type is required",
    "introspects_jwts": "introspects JWTs",
    "jwt_types": "`typ` of its JWTs",
    "order": "order",
}
REGISTRATION_WORDS = {
    "grant_types": "grant types of registered clients",
    "authentication": "how registered clients prove themselves",
    "client_url": "a client is managed at",
    "secrets_url": "a client's secrets are at",
    "group_url": "a client is assigned to a group at",
    "service_type": "type of an application that nobody signs in to",
    "browser_type": "type of a public application in a browser",
    "service_responses": "response types where nobody signs in",
    "omits": "registration is not sent",
}


def preset_rows(name: str) -> list[list[str]]:
    """What the preset knows: what an issuer looks like, where its endpoints are, its dialect and registration."""
    preset = PRESETS[name]
    return [
        ["issuer looks like", f"`{preset.issuer}`"],
        ["metadata", "asked for" if preset.discovers else "not asked for"],
        *([f"{each} endpoint", f"`{url}`"] for each, url in _endpoints(preset)),
        *([WORDS[each.name], _value(getattr(preset.dialect, each.name))] for each in fields(Dialect)),
        *([REGISTRATION_WORDS[name], _value(value)] for name, value in _registration(preset)),
    ]


def _registration(preset: Preset) -> list[tuple[str, object]]:
    """What the preset says of registration that holds for no provider by itself."""
    usual = Registration()
    named = ((each.name, getattr(preset.registration, each.name)) for each in fields(Registration))
    return [(name, value) for name, value in named if value != getattr(usual, name)]


def _endpoints(preset: Preset) -> list[tuple[str, str]]:
    named = ((each.name, getattr(preset.endpoints, each.name)) for each in fields(Endpoints))
    return [(name, url) for name, url in named if url is not None]


def _value(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(f"`{item}`" for item in value)
        case frozenset():
            return ", ".join(f"`{item}`" if item else "none at all" for item in sorted(value))
        case _:
            return f"`{value}`"
