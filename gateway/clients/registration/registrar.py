"""A provider's clients: registered, read, changed and deleted there. Build a document, send it, read the reply."""

import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from typing import TypeAlias

from gateway.clients import mistakes
from gateway.clients.client import Metadata, Registered
from gateway.clients.registration import Capabilities, SecretStays
from gateway.clients.registration.asking import Asking
from gateway.clients.registration.documents import registration_document, update_document
from gateway.clients.registration.endpoints import Endpoints
from gateway.clients.registration.management import (
    UNMANAGEABLE,
    Place,
    is_gone,
    is_manageable,
    not_manageable,
    place_of,
    refused_management,
)
from gateway.clients.registration.opening import Opening
from gateway.clients.registration.overlap import add_secret, remove_others
from gateway.clients.registration.replies import (
    WITHOUT_SECRET,
    differences,
    is_client_id,
    is_secret,
    is_token,
    known,
    refused,
    registered_by,
)
from gateway.clients.registration.urls import fill, is_management_url
from gateway.clients.registration.wishes import check
from gateway.policy import Unavailable
from gateway.ports import Clock, Fetch, Reply
from gateway.providers import Provider, Transport
from gateway.providers.registration import Registration
from gateway.tasks import Tasks

OpenFetch: TypeAlias = Callable[[Transport], AbstractAsyncContextManager[Fetch]]

log = logging.getLogger(__name__)


