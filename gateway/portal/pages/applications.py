"""Applications: those of a developer, one of them with its usage, changing and deleting it."""

from collections.abc import Sequence
from urllib.parse import urlencode

from aiohttp import web

from gateway.clients.catalogue import LimitLeft
from gateway.clients.client import Agreement, Client, ClientState
from gateway.clients.life import State
from gateway.clients.mistakes import NotFound, Refusal
from gateway.operations import Whose
from gateway.portal.pages import wording
from gateway.portal.pages.application_form import (
    Mistakes,
    Typed,
    describing_mistakes,
    refused,
    typed,
    typed_of,
)
from gateway.portal.pages.application_view import ApplicationView, application_view
from gateway.portal.pages.asking import registration_of
from gateway.portal.pages.usage_view import longest_hours, span_of, usage_view
from gateway.portal.visits import Page, Visit


async def show_applications(visit: Visit) -> web.Response:
    """Those of whoever visits; who decides sees all."""
    actor = visit.actor
    owner = None if actor.decides else actor.person
    page = await visit.parts.registry.clients(by=actor, owner=owner, after=visit.query("after"))
    alive = [client for client in page.items if client.state is not ClientState.DELETED]
    following = "/applications?" + urlencode({"after": page.next}) if page.next else ""
    views = [await _view(visit, client, await agreements_of(visit, client)) for client in alive]
    return visit.render("applications.html", applications=views, next=following)


async def show_application(visit: Visit) -> web.Response:
    """One, with all that belongs to it."""
    client = await client_of(visit)
    agreements = await agreements_of(visit, client)
    catalogue, now, span = visit.parts.catalogue, visit.parts.clock.time(), span_of(visit.query("span"))
    since = now - 3_600 * longest_hours(agreements, catalogue, span)
    rows = await visit.parts.registry.usage(client.id, by=visit.actor, since=since)
    return visit.render(
        "application.html",
        application=await _view(visit, client, agreements),
        usage=usage_view(rows, agreements, catalogue, span, now, await _limits_left(visit, client, agreements)),
    )


async def _limits_left(visit: Visit, client: Client, agreements: Sequence[Agreement]) -> dict[str, Sequence[LimitLeft]]:
    """What is left of the limits that the gateway counts, by API."""
    if client.client_id is None:
        return {}
    return {
        agreement.api: await visit.parts.limits_left(
            Whose(client.provider, client.client_id, agreement.api, agreement.tier)
        )
        for agreement in agreements
        if agreement.state is State.ACTIVE and agreement.tier is not None
    }


async def edit_form(visit: Visit) -> web.Response:
    """The description, to be changed."""
    client = await client_of(visit)
    return await _show_edit(visit, client, typed_of(client), {})


async def edit(visit: Visit) -> web.Response:
    """The description, changed. Everything typed is kept when something is wrong with it."""
    client = await client_of(visit)
    wish = typed(visit.form, client.metadata.scopes)
    mistakes = describing_mistakes(wish, registration_of(visit, client.provider))
    if mistakes:
        return await _show_edit(visit, client, wish, mistakes)
    try:
        await visit.parts.registry.edit(client.id, wish.metadata, by=visit.actor)
    except Refusal as refusal:
        return await _show_edit(visit, client, wish, refused(refusal))
    return visit.go(f"/applications/{client.id}")


async def delete_form(visit: Visit) -> web.Response:
    """Whether it is meant."""
    return await _show_delete(visit, await client_of(visit), "", {})


async def delete(visit: Visit) -> web.Response:
    """It is gone, if its name was typed."""
    client = await client_of(visit)
    if visit.field("name") != client.metadata.client_name.strip():
        return await _show_delete(visit, client, visit.field("name"), {"name": "This is not its name."})
    await visit.parts.registry.delete(client.id, by=visit.actor)
    return visit.go("/applications")


async def ask_for_tier(visit: Visit) -> web.Response:
    """Another tier for one of its contracts: at once, or after a decision."""
    client = await client_of(visit)
    agreement = await visit.parts.registry.agreement(visit.field("contract"), by=visit.actor)
    if agreement.client != client.id:
        raise NotFound("contract")
    await visit.parts.registry.change_tier(agreement.id, visit.field("tier") or None, by=visit.actor)
    return visit.go(f"/applications/{client.id}")


async def client_of(visit: Visit) -> Client:
    """The application that the address names. Raises `NotFound`."""
    client: Client = await visit.parts.registry.client(visit.value("id"), by=visit.actor)
    return client


async def agreements_of(visit: Visit, client: Client) -> Sequence[Agreement]:
    """Its contracts, in whatever state."""
    page = await visit.parts.registry.agreements(by=visit.actor, client=client.id, limit=100)
    agreements: Sequence[Agreement] = page.items
    return agreements


async def _view(visit: Visit, client: Client, agreements: Sequence[Agreement]) -> ApplicationView:
    return application_view(client, agreements, visit.parts.catalogue, visit.parts.clock.time(), visit.actor)


async def _show_edit(visit: Visit, client: Client, wish: Typed, mistakes: Mistakes) -> web.Response:
    registration = registration_of(visit, client.provider)
    return visit.render(
        "edit.html",
        status=400 if mistakes else 200,
        application=await _view(visit, client, ()),
        typed=wish,
        mistakes=mistakes,
        grants=wording.grants(registration.grant_types),
        authentications=wording.authentications(registration.authentication),
    )


async def _show_delete(visit: Visit, client: Client, name: str, mistakes: Mistakes) -> web.Response:
    application = await _view(visit, client, ())
    status = 400 if mistakes else 200
    return visit.render("delete.html", status=status, application=application, typed_name=name, mistakes=mistakes)


PAGES = (
    Page("GET", "/applications", show_applications),
    Page("GET", "/applications/{id}", show_application),
    Page("GET", "/applications/{id}/edit", edit_form),
    Page("POST", "/applications/{id}/edit", edit),
    Page("POST", "/applications/{id}/tier", ask_for_tier),
    Page("GET", "/applications/{id}/delete", delete_form),
    Page("POST", "/applications/{id}/delete", delete),
)
