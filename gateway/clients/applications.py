"""What is done to applications that are there: edit, show and replace the secret, delete."""

from dataclasses import replace

from gateway.clients.authority import must_hold_secret, named, same_person
from gateway.clients.client import Actor, Agreement, Client, ClientState, Credentials, Metadata, Registered
from gateway.clients.life import State, Verb, after
from gateway.clients.mistakes import Conflict, Refusal
from gateway.clients.offers import scopes_of, told
from gateway.clients.office import Office, keys_of, not_everywhere
from gateway.clients.registering import keep, settle
from gateway.clients.registration import SecretStays
from gateway.clients.words import written
from gateway.policy import Unavailable

ENDS = {State.ACTIVE: Verb.REVOKE, State.REQUESTED: Verb.REFUSE}
"""What happens to the contracts of a client that is deleted."""


async def edit(office: Office, id_: str, metadata: Metadata, by: Actor) -> Client:
    """Change what people chose; the provider is told of what it knows."""
    await office.client(id_, by)

    async def work() -> Client:
        async with office.alone_with(id_) as found:
            client = await settle(office, _living(found), by)
            wish = office.registrar(client.provider).check(metadata, await _allowed(office, client, metadata, by))
            if client.state is ClientState.REGISTERED and _shown(client.metadata) != _shown(wish):
                await _check_name(office, replace(client, metadata=wish))
                registered = await _updated(office, client, wish)
                return await keep(office, client, registered, by, "client.edited", metadata=wish)
            return await _save(office, client, wish, by)

    return await office.finish(work())


async def reveal(office: Office, id_: str, by: Actor) -> Credentials:
    """Show the credentials: once, and never again. Raises `Conflict` (codes `not_registered`, `shown_already`)."""
    must_hold_secret(await office.client(id_, by), by)
    async with office.alone_with(id_) as found:
        client = await settle(office, _registered(found), by)
        registered = await office.registered(client)
        async with office.store.begin() as transaction:
            now = await transaction.client(id_)
            if now is None or now.revealed:
                raise Conflict("These credentials were shown before: a new secret can be seen.", "shown_already")
            await transaction.save_client(replace(now, revealed=True), before=ClientState.REGISTERED)
            await office.note(transaction, by, "client.revealed", client=id_)
    return registered.credentials


async def rotate(office: Office, id_: str, by: Actor) -> Credentials:
    """A new secret, which is shown by this alone. Where the provider can, the old one is good until `end_overlap`."""
    must_hold_secret(await office.client(id_, by), by)

    async def work() -> Credentials:
        async with office.alone_with(id_) as found:
            client = await settle(office, _registered(found), by)
            renewed = await renew_secret(office, client, by, shown=True)
            return renewed.credentials

    return await office.finish(work())


async def renew_secret(office: Office, client: Client, by: Actor, *, shown: bool) -> Registered:
    """Replace the secret of a client that nobody else works on; whoever has it `shown` need not be shown it again."""
    registered = await office.registered(client)
    metadata = told(client, await office.apis(client, State.ACTIVE), office.catalogue)
    try:
        renewed = await office.registrar(client.provider).rotate(registered, metadata)
    except SecretStays as stays:
        await keep(office, client, stays.registered, by, "client.updated")
        raise
    kept = await keep(office, client, renewed, by, "client.rotated", shown=shown)
    if kept.client_id != client.client_id:
        await office.spread_all(client, kept)
    return renewed


async def end_overlap(office: Office, id_: str, by: Actor) -> None:
    """Let the old secret be good no more, where a provider lets a client have two for a while."""
    await office.client(id_, by)
    async with office.alone_with(id_) as found:
        client = await settle(office, _registered(found), by)
        await office.registrar(client.provider).end_overlap(await office.registered(client))
        async with office.store.begin() as transaction:
            await office.note(transaction, by, "client.overlap_ended", client=id_)


async def delete(office: Office, id_: str, by: Actor, reason: str) -> Client:
    """End everything: the gateway takes no token of it any more, and then the provider forgets it, where it can.

    Where the provider cannot be asked just then, reconciling asks it again. Deleting what is deleted does that, too.
    """
    await office.client(id_, by)
    why = written(reason, office.options.longest_reason)

    async def work() -> Client:
        async with office.alone_with(id_) as client:
            if client.state is not ClientState.DELETED:
                client = await end(office, client, by, why)
            is_everywhere = await office.spread_all(client)
            deleted = await delete_there(office, client, by)
            if not is_everywhere:
                raise not_everywhere()
            return deleted

    return await office.finish(work())


