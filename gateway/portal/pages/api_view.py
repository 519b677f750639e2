"""An API and its tiers as pages show them. Pure."""

from dataclasses import dataclass

from gateway.clients.catalogue import Api, Catalogue, Tier
from gateway.portal.pages import wording
from gateway.portal.pages.plain import safe_link


@dataclass(frozen=True, slots=True, kw_only=True)
class TierView:
    """A tier in words."""

    name: str
    title: str
    description: str
    limits: tuple[str, ...]
    """Those that developers are told of."""
    approval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiView:
    """An API in words."""

    name: str
    title: str
    description: str
    version: str
    documentation: str | None
    url: str
    has_openapi: bool
    scopes: tuple[str, ...]
    tiers: tuple[TierView, ...]
    """Those that can be asked for."""
    approval: str
    """Of access without a tier, or of tiers that all say the same; empty where it depends on the tier."""
    terms: str


def listed(catalogue: Catalogue) -> tuple[ApiView, ...]:
    """The APIs of the catalogue's page, by title."""
    views = (api_view(api, catalogue) for api in catalogue.apis.values() if api.listed)
    return tuple(sorted(views, key=lambda view: view.title.casefold()))


def api_view(api: Api, catalogue: Catalogue) -> ApiView:
    """One API."""
    tiers = tuple(tier_view(tier, api, catalogue) for tier in open_tiers(api, catalogue))
    approvals = {tier.approval for tier in tiers} or {wording.approval(catalogue.is_automatic(api.name, None))}
    return ApiView(
        name=api.name,
        title=api.title or api.name,
        description=api.description,
        version=api.version,
        documentation=safe_link(api.documentation),
        url=api.url,
        has_openapi=api.openapi is not None,
        scopes=api.scopes,
        tiers=tiers,
        approval=approvals.pop() if len(approvals) == 1 else "",
        terms=api.terms,
    )


def tier_view(tier: Tier, api: Api, catalogue: Catalogue) -> TierView:
    """One tier, as that API grants it."""
    return TierView(
        name=tier.name,
        title=tier.title or tier.name,
        description=tier.description,
        limits=tuple(wording.limit(limit) for limit in tier.limits if limit.visible),
        approval=wording.approval(catalogue.is_automatic(api.name, tier.name)),
    )


def open_tiers(api: Api, catalogue: Catalogue) -> tuple[Tier, ...]:
    """The tiers of an API that can still be asked for."""
    tiers = (catalogue.tiers[name] for name in api.tiers)
    return tuple(tier for tier in tiers if not tier.deprecated)


def title_of(api: str, catalogue: Catalogue) -> str:
    """How people call an API; one that is not in the catalogue any more keeps its name."""
    known = catalogue.apis.get(api)
    return known.title or known.name if known else api


def tier_title(tier: str | None, catalogue: Catalogue) -> str:
    """How people call a tier; empty for none."""
    if tier is None:
        return ""
    known = catalogue.tiers.get(tier)
    return known.title or known.name if known else tier
