"""Requests and contracts, for those who decide about them."""

from urllib.parse import urlencode

from aiohttp import web

from gateway.clients.client import Agreement, Client
from gateway.clients.life import State, Verb
from gateway.clients.mistakes import NotAllowed, Refusal
from gateway.portal.pages import agreement_view as shown
from gateway.portal.pages.application_view import application_view
from gateway.portal.visits import Page, Visit

_NEED_REASONS = frozenset({Verb.REFUSE, Verb.REVOKE})


async def show_requests(visit: Visit) -> web.Response:
    """What waits for a decision: requests for access, and for another tier."""
    must_decide(visit)
    page = await visit.parts.registry.agreements(by=visit.actor, waiting=True, after=visit.query("after"))
    following = "/requests?" + urlencode({"after": page.next}) if page.next else ""
    return visit.render("requests.html", agreements=await _views(visit, page.items), next=following)


async def show_contracts(visit: Visit) -> web.Response:
    """All contracts, or those that match."""
    must_decide(visit)
    filters = {name: visit.query(name) for name in ("api", "state", "search")}
    state = State(filters["state"]) if filters["state"] in set(State) else None
    page = await visit.parts.registry.agreements(
        by=visit.actor, api=filters["api"] or None, state=state, search=filters["search"], after=visit.query("after")
    )
    return visit.render(
        "contracts.html",
        agreements=await _views(visit, page.items),
        filters={**filters, "any": any(filters.values())},
        apis=shown.api_choices(visit.parts.catalogue),
        states=shown.state_choices(),
        next="/contracts?" + urlencode({**filters, "after": page.next}) if page.next else "",
    )


async def show_contract(visit: Visit) -> web.Response:
    """One contract, its history, and what can be done to it."""
    must_decide(visit)
    return await _show(visit, await _agreement(visit), {})


async def decide(visit: Visit) -> web.Response:
    """Approve, refuse, revoke or restore."""
    must_decide(visit)
    agreement, verb = await _agreement(visit), Verb(visit.value("verb"))
    reason = visit.field("reason")
    if verb in _NEED_REASONS and not reason:
        return await _show(visit, agreement, {verb: "Say why: the developer reads it."}, tried=verb)
    try:
        await _perform(visit, agreement.id, verb, reason)
    except Refusal as refusal:
        return await _show(visit, await _agreement(visit), {"": refusal.detail}, tried=verb)
    return visit.go("/requests" if agreement.state is State.REQUESTED else f"/contracts/{agreement.id}")


async def change_tier(visit: Visit) -> web.Response:
    """Another tier, from now on."""
    must_decide(visit)
    agreement = await _agreement(visit)
    try:
        await visit.parts.registry.change_tier(agreement.id, visit.field("tier"), by=visit.actor)
    except Refusal as refusal:
        return await _show(visit, await _agreement(visit), {"": refusal.detail})
    return visit.go(f"/contracts/{agreement.id}")


def must_decide(visit: Visit) -> None:
    """Raises `NotAllowed`. What may be seen and done is judged by the registry; this is for pages of owners only."""
    if not visit.actor.decides:
        raise NotAllowed("This page is for the owners of APIs.")


async def _perform(visit: Visit, agreement: str, verb: Verb, reason: str) -> None:
    registry, actor = visit.parts.registry, visit.actor
    match verb:
        case Verb.APPROVE:
            await registry.approve(agreement, by=actor, tier=visit.field("tier") or None, reason=reason)
        case Verb.REFUSE:
            await registry.refuse(agreement, by=actor, reason=reason)
        case Verb.REVOKE:
            await registry.revoke(agreement, by=actor, reason=reason)
        case Verb.RESTORE:
            await registry.restore(agreement, by=actor, reason=reason)


async def _agreement(visit: Visit) -> Agreement:
    agreement: Agreement = await visit.parts.registry.agreement(visit.value("id"), by=visit.actor)
    return agreement


async def _client(visit: Visit, agreement: Agreement) -> Client:
    client: Client = await visit.parts.registry.client(agreement.client, by=visit.actor)
    return client


async def _views(visit: Visit, agreements: tuple[Agreement, ...]) -> list[shown.AgreementView]:
    catalogue = visit.parts.catalogue
    clients = {each.client: await _client(visit, each) for each in agreements}
    return [shown.agreement_view(each, catalogue, clients[each.client]) for each in agreements]


async def _show(
    visit: Visit, agreement: Agreement, mistakes: dict[str, str], tried: Verb | None = None
) -> web.Response:
    catalogue, now = visit.parts.catalogue, visit.parts.clock.time()
    client = await _client(visit, agreement)
    history = await visit.parts.registry.audit(by=visit.actor, agreement=agreement.id)
    return visit.render(
        "contract.html",
        status=400 if mistakes else 200,
        agreement=shown.agreement_view(agreement, catalogue, client),
        application=application_view(client, (), catalogue, now, visit.actor),
        history=shown.entry_views(history.items, catalogue),
        tiers=shown.tier_choices(agreement, catalogue),
        can_change_tier=agreement.state is State.ACTIVE and bool(shown.other_tiers(agreement, catalogue)),
        mistakes=mistakes,
        tried=tried,
        typed_reason=visit.field("reason"),
        typed_tier=visit.field("tier") or agreement.asked_tier or agreement.tier,
    )


PAGES = (
    Page("GET", "/requests", show_requests),
    Page("GET", "/contracts", show_contracts),
    Page("GET", "/contracts/{id}", show_contract),
    Page("POST", "/contracts/{id}/tier", change_tier),
    Page("POST", "/contracts/{id}/{verb:approve|refuse|revoke|restore}", decide),
)
