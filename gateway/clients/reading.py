"""What people may see of applications, contracts and the audit log: their own, or all of it."""

from gateway.clients.authority import named
from gateway.clients.client import Actor, Agreement, Client, ClientState, Entry, Person
from gateway.clients.life import State
from gateway.clients.mistakes import NotAllowed
from gateway.clients.office import Office
from gateway.clients.store import Page, Usage


async def clients(
    office: Office,
    by: Actor,
    *,
    owner: Person | None,
    provider: str | None,
    state: ClientState | None,
    search: str,
    after: str,
    limit: int,
) -> Page[Client]:
    """Applications by name."""
    whose = _whose(by, owner)
    return await office.store.clients(
        owner=whose, provider=provider, state=state, search=search, after=after, limit=limit
    )


async def agreements(
    office: Office,
    by: Actor,
    *,
    client: str | None,
    owner: Person | None,
    api: str | None,
    state: State | None,
    waiting: bool,
    search: str,
    after: str,
    limit: int,
) -> Page[Agreement]:
    """Contracts, newest first."""
    whose = _whose(by, owner)
    return await office.store.agreements(
        client=client,
        owner=whose,
        api=api,
        state=state,
        waiting=waiting,
        search=search,
        after=after,
        limit=limit,
    )


async def audit(
    office: Office, by: Actor, *, client: str | None, agreement: str | None, actor: str | None, after: int, limit: int
) -> Page[Entry]:
    """The audit log, newest first: of one's own application or contract, else of what one did oneself."""
    if not by.decides:
        if client is not None:
            await office.client(client, by)
        if agreement is not None:
            await office.agreement(agreement, by)
        if client is None and agreement is None:
            actor = named(by)
    return await office.store.audit(client=client, agreement=agreement, actor=actor, after=after, limit=limit)


async def usage(office: Office, id_: str, by: Actor, since: float, api: str | None) -> tuple[Usage, ...]:
    """What an application called, from the hour on that holds `since`."""
    client = await office.client(id_, by)
    if client.client_id is None:
        return ()
    return await office.store.usage_of(client.provider, client.client_id, api=api, since=since)


def _whose(by: Actor, owner: Person | None) -> Person | None:
    if by.decides:
        return owner
    if by.person is None:
        raise NotAllowed
    return by.person
