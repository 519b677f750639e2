"""Registering at the provider and keeping what it said, or neither: what fails half-way is taken back."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeAlias

from gateway.clients.client import Actor, Client, ClientState, Metadata, Registered
from gateway.clients.mistakes import Conflict, Refusal
from gateway.clients.office import Office, keys_of
from gateway.clients.store.transaction import Transaction
from gateway.policy import Unavailable

log = logging.getLogger(__name__)

Write: TypeAlias = Callable[[Transaction], Awaitable[None]]
"""What else is written in the same transaction."""


async def introduce(office: Office, client: Client, metadata: Metadata, by: Actor) -> tuple[Client, Registered]:
    """Make a provider know a client; the caller keeps the answer, with `keep`, at once.

    The client is marked before the provider is asked: should we end in between, it is found by its mark. Raises what
    `Registrar.register` raises.
    """
    left = office.unkept.get(client.id)
    if left is not None:
        return client, left
    marked = await _mark(office, client, ClientState.REGISTERING, by, "client.registering")
    try:
        registered = await office.registrar(client.provider).register(metadata, client.id)
    except Refusal as refusal:
        await unmark(office, marked, by, refusal.code)
        raise
    except Unavailable as error:
        await _unanswered(office, marked, by, error)
        raise
    office.unkept[client.id] = registered
    return marked, registered


async def keep(
    office: Office,
    client: Client,
    registered: Registered,
    by: Actor,
    verb: str,
    *,
    metadata: Metadata | None = None,
    shown: bool = False,
    write: Write | None = None,
) -> Client:
    """Keep what the provider said of a client, whole, with whatever else belongs to it: all of it or nothing.

    `metadata`: what it is to be from now on. `shown`: whether its secret is shown to somebody now. When the store
    fails, a client that was just registered is deleted at the provider; any other answer is remembered, and kept as
    soon as the store takes it.
    """
    office.unkept[client.id] = registered
    try:
        before = await office.store.registered(client.id)
        async with office.store.begin() as transaction:
            now = await _as_it_is(transaction, client)
            saved = _described(office, replace(now, metadata=metadata or now.metadata), registered, before, shown=shown)
            await transaction.save_client(saved, before=client.state)
            await transaction.keep_registered(saved.id, registered)
            await office.note(transaction, by, verb, client=saved.id, detail=f"client_id {saved.client_id}")
            if write is not None:
                await write(transaction)
            for key in keys_of(client, saved):
                await transaction.changed(key)
    except BaseException:
        await _make_up_for(office, client, registered, by)
        raise
    office.unkept.pop(client.id, None)
    return saved


async def register_anew(office: Office, client: Client, by: Actor, metadata: Metadata) -> Client:
    """Register a client that its provider lost: under another id, with another secret, and with its contracts."""
    registered = await office.registrar(client.provider).register(metadata, client.id)
    kept = await keep(office, client, registered, by, "client.registered_anew")
    for key in keys_of(client, kept):
        await office.spread(key)
    office.tell("client.changed", kept)
    return kept


async def settle(office: Office, client: Client, by: Actor) -> Client:
    """Keep what could not be kept before, if there is such a thing. Raises `Unavailable`."""
    left = office.unkept.get(client.id)
    if left is None or client.state is not ClientState.REGISTERED:
        return client
    return await keep(office, client, left, by, "client.updated")


async def withdraw(office: Office, client: Client, registered: Registered, by: Actor) -> bool:
    """Delete at the provider what we could not keep. Whether it is gone; what stays is remembered."""
    try:
        await office.registrar(client.provider).delete(registered)
    except (Unavailable, Refusal) as error:
        log.error(  # noqa: TRY400 - the sentence says it all
            "provider %s: client %s was registered and is not kept here, and it cannot be deleted there (%s)",
            client.provider,
            registered.credentials.client_id,
            error.code,
        )
        return False
    office.unkept.pop(client.id, None)
    await unmark(office, client, by, "taken back")
    return True


def _described(
    office: Office, client: Client, registered: Registered, before: Registered | None, *, shown: bool
) -> Client:
    """The client as the provider's answer makes it."""
    capabilities = office.registrar(client.provider).capabilities_of(registered)
    is_new = before is None or before.credentials.client_secret != registered.credentials.client_secret
    return replace(
        client,
        client_id=registered.credentials.client_id,
        state=ClientState.REGISTERED,
        manageable=capabilities.read or capabilities.update or capabilities.delete,
        # Some providers make a new secret with every update: then there is something to show again.
        revealed=shown or (client.revealed and not is_new),
        secret_expires_at=registered.credentials.expires_at,
        updated_at=office.clock.time(),
    )


async def _as_it_is(transaction: Transaction, client: Client) -> Client:
    """Somebody may have asked for another API meanwhile: what is written must not undo that."""
    return await transaction.client(client.id) or client


async def _make_up_for(office: Office, client: Client, registered: Registered, by: Actor) -> None:
    if client.state is ClientState.REGISTERED:
        log.error("provider %s: what it said of client %s is not kept yet", client.provider, client.client_id)
        return
    if await _was_kept_after_all(office, client, registered):
        office.unkept.pop(client.id, None)
        return
    await withdraw(office, client, registered, by)


async def _was_kept_after_all(office: Office, client: Client, registered: Registered) -> bool:
    """A commit whose answer was lost may have been one. Where nobody can say, it was none.

    Then a client that the store has may be missing at the provider, which reconciling finds; the other way round, it
    would be a credential that nobody knows of.
    """
    try:
        now = await office.store.client(client.id)
    except Unavailable:
        return False
    return now is not None and (now.state, now.client_id) == (
        ClientState.REGISTERED,
        registered.credentials.client_id,
    )


async def _mark(office: Office, client: Client, state: ClientState, by: Actor, verb: str, detail: str = "") -> Client:
    at = office.clock.time()
    async with office.store.begin() as transaction:
        marked = replace(await _as_it_is(transaction, client), state=state, updated_at=at)
        await transaction.save_client(marked, before=client.state)
        await office.note(transaction, by, verb, client=client.id, detail=detail)
    return marked


async def unmark(office: Office, client: Client, by: Actor, why: str) -> None:
    """Where the store fails as well, the mark stays, and reconciling finds it."""
    with suppress(Unavailable, Conflict):
        await _mark(office, client, ClientState.DRAFT, by, "client.registration_failed", why)


async def _unanswered(office: Office, client: Client, by: Actor, error: Unavailable) -> None:
    if error.code == "registration_refused":
        await unmark(office, client, by, error.code)
        return
    # Nobody knows whether the provider did it: there is no way to ask for a client by its software_id.
    log.warning("provider %s: the registration of %s was not answered (%s)", client.provider, client.id, error.code)
    with suppress(Unavailable, Conflict):
        detail = f"{error.code}: a client with software_id {client.id} may be there, and nobody has its secret"
        await _mark(office, client, ClientState.REGISTERING, by, "client.registration_unanswered", detail)