class Registrar:
    """The clients of one provider.

    Every method that asks the provider raises `Unavailable` where it cannot be asked (the codes of `Fetch`), does not
    take us (`registration_refused`) or fails (`registration_failed`). Raises ValueError when our credentials do not
    suffice for their method.
    """

    def __init__(
        self, provider: Provider, registration: Registration, fetch: Fetch, clock: Clock, tasks: Tasks
    ) -> None:
        self._name = provider.name
        self._registration = registration
        self._endpoints = Endpoints(provider, registration, fetch, clock, tasks)
        self._ask = Asking(Opening(registration, self._endpoints, fetch, clock), fetch)

    @property
    def registration(self) -> Registration:
        """What may be chosen for a client."""
        return self._registration

    async def token_endpoint(self) -> str:
        """Where clients get tokens. Raises `Unavailable` when nobody knows."""
        return await self._endpoints.token()

    def check(self, metadata: Metadata, scopes: Collection[str] = ()) -> Metadata:
        """The same wish in one form; `scopes` are those that may be asked for.

        Raises `Invalid` (code `invalid_redirect_uri` or `invalid_client_metadata`: RFC 7591, 3.2.2).
        """
        return check(metadata, self._registration, scopes)

    async def register(self, metadata: Metadata, software_id: str) -> Registered:
        """Register a client (RFC 7591, 3). `metadata` has been through `check`; `software_id` says that it is ours.

        Raises `Invalid` when the provider does not take the metadata. Nothing is left there unless this returns, as far
        as we can see to it.
        """
        document = registration_document(self._checked(metadata), self._registration, software_id)
        endpoint = await self._endpoints.registration()
        reply = await self._ask("POST", endpoint, document)
        if reply.status not in (200, 201):
            refused(reply, self._secrets())
        registered = registered_by(reply, endpoint)
        self._tell_differences(metadata, registered)
        await self._assign(registered, endpoint)
        return registered

    async def read(self, registered: Registered) -> Registered | None:
        """The client as it is at the provider now; `None` when it is not there any more.

        Keep what comes back: some providers give a new registration access token with every answer. Raises `Conflict`
        (code `not_manageable`).
        """
        place, endpoint = await self._place(registered)
        reply = await self._ask.at(place, "GET")
        if is_gone(reply, place):
            return None
        if reply.status != 200:
            refused_management(reply, place, self._secrets(registered))
        return registered_by(reply, endpoint, registered)

    async def update(self, registered: Registered, metadata: Metadata) -> Registered:
        """Change a client (RFC 7592, 2.2). Keep what comes back, whole: token and secret may be new ones.

        Raises `Invalid` when the provider does not take the metadata, `Conflict` (code `not_manageable`, or
        `unknown_there` when the client is not there any more).
        """
        return await self._put(registered, self._checked(metadata), keep_secret=True)

    async def delete(self, registered: Registered) -> None:
        """Delete a client (RFC 7592, 2.3). One that is not there any more is deleted.

        Tokens that it has may go on being good at the provider. Raises `Conflict` (code `not_manageable`).
        """
        if not self._registration.delete:
            raise not_manageable("The configuration says not to delete clients at this provider.")
        place, _ = await self._place(registered)
        reply = await self._ask.at(place, "DELETE")
        if reply.status not in (200, 202, 204) and not is_gone(reply, place):
            refused_management(reply, place, self._secrets(registered))

    async def rotate(self, registered: Registered, metadata: Metadata) -> Registered:
        """A new secret. Where the provider knows two of them, the old one stays good until `end_overlap`.

        Raises `Conflict` (codes `not_manageable`, `unknown_there`, `cannot_rotate`); it may be a `SecretStays`, whose
        `registered` has to be kept.
        """
        if metadata.token_endpoint_auth_method in WITHOUT_SECRET:
            raise mistakes.Conflict("A public client has no secret.", code="cannot_rotate")
        secrets_url = await self._secrets_url(registered)
        if secrets_url is not None:
            return await self._add_secret(registered, secrets_url)
        # Nothing is chosen here: a client that was adopted may be as nobody could have it registered.
        updated = await self._put(registered, metadata, keep_secret=False)
        if updated.credentials.client_secret == registered.credentials.client_secret:
            raise SecretStays(updated)
        return updated

    async def end_overlap(self, registered: Registered) -> None:
        """Let the old secrets be good no more. Does nothing where a client has one secret only."""
        secrets_url = await self._secrets_url(registered)
        if secrets_url is not None:
            await remove_others(self._ask, secrets_url, registered)

    async def adopt(
        self,
        client_id: str,
        *,
        client_secret: str | None = None,
        registration_client_uri: str | None = None,
        registration_access_token: str | None = None,
    ) -> Registered:
        """A client that exists at the provider: read there where that is possible, else what was told of it.

        Raises `Invalid` when what was told cannot be, `NotFound` when the provider does not know the client.
        """
        is_asked = registration_client_uri is not None or self._registration.client_url is not None
        record = as_told(
            client_id,
            # Where nothing is asked, the provider need not be one that registers clients.
            await self._endpoints.registration() if is_asked else "",
            client_secret=client_secret,
            registration_client_uri=registration_client_uri,
            registration_access_token=registration_access_token,
        )
        if not self.capabilities_of(record).read:
            return record
        found = await self.read(record)
        if found is None:
            raise mistakes.NotFound("client at the identity provider")
        return found

    def capabilities_of(self, registered: Registered) -> Capabilities:
        """What can be done to a client at its provider."""
        if not is_manageable(registered, self._registration):
            return Capabilities(why=UNMANAGEABLE)
        changes, deletes = self._registration.update, self._registration.delete
        switched_off = [name for name, on in (("update", changes), ("delete", deletes)) if not on]
        why = f"The configuration of registration says {' and '.join(f'{each}: false' for each in switched_off)}."
        return Capabilities(read=True, update=changes, delete=deletes, rotate=changes, why=why if switched_off else "")

    async def _place(self, registered: Registered) -> tuple[Place, str]:
        """Where a client is managed, and where clients are registered. Raises `Conflict` (code `not_manageable`)."""
        if not is_manageable(registered, self._registration):
            raise not_manageable(UNMANAGEABLE)
        endpoint = await self._endpoints.registration()
        return place_of(registered, self._registration, endpoint), endpoint

    async def _secrets_url(self, registered: Registered) -> str | None:
        template = self._registration.secrets_url
        if template is None:
            return None
        return fill(template, await self._endpoints.registration(), registered.credentials.client_id)

    async def _put(self, registered: Registered, metadata: Metadata, *, keep_secret: bool) -> Registered:
        if not self._registration.update:
            raise not_manageable("The configuration says not to change clients at this provider.")
        place, endpoint = await self._place(registered)
        document = update_document(metadata, self._registration, registered, keep_secret=keep_secret)
        reply = await self._ask.at(place, "PUT", document)
        if is_gone(reply, place):
            raise mistakes.Conflict(
                "The identity provider does not know this client any more, or not by the token that we have for it.",
                code="unknown_there",
            )
        if reply.status not in (200, 201):
            refused_management(reply, place, self._secrets(registered))
        updated = registered_by(reply, endpoint, registered)
        self._tell_differences(metadata, updated)
        return updated

    async def _add_secret(self, registered: Registered, url: str) -> Registered:
        if not self._registration.update:
            raise not_manageable("The configuration says not to change clients at this provider.")
        made = await add_secret(self._ask, url, registered)
        return known({**registered.reply, **made}, await self._endpoints.registration())

    async def _assign(self, registered: Registered, endpoint: str) -> None:
        """Let people of the configured groups use a new client. One that they cannot use is deleted again."""
        template, client_id = self._registration.group_url, registered.credentials.client_id
        if template is None:
            return
        urls = [fill(template, endpoint, client_id, group) for group in self._registration.groups]
        try:
            for url in urls:
                _check_assigned(await self._ask("PUT", url, {}))
        except Unavailable:
            with suppress(Unavailable, mistakes.Refusal):
                await self._ask.at(place_of(registered, self._registration, endpoint), "DELETE")
            raise

    def _checked(self, metadata: Metadata) -> Metadata:
        """Once more, whoever calls: this goes to the provider. Which scopes are allowed was decided before."""
        return check(metadata, self._registration, metadata.scopes)

    def _tell_differences(self, metadata: Metadata, registered: Registered) -> None:
        names = differences(metadata, registered)
        if names:
            log.warning("provider %s: registered otherwise than asked for: %s", self._name, ", ".join(names))

    def _secrets(self, registered: Registered | None = None) -> tuple[str, ...]:
        """What no sentence for people may repeat."""
        ours = (self._registration.authorization, self._registration.initial_access_token)
        theirs = (registered.credentials.client_secret, registered.registration_access_token) if registered else ()
        return tuple(secret.get_secret_value() for secret in (*ours, *theirs) if secret is not None)


