"""Credentials: shown once, in the answer to a form, and nowhere else."""

from aiohttp import web

from gateway.clients.authority import must_hold_secret
from gateway.clients.client import Client, Credentials
from gateway.clients.life import State
from gateway.clients.mistakes import Conflict
from gateway.portal.pages import wording
from gateway.portal.pages.application_view import application_view
from gateway.portal.pages.applications import agreements_of, client_of
from gateway.portal.pages.copied_command import command
from gateway.portal.visits import Page, Visit


async def reveal(visit: Visit) -> web.Response:
    """The credentials, this one time. Raises `Conflict` at the second."""
    client = await client_of(visit)
    return await _show(visit, client, await visit.parts.registry.reveal(client.id, by=visit.actor))


async def rotate_form(visit: Visit) -> web.Response:
    """Whether it is meant. Raises `NotAllowed`, as the rotation would."""
    client = await client_of(visit)
    must_hold_secret(client, visit.actor)
    return _show_rotate(visit, client, {})


async def rotate(visit: Visit) -> web.Response:
    """New credentials, shown once; or why the provider makes none."""
    client = await client_of(visit)
    try:
        credentials = await visit.parts.registry.rotate(client.id, by=visit.actor)
    except Conflict as conflict:
        return _show_rotate(visit, client, {"": conflict.detail})
    return await _show(visit, client, credentials)


def _show_rotate(visit: Visit, client: Client, mistakes: dict[str, str]) -> web.Response:
    application = application_view(client, (), visit.parts.catalogue, visit.parts.clock.time(), visit.actor)
    return visit.render("rotate.html", status=409 if mistakes else 200, application=application, mistakes=mistakes)


async def _show(visit: Visit, client: Client, credentials: Credentials) -> web.Response:
    catalogue = visit.parts.catalogue
    in_force = [each.api for each in await agreements_of(visit, client) if each.state is State.ACTIVE]
    secret, ends = credentials.client_secret, credentials.expires_at
    answer = visit.render(
        "credentials.html",
        id=client.id,
        name=client.metadata.client_name,
        client_id=credentials.client_id,
        secret=None if secret is None else secret.get_secret_value(),
        ends=None if ends is None else wording.moment(ends),
        command=command(
            credentials,
            client.metadata,
            token_endpoint=await visit.parts.token_endpoint(client.provider),
            urls=[catalogue.apis[api].url for api in in_force if api in catalogue.apis],
        ),
    )
    # RFC 9111, 5.2.2.5: a cache "MUST NOT store any part of ... this response": not even a private one.
    answer.headers["Cache-Control"] = "no-store"
    return answer


PAGES = (
    Page("POST", "/applications/{id}/credentials", reveal),
    Page("GET", "/applications/{id}/rotate", rotate_form),
    Page("POST", "/applications/{id}/rotate", rotate),
)
