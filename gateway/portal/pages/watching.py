"""What happened and how providers are doing, for owners of APIs."""

from urllib.parse import urlencode

from aiohttp import web

from gateway.portal.pages import wording
from gateway.portal.pages.agreement_view import entry_views
from gateway.portal.pages.contracts import must_decide
from gateway.portal.visits import Page, Visit
from gateway.providers.status import ProviderState

_BADGES = {
    ProviderState.READY: wording.Badge("Ready", "good"),
    ProviderState.STARTING: wording.Badge("Not asked yet", "waiting"),
    ProviderState.FAILING: wording.Badge("Failing", "bad"),
}


async def show_audit(visit: Visit) -> web.Response:
    """Who did what, newest first."""
    must_decide(visit)
    filters = {name: visit.query(name) for name in ("actor", "client")}
    after = visit.query("after")
    page = await visit.parts.registry.audit(
        by=visit.actor,
        actor=filters["actor"] or None,
        client=filters["client"] or None,
        after=int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else 0,
    )
    return visit.render(
        "audit.html",
        entries=entry_views(page.items, visit.parts.catalogue),
        filters=filters,
        next="/audit?" + urlencode({**filters, "after": page.next}) if page.next else "",
    )


async def show_providers(visit: Visit) -> web.Response:
    """The identity providers, and since when they are as they are."""
    must_decide(visit)
    providers = [
        {
            "name": status.name,
            "badge": _BADGES[status.state],
            "since": wording.moment(status.since),
            "detail": status.detail,
        }
        for status in await visit.parts.provider_statuses()
    ]
    return visit.render("providers.html", providers=providers)


PAGES = (
    Page("GET", "/audit", show_audit),
    Page("GET", "/providers", show_providers),
)