@asynccontextmanager
async def open_registrar(
    provider: Provider, registration: Registration, open_fetch: OpenFetch, clock: Clock
) -> AsyncIterator[Registrar]:
    """A `Registrar` with connections of its own, until the end of the block.

    Raises OSError when a file of the transport cannot be read, ValueError when our credentials do not suffice.
    """
    async with open_fetch(replace(provider.transport, timeout=registration.timeout)) as fetch:
        tasks = Tasks()
        try:
            yield Registrar(provider, registration, fetch, clock, tasks)
        finally:
            await tasks.close()


def as_told(
    client_id: str,
    endpoint: str,
    /,
    *,
    client_secret: str | None,
    registration_client_uri: str | None,
    registration_access_token: str | None,
) -> Registered:
    """The record of a client that nobody has read; `endpoint` is where clients are registered, empty for nowhere.

    Raises `Invalid` when what was told cannot be.
    """
    told = {
        "client_id": client_id,
        "client_secret": client_secret,
        "registration_client_uri": registration_client_uri,
        "registration_access_token": registration_access_token,
    }
    _check_told(told, endpoint)
    return known({name: value for name, value in told.items() if value is not None}, endpoint)


def _check_told(told: dict[str, str | None], endpoint: str) -> None:
    uri, token = told["registration_client_uri"], told["registration_access_token"]
    faults = {
        "client_id must be visible ASCII characters.": is_client_id(told["client_id"]),
        "client_secret must be visible ASCII characters.": told["client_secret"] is None
        or is_secret(told["client_secret"]),
        "registration_access_token must be visible ASCII characters.": token is None or is_token(token),
        "registration_client_uri and registration_access_token go together.": (uri is None) == (token is None),
        "registration_client_uri must be where the provider registers clients.": uri is None
        or is_management_url(uri, endpoint),
    }
    for detail, is_right in faults.items():
        if not is_right:
            raise mistakes.Invalid(detail, code="invalid_client_metadata")


def _check_assigned(reply: Reply) -> None:
    if reply.status not in (200, 201, 204):
        raise Unavailable(
            "The identity provider does not assign the client to a group of the configuration.",
            code="registration_refused",
        )
