"""Asking for access: one form for the application and the wish, and what comes of it."""

from collections.abc import Sequence

from aiohttp import web

from gateway.clients.catalogue import Api
from gateway.clients.client import Client, ClientState
from gateway.clients.mistakes import NotFound, Refusal
from gateway.portal.pages import wording
from gateway.portal.pages.agreement_view import agreement_view
from gateway.portal.pages.api_view import api_view
from gateway.portal.pages.application_form import (
    NEW,
    Mistakes,
    Typed,
    asking_mistakes,
    refused,
    typed,
    untouched,
)
from gateway.portal.visits import Page, Visit
from gateway.providers.registration import Registration

_MOST_OWN = 100
"""How many applications of one's own can be chosen from."""


async def ask_form(visit: Visit) -> web.Response:
    """The form, as nobody touched it."""
    api = _api(visit)
    return await _show(visit, api, untouched(registration_of(visit, api.provider), api, visit.actor), {})


async def ask(visit: Visit) -> web.Response:
    """The wish. Everything typed is kept when something is wrong with it."""
    api = _api(visit)
    wish = typed(visit.form, api.scopes)
    mistakes = asking_mistakes(wish, api, visit.parts.catalogue, registration_of(visit, api.provider))
    if mistakes:
        return await _show(visit, api, wish, mistakes)
    try:
        agreement = await visit.parts.registry.ask(
            wish.metadata if wish.is_new else wish.application,
            api=api.name,
            tier=wish.tier or None,
            accepted_terms=wish.accepted,
            reason=wish.reason,
            by=visit.actor,
        )
    except NotFound:
        return await _show(visit, api, wish, {"application": "Choose one of your applications."})
    except Refusal as refusal:
        return await _show(visit, api, wish, refused(refusal))
    return visit.go(f"/asked/{agreement.id}")


async def asked(visit: Visit) -> web.Response:
    """What came of it."""
    agreement = await visit.parts.registry.agreement(visit.value("id"), by=visit.actor)
    client = await visit.parts.registry.client(agreement.client, by=visit.actor)
    return visit.render("asked.html", agreement=agreement_view(agreement, visit.parts.catalogue, client))


def registration_of(visit: Visit, provider: str) -> Registration:
    """What developers may choose at that provider."""
    return visit.parts.registrations.get(provider, Registration())


async def _show(visit: Visit, api: Api, wish: Typed, mistakes: Mistakes) -> web.Response:
    view = api_view(api, visit.parts.catalogue)
    registration = registration_of(visit, api.provider)
    return visit.render(
        "ask.html",
        status=400 if mistakes else 200,
        api=view,
        typed=wish,
        mistakes=mistakes,
        applications=_choices(await _own(visit, api.provider)),
        tiers=tuple(_tier_choice(tier.name, tier.title, (*tier.limits, tier.approval)) for tier in view.tiers),
        grants=wording.grants(registration.grant_types),
        authentications=wording.authentications(registration.authentication),
    )


async def _own(visit: Visit, provider: str) -> Sequence[Client]:
    actor = visit.actor
    page = await visit.parts.registry.clients(by=actor, owner=actor.person, provider=provider, limit=_MOST_OWN)
    return [client for client in page.items if client.state is not ClientState.DELETED]


def _choices(clients: Sequence[Client]) -> tuple[wording.Choice, ...]:
    own = (wording.Choice(client.id, client.metadata.client_name) for client in clients)
    return (wording.Choice(NEW, "A new application", "Describe it below."), *own)


def _tier_choice(name: str, title: str, facts: Sequence[str]) -> wording.Choice:
    return wording.Choice(name, title, ". ".join(fact.rstrip(".") for fact in facts) + ".")


def _api(visit: Visit) -> Api:
    api = visit.parts.catalogue.apis.get(visit.value("api"))
    if api is None or not (api.listed or visit.actor.decides):
        raise NotFound("API")
    return api


PAGES = (
    Page("GET", "/apis/{api}/ask", ask_form),
    Page("POST", "/apis/{api}/ask", ask),
    Page("GET", "/asked/{id}", asked),
)
