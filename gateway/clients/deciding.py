"""Decisions about contracts: approve, refuse, revoke, restore, and another tier."""

from dataclasses import replace

from gateway.clients.authority import must_decide, named
from gateway.clients.client import Actor, Agreement, Client, ClientState, Registered
from gateway.clients.life import NotPossible, State, Verb, after
from gateway.clients.mistakes import Conflict
from gateway.clients.offers import check_tier, still_there, told
from gateway.clients.office import Office, keys_of, not_everywhere
from gateway.clients.registering import introduce, keep, settle
from gateway.clients.store.transaction import Transaction
from gateway.clients.words import written

PAST = {
    Verb.APPROVE: "contract.approved",
    Verb.REFUSE: "contract.refused",
    Verb.REVOKE: "contract.revoked",
    Verb.RESTORE: "contract.restored",
}
"""As the audit log and the notices call it."""


async def approve(office: Office, id_: str, by: Actor, tier: str | None, reason: str) -> Agreement:
    """Let an application use an API, with the tier that it asked for or another one."""
    must_decide(by)
    return await _put_in_force(office, id_, by, Verb.APPROVE, tier, reason)


async def restore(office: Office, id_: str, by: Actor, reason: str) -> Agreement:
    """Put a revoked contract back in force; the application stays registered as it was."""
    must_decide(by)
    return await _put_in_force(office, id_, by, Verb.RESTORE, None, reason)


async def refuse(office: Office, id_: str, by: Actor, reason: str) -> Agreement:
    """Say no; it may be asked for again."""
    must_decide(by)
    return await _end(office, id_, by, Verb.REFUSE, reason)


async def revoke(office: Office, id_: str, by: Actor, reason: str) -> Agreement:
    """End a contract in force: it counts no more when this returns."""
    must_decide(by)
    return await _end(office, id_, by, Verb.REVOKE, reason)


async def change_tier(office: Office, id_: str, tier: str | None, by: Actor) -> Agreement:
    """Another tier: at once where nobody has to say yes to it, else asked for, beside the tier in force."""
    agreement, client = await office.agreement(id_, by)
    if agreement.state not in (State.REQUESTED, State.ACTIVE):
        raise Conflict(f"A contract that is {agreement.state} has no tier to change.", "not_possible")
    return await office.finish(_change_tier(office, client, agreement, tier, by))


async def grant(
    office: Office, client: Client, agreement: Agreement, by: Actor, verb: Verb, tier: str | None, reason: str
) -> Agreement:
    """Put a contract in force for a client that nobody else works on; its provider comes to know it, if need be."""
    active = _decided(office, agreement, verb, by, reason, tier)

    async def write(transaction: Transaction) -> None:
        await transaction.save_agreement(active, before=agreement.state)
        await office.note(transaction, by, PAST[verb], active.client, active, reason)

    known = await _at_provider(office, client, agreement.api, by)
    if known is None:
        async with office.store.begin() as transaction:
            await write(transaction)
            await _changed(transaction, client)
        kept = client
    else:
        kept = await keep(office, known[0], known[1], by, known[2], write=write)
    await office.spread_all(kept)
    office.tell(PAST[verb], kept, active, reason=reason)
    return active


async def _put_in_force(office: Office, id_: str, by: Actor, verb: Verb, tier: str | None, reason: str) -> Agreement:
    agreement, _ = await office.agreement(id_, by)

    async def work() -> Agreement:
        async with office.alone_with(agreement.client) as client:
            if client.state is ClientState.DELETED:
                raise Conflict("This application was deleted.", "not_possible")
            now, _ = await office.agreement(id_, by)
            await _check_step(office, client, now, verb)
            api = still_there(office.catalogue, now.api, client)
            if tier is not None:
                check_tier(office.catalogue, api, tier, held=now.tier)
            return await grant(office, await settle(office, client, by), now, by, verb, tier or now.tier, reason)

    return await office.finish(work())


async def _end(office: Office, id_: str, by: Actor, verb: Verb, reason: str) -> Agreement:
    agreement, client = await office.agreement(id_, by)
    await _check_step(office, client, agreement, verb)
    return await office.finish(_ended(office, client, agreement, by, verb, reason))


