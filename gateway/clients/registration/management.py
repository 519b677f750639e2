"""Where a client is managed at its provider, by what permission, and what a refusal there means. No I/O in here."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NoReturn

from pydantic import SecretStr

from gateway.clients import mistakes
from gateway.clients.client import Registered
from gateway.clients.registration.replies import refused
from gateway.clients.registration.urls import fill, is_management_url
from gateway.ports import Reply
from gateway.providers.registration import Registration

UNMANAGEABLE = (
    "The identity provider named no registration_client_uri of its own with a registration access token (RFC 7592): "
    "change or delete the client there."
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client is managed, and by what permission."""

    url: str
    token: SecretStr | None = field(repr=False)
    """`None`: with the authorization of registration."""


def is_manageable(registered: Registered, registration: Registration) -> bool:
    """Whether there is a place for it."""
    own = registered.registration_client_uri is not None and registered.registration_access_token is not None
    return own or registration.client_url is not None


def place_of(registered: Registered, registration: Registration, endpoint: str) -> Place:
    """Where it is; `endpoint` is where clients are registered now. Raises `Conflict` (code `not_manageable`)."""
    uri, token = registered.registration_client_uri, registered.registration_access_token
    # Where clients are registered may have changed since this one was.
    if token is not None and uri is not None and is_management_url(uri, endpoint):
        return Place(uri, token)
    if registration.client_url is not None:
        return Place(fill(registration.client_url, endpoint, registered.credentials.client_id), None)
    raise not_manageable(UNMANAGEABLE)


def is_gone(reply: Reply, place: Place) -> bool:
    """Whether the provider does not know the client.

    RFC 7592, 2.1: "If the client does not exist on this server, the server MUST respond with HTTP 401 Unauthorized";
    that goes for the client's own token. To our authorization 401 says that it is we who are not known.
    """
    return reply.status in (404, 410) or (reply.status == 401 and place.token is not None)


def refused_management(reply: Reply, place: Place, secrets: Collection[str]) -> NoReturn:
    """Raise what an answer from there means that is no success: `Conflict` (code `not_manageable`), or as `refused`."""
    # RFC 7592, 2.2 and 2.3: 403 "If the client does not have permission", 405 "If the server does not support" it.
    if reply.status in (405, 501) or (reply.status == 403 and place.token is not None):
        raise not_manageable("The identity provider does not let us do this to the client: do it there.")
    refused(reply, secrets)


def not_manageable(detail: str) -> mistakes.Conflict:
    """The provider, or the configuration, does not let us."""
    return mistakes.Conflict(detail, code="not_manageable")