async def delete_there(office: Office, client: Client, by: Actor) -> Client:
    """Delete a client at its provider that was deleted here. It stays `manageable` until that is done."""
    if not client.manageable:
        return client
    try:
        await office.registrar(client.provider).delete(await office.registered(client))
    except Unavailable:
        return client
    except Refusal as refusal:
        detail = f"it stays at the provider ({refusal.code})"
    else:
        detail = ""
    return await _bury(office, client, by, detail)


async def end(office: Office, client: Client, by: Actor, reason: str) -> Client:
    """Delete a client here, with its contracts: what is in force is revoked, and what is asked for refused."""
    contracts = [each for each in await office.agreements(client) if each.state in ENDS]
    async with office.store.begin() as transaction:
        for contract in contracts:
            ended = _ended(office, contract, ENDS[contract.state], by, reason)
            await transaction.save_agreement(ended, before=contract.state)
        deleted = replace(client, state=ClientState.DELETED, updated_at=office.clock.time())
        await transaction.save_client(deleted, before=client.state)
        await office.note(transaction, by, "client.deleted", client=client.id, detail=reason)
        for key in keys_of(client):
            await transaction.changed(key)
    if not same_person(by.person, client.owner):
        office.tell("client.deleted", deleted, reason=reason)
    return deleted


async def _bury(office: Office, client: Client, by: Actor, detail: str) -> Client:
    """Nothing can be done at the provider any more: forget the secrets as well."""
    buried = replace(client, manageable=False, updated_at=office.clock.time())
    nothing = Registered(
        reply={},
        credentials=Credentials(client_id=client.client_id or "", client_secret=None),
        registration_client_uri=None,
        registration_access_token=None,
    )
    async with office.store.begin() as transaction:
        await transaction.save_client(buried, before=ClientState.DELETED)
        await transaction.keep_registered(client.id, nothing)
        await office.note(transaction, by, "client.deleted_there", client=client.id, detail=detail)
    office.unkept.pop(client.id, None)
    return buried


def _ended(office: Office, agreement: Agreement, verb: Verb, by: Actor, reason: str) -> Agreement:
    return replace(
        agreement,
        state=after(agreement.state, verb),
        decision_reason=reason,
        decided_by=named(by),
        decided_at=office.clock.time(),
    )


async def _allowed(office: Office, client: Client, metadata: Metadata, by: Actor) -> tuple[str, ...]:
    if by.decides:
        return metadata.scopes
    apis = await office.apis(client, State.REQUESTED, State.ACTIVE, State.REVOKED)
    return (*scopes_of(office.catalogue, apis), *client.metadata.scopes)


async def _check_name(office: Office, client: Client) -> None:
    """Before the provider is asked: what we could not keep, it must not hear."""
    async with office.store.begin() as transaction:
        await transaction.check_client(client)


async def _updated(office: Office, client: Client, wish: Metadata) -> Registered:
    registrar, registered = office.registrar(client.provider), await office.registered(client)
    capabilities = registrar.capabilities_of(registered)
    if not capabilities.update:
        raise Conflict(capabilities.why or "This application cannot be changed at its provider.", "not_manageable")
    apis = await office.apis(client, State.ACTIVE)
    return await registrar.update(registered, told(replace(client, metadata=wish), apis, office.catalogue))


async def _save(office: Office, client: Client, wish: Metadata, by: Actor) -> Client:
    edited = replace(client, metadata=wish, updated_at=office.clock.time())
    async with office.store.begin() as transaction:
        await transaction.save_client(edited, before=client.state)
        await office.note(transaction, by, "client.edited", client=client.id)
    return edited


def _shown(metadata: Metadata) -> Metadata:
    """What the provider sees of it."""
    return replace(metadata, description="")


def _living(client: Client) -> Client:
    if client.state is ClientState.DELETED:
        raise Conflict("This application was deleted.", "not_possible")
    return client


def _registered(client: Client) -> Client:
    if client.state is not ClientState.REGISTERED:
        raise Conflict("This application is not registered at its provider.", "not_registered")
    return client
