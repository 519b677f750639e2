"""Credentials: shown once, in the answer to a form, and nowhere else."""

from dataclasses import dataclass

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
    around = await _around(visit, client)
    return _show(visit, client, await visit.parts.registry.reveal(client.id, by=visit.actor), around)


async def rotate_form(visit: Visit) -> web.Response:
    """Whether it is meant. Raises `NotAllowed`, as the rotation would."""
    client = await client_of(visit)
    must_hold_secret(client, visit.actor)
    return _show_rotate(visit, client, {})


async def rotate(visit: Visit) -> web.Response:
    """New credentials, shown once; or why the provider makes none."""
    client = await client_of(visit)
    around = await _around(visit, client)
    try:
        credentials = await visit.parts.registry.rotate(client.id, by=visit.actor)
    except Conflict as conflict:
        return _show_rotate(visit, client, {"": conflict.detail})
    return _show(visit, client, credentials, around)


def _show_rotate(visit: Visit, client: Client, mistakes: dict[str, str]) -> web.Response:
    application = application_view(client, (), visit.parts.catalogue, visit.parts.clock.time(), visit.actor)
    return visit.render("rotate.html", status=409 if mistakes else 200, application=application, mistakes=mistakes)


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands on the page beside the credentials."""

    token_endpoint: str | None
    urls: tuple[str, ...]


async def _around(visit: Visit, client: Client) -> _Around:
    """To be asked for first: once the credentials are there, nothing may keep them from being shown."""
    apis = visit.parts.catalogue.apis
    in_force = [each.api for each in await agreements_of(visit, client) if each.state is State.ACTIVE]
    return _Around(
        token_endpoint=await visit.parts.token_endpoint(client.provider),
        urls=tuple(apis[api].url for api in in_force if api in apis),
    )


def _show(visit: Visit, client: Client, credentials: Credentials, around: _Around) -> web.Response:
    secret, ends = credentials.client_secret, credentials.expires_at
    answer = visit.render(
        "credentials.html",
        id=client.id,
        name=client.metadata.client_name,
        client_id=credentials.client_id,
        secret=None if secret is None else secret.get_secret_value(),
        ends=None if ends is None else wording.moment(ends),
        command=command(credentials, client.metadata, token_endpoint=around.token_endpoint, urls=around.urls),
    )
    # RFC 9111, 5.2.2.5: a cache "MUST NOT store any part of ... this response": not even a private one.
    answer.headers["Cache-Control"] = "no-store"
    return answer


PAGES = (
    Page("POST", "/applications/{id}/credentials", reveal),
    Page("GET", "/applications/{id}/rotate", rotate_form),
    Page("POST", "/applications/{id}/rotate", rotate),
)
