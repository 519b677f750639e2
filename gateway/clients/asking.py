"""Asking for access to an API, for a new application or one that there is."""

from dataclasses import replace

from gateway.clients import deciding
from gateway.clients.authority import named, own_or_decides
from gateway.clients.catalogue import Api
from gateway.clients.client import GATEWAY, Actor, Agreement, Client, ClientState, Metadata, Person
from gateway.clients.life import State, Verb, after
from gateway.clients.mistakes import Conflict, Invalid, NotAllowed, Refusal, TooMany
from gateway.clients.offers import check_terms, check_tier, may_be_granted, offered, with_scopes_of
from gateway.clients.office import Office, new_id
from gateway.clients.registering import settle
from gateway.clients.store.transaction import Transaction
from gateway.clients.words import written
from gateway.policy import Unavailable

HOUR = 3_600.0


async def ask(
    office: Office,
    application: Metadata | str,
    *,
    api: str,
    tier: str | None,
    accepted_terms: bool,
    reason: str,
    by: Actor,
) -> Agreement:
    """Ask for access; where nobody has to decide, it is granted in the same breath.

    Where the provider cannot be asked just then, the request waits and is granted later.
    """
    wanted = offered(office.catalogue, api, unlisted=by.decides)
    check_tier(office.catalogue, wanted, tier)
    check_terms(wanted, accepted=accepted_terms)
    if by.person is None and not isinstance(application, str):
        raise NotAllowed("An operator registers applications, and does not ask for them.")
    why = written(reason, office.options.longest_reason)
    async with office.turns.turn(("person", named(by))):
        await _check_rate(office, by.person)
        client, is_new = await _application(office, application, wanted, by)
        agreement = _request(office, client, wanted, tier, why)
        await _keep(office, client, wanted, agreement, by, is_new=is_new)
    if office.catalogue.is_automatic(api, tier):
        return await office.finish(_grant_at_once(office, client, agreement, is_new=is_new))
    office.tell("contract.requested", client, agreement, audience="owners", reason=why)
    return agreement


async def change_tier(office: Office, id_: str, tier: str | None, by: Actor) -> Agreement:
    """Another tier; a request for one that nobody has to decide about is granted in the same breath."""
    changed = await deciding.change_tier(office, id_, tier, by)
    if changed.state is not State.REQUESTED or not office.catalogue.is_automatic(changed.api, tier):
        return changed
    _, client = await office.agreement(id_, by)
    return await office.finish(_grant_at_once(office, client, changed, is_new=False))


async def grant_waiting(office: Office, agreement: Agreement) -> Agreement:
    """Grant a request that nobody has to decide, and for which the provider could not be asked before."""
    async with office.alone_with(agreement.client) as client:
        now, client = await office.agreement(agreement.id, GATEWAY)
        if now.state is not State.REQUESTED or client.state is ClientState.DELETED:
            return now
        # Its developer may have asked for another tier since somebody looked.
        if not may_be_granted(office.catalogue, now):
            return now
        return await deciding.grant(
            office, await settle(office, client, GATEWAY), now, GATEWAY, Verb.APPROVE, now.tier, ""
        )


async def _check_rate(office: Office, person: Person | None) -> None:
    """By the store, so that it counts for all workers; whoever asks at several of them at once gains a few."""
    if person is None:
        return
    most = office.options.requests_per_hour
    latest = await office.store.agreements(owner=person, limit=most)
    if len(latest.items) >= most and latest.items[most - 1].asked_at > office.clock.time() - HOUR:
        raise TooMany(f"There can be {most} requests in an hour: come back later.", "too_many_requests")


async def _application(office: Office, application: Metadata | str, api: Api, by: Actor) -> tuple[Client, bool]:
    if isinstance(application, str):
        return await _existing(office, application, api, by), False
    registrar = office.registrar(api.provider)
    # RFC 7591, 2: scope is what the client "can use when requesting access tokens": nothing but this API's.
    wish = registrar.check(with_scopes_of(application, api), api.scopes)
    now = office.clock.time()
    return (
        Client(
            id=new_id(),
            provider=api.provider,
            client_id=None,
            state=ClientState.DRAFT,
            metadata=wish,
            owner=by.person,
            created_at=now,
            updated_at=now,
        ),
        True,
    )


async def _existing(office: Office, id_: str, api: Api, by: Actor) -> Client:
    client = own_or_decides(await office.store.client(id_), by)
    if client.state is ClientState.DELETED:
        raise Conflict("This application was deleted.", "not_possible")
    if client.provider != api.provider:
        raise Invalid("This application is registered at another provider than this API's.", "other_provider")
    return client


def _request(office: Office, client: Client, api: Api, tier: str | None, reason: str) -> Agreement:
    return Agreement(
        id=new_id(),
        client=client.id,
        api=api.name,
        state=State.REQUESTED,
        tier=tier,
        asked_tier=tier,
        reason=reason,
        terms=api.terms,
        asked_at=office.clock.time(),
    )


async def _keep(office: Office, client: Client, api: Api, agreement: Agreement, by: Actor, *, is_new: bool) -> None:
    async with office.store.begin() as transaction:
        if is_new:
            await _add(office, transaction, client, by)
        else:
            now = await transaction.client(client.id) or client
            wider = replace(now, metadata=with_scopes_of(now.metadata, api))
            await transaction.save_client(wider, before=client.state)
        await transaction.add_agreement(agreement)
        await office.note(transaction, by, "contract.requested", client.id, agreement, agreement.reason)


async def _add(office: Office, transaction: Transaction, client: Client, by: Actor) -> None:
    most = office.options.applications_per_person
    if client.owner is not None and await transaction.clients_of(client.owner) >= most:
        raise TooMany(f"There can be {most} applications: delete one that is not used.", "too_many_applications")
    await transaction.add_client(client)
    await office.note(transaction, by, "client.described", client=client.id)


async def _grant_at_once(office: Office, client: Client, agreement: Agreement, *, is_new: bool) -> Agreement:
    try:
        return await grant_waiting(office, agreement)
    except Unavailable:
        now, _ = await office.agreement(agreement.id, GATEWAY)
        if now.state is not State.REQUESTED:
            raise
        return now
    except Refusal as refusal:
        await _forget(office, client, agreement, refusal, is_new=is_new)
        raise


async def _forget(office: Office, client: Client, agreement: Agreement, refusal: Refusal, *, is_new: bool) -> None:
    """The provider does not take the application: nothing of the request stays but its trace."""
    async with office.store.begin() as transaction:
        now = await transaction.agreement(agreement.id)
        if now is None or now.state is not State.REQUESTED:
            return
        refused = replace(now, state=after(now.state, Verb.REFUSE), decision_reason=refusal.detail)
        refused = replace(refused, decided_by=GATEWAY.called, decided_at=office.clock.time())
        await transaction.save_agreement(refused, before=now.state)
        if is_new:
            await transaction.save_client(replace(client, state=ClientState.DELETED), before=ClientState.DRAFT)
        await office.note(transaction, GATEWAY, "contract.refused", client.id, refused, refusal.code)