async def _ended(office: Office, client: Client, agreement: Agreement, by: Actor, verb: Verb, reason: str) -> Agreement:
    async with office.store.begin() as transaction:
        now = await _as_it_is(transaction, agreement)
        ended = _decided(office, now, verb, by, reason, now.tier)
        await transaction.save_agreement(ended, before=now.state)
        await office.note(transaction, by, PAST[verb], ended.client, ended, reason)
        await _changed(transaction, client)
    is_everywhere = await office.spread_all(client)
    office.tell(PAST[verb], client, ended, reason=reason)
    if verb is Verb.REVOKE and not is_everywhere:
        raise not_everywhere()
    return ended


async def _check_step(office: Office, client: Client, agreement: Agreement, verb: Verb) -> None:
    try:
        after(agreement.state, verb)
    except NotPossible as error:
        # Perhaps it was done, and the answer did not arrive: then at least every worker is to know.
        if not await office.spread_all(client) and verb is Verb.REVOKE:
            raise not_everywhere() from None
        raise Conflict(f"This cannot be done: {error}.", "not_possible") from None


async def _at_provider(office: Office, client: Client, api: str, by: Actor) -> tuple[Client, Registered, str] | None:
    """What the provider said, for `keep`, where it had to be told something because of a contract for that API."""
    apis = {*await office.apis(client, State.ACTIVE), api}
    metadata = told(client, apis, office.catalogue)
    if client.state is not ClientState.REGISTERED:
        return *await introduce(office, client, metadata, by), "client.registered"
    registered = await office.registered(client)
    known = registered.reply.get("scope")
    if not isinstance(known, str) or set(metadata.scopes) <= set(known.split()):
        return None
    registrar = office.registrar(client.provider)
    if not registrar.capabilities_of(registered).update:
        return None
    return client, await registrar.update(registered, metadata), "client.updated"


async def _change_tier(office: Office, client: Client, agreement: Agreement, tier: str | None, by: Actor) -> Agreement:
    async with office.store.begin() as transaction:
        before = await _as_it_is(transaction, agreement)
        changed = _with_tier(office, client, before, tier, by)
        asks = changed.tier == before.tier and changed.tier != changed.asked_tier
        verb = "contract.tier_asked" if asks else "contract.tier_changed"
        await transaction.save_agreement(changed, before=before.state)
        await office.note(transaction, by, verb, changed.client, changed, f"{before.tier} → {changed.asked_tier}")
        await _changed(transaction, client)
    await office.spread_all(client)
    to_owners = asks or changed.state is State.REQUESTED
    office.tell(verb, client, changed, audience="owners" if to_owners else "developer")
    return changed


def _with_tier(office: Office, client: Client, agreement: Agreement, tier: str | None, by: Actor) -> Agreement:
    """The contract with that tier, or with the wish for it."""
    check_tier(office.catalogue, still_there(office.catalogue, agreement.api, client), tier, held=agreement.tier)
    if (
        agreement.state is State.REQUESTED
        or by.decides
        or tier == agreement.tier
        or office.catalogue.is_automatic(agreement.api, tier)
    ):
        return replace(agreement, tier=tier, asked_tier=tier)
    return replace(agreement, asked_tier=tier)


async def _as_it_is(transaction: Transaction, agreement: Agreement) -> Agreement:
    """The contract now: whoever changes it must not undo what somebody else changed meanwhile.

    Raises `Conflict` (code `changed_meanwhile`) where it was decided meanwhile.
    """
    now = await transaction.agreement(agreement.id)
    if now is None or now.state is not agreement.state:
        raise Conflict("Somebody else decided about this contract meanwhile.", "changed_meanwhile")
    return now


def _decided(office: Office, agreement: Agreement, verb: Verb, by: Actor, reason: str, tier: str | None) -> Agreement:
    return replace(
        agreement,
        state=after(agreement.state, verb),
        tier=tier,
        # What was asked for and not given is no longer waited for.
        asked_tier=agreement.asked_tier if verb is not Verb.APPROVE or tier == agreement.asked_tier else None,
        decision_reason=written(reason, office.options.longest_reason),
        decided_by=named(by),
        decided_at=office.clock.time(),
    )


async def _changed(transaction: Transaction, client: Client) -> None:
    for key in keys_of(client):
        await transaction.changed(key)
