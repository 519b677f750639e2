"""What developers may ask for: APIs and tiers in the YAML, and the catalogue they make with the routes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

from pydantic import Field

from gateway.clients.catalogue import Api, Catalogue, Limit, Tier
from gateway.plugins import PolicyNotFound, find_policy
from gateway.settings.grammar import Name
from gateway.settings.routes import RouteSettings
from gateway.settings.section import Count, Section

Approval: TypeAlias = Literal["automatic", "manual"]


class LimitSettings(Section):
    """So many requests in a window of time."""

    requests: Count = Field(examples=[100])
    """How many."""
    seconds: Count = Field(examples=[60])
    """The window, in whole seconds."""
    visible: bool = True
    """Whether developers and callers are told of it."""


class TierSettings(Section):
    """How much a client may call. All of its limits hold at once."""

    title: str = ""
    """Its name for people; empty: the name it has here."""
    description: str = ""
    """What it is for, in a sentence."""
    limits: tuple[LimitSettings, ...] = ()
    """Enforced by the policy rate-limit. Empty: no limit."""
    approval: Approval | None = None
    """automatic, or manual: an owner decides. Null: as the API says."""
    deprecated: bool = False
    """Whether it can no longer be asked for; who has it, keeps it."""


class ApiSettings(Section):
    """An API as developers see it."""

    provider: Name | None = None
    """Where its clients are registered. Null: the provider of its route's token-enforcement."""
    title: str = ""
    """Its name for people; empty: the name it has here."""
    description: str = ""
    """What it does, in a few sentences."""
    version: str = ""
    """Which one it is."""
    documentation: str | None = None
    """A link to its documentation."""
    openapi_file: str | None = None
    """Its OpenAPI document, JSON or YAML; developers see its operations."""
    scopes: tuple[str, ...] | None = None
    """What its clients may be granted. Null: the scopes that its routes ask for."""
    tiers: tuple[Name, ...] = ()
    """The tiers to choose from. Empty: access without one."""
    approval: Approval = "manual"
    """automatic, or manual: an owner decides."""
    terms: str = ""
    """What must be accepted, best as "${file:terms.txt}". Empty: nothing."""
    listed: bool = True
    """Whether it appears in the catalogue."""
    url: str | None = None
    """Where callers reach it. Null: the path of its first route, behind portal.gateway_url."""


def tiers(written: Mapping[str, TierSettings]) -> dict[str, Tier]:
    """The tiers as the machine knows them."""
    return {name: _tier(name, tier) for name, tier in written.items()}


def catalogue(
    apis: Mapping[str, ApiSettings], tiers: Mapping[str, Tier], routes: Mapping[str, RouteSettings], url: str
) -> Catalogue:
    """What may be asked for: each API of a route that wants tokens, as `apis` describes it. `url` is the gateway's.

    Raises OSError when a file of it cannot be read.
    """
    found: dict[str, Api] = {}
    for api in dict.fromkeys(route.api or name for name, route in routes.items()):
        own = _routes_of(api, routes)
        provider, scopes = provider_of(api, apis, routes), _scopes(own)
        if provider:
            found[api] = _api(api, apis.get(api, ApiSettings()), provider, scopes, url + own[0].path)
    return Catalogue(apis=found, tiers=tiers)


def provider_of(api: str, apis: Mapping[str, ApiSettings], routes: Mapping[str, RouteSettings]) -> str:
    """Where an API's clients are registered: the provider that it names, or the first that its routes take tokens of.

    Empty where they take none.
    """
    written = apis[api].provider if api in apis else None
    named = [
        name for options in _enforcements(_routes_of(api, routes)) for name in getattr(options, "provider_names", ())
    ]
    return written or next(iter(named), "")


def _api(name: str, written: ApiSettings, provider: str, scopes: Iterable[str], url: str) -> Api:
    document = ""
    if written.openapi_file is not None:
        with open(written.openapi_file, encoding="utf-8-sig") as file:
            document = file.read()
    return Api(
        name=name,
        provider=provider,
        title=written.title or name,
        description=written.description,
        version=written.version,
        documentation=written.documentation,
        openapi=document or None,
        scopes=tuple(scopes) if written.scopes is None else written.scopes,
        tiers=written.tiers,
        approval=written.approval,
        terms=written.terms,
        listed=written.listed,
        url=written.url or url,
    )


def _tier(name: str, written: TierSettings) -> Tier:
    return Tier(
        name=name,
        title=written.title or name,
        description=written.description,
        limits=tuple(Limit(**dict(limit)) for limit in written.limits),
        approval=written.approval,
        deprecated=written.deprecated,
    )


def _routes_of(api: str, routes: Mapping[str, RouteSettings]) -> list[RouteSettings]:
    return [route for name, route in routes.items() if (route.api or name) == api]


def _scopes(routes: Iterable[RouteSettings]) -> tuple[str, ...]:
    """Every scope that the enforcement of these routes asks for."""
    found = [scope for options in _enforcements(routes) for scope in getattr(options, "scopes", ())]
    return tuple(dict.fromkeys(found))


def _enforcements(routes: Iterable[RouteSettings]) -> Iterator[object]:
    try:
        enforcing = find_policy("token-enforcement")
    except PolicyNotFound:
        return
    yield from (entry.policy for route in routes for entry in route.policies if isinstance(entry.policy, enforcing))
