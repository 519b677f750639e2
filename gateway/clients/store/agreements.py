"""Agreements as rows, and the questions about them. No I/O in here."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Insert, Select, Update, and_, insert, or_, select, tuple_, update

from gateway.clients import ClientKey, Contract
from gateway.clients.client import Agreement, ClientState, Person
from gateway.clients.life import State
from gateway.clients.store import cursors
from gateway.clients.store.clients import found, of_owner
from gateway.clients.store.tables import agreements, clients

_WAITING = or_(
    agreements.c.state == State.REQUESTED,
    and_(
        agreements.c.state == State.ACTIVE,
        agreements.c.asked_tier.is_not(None),
        agreements.c.asked_tier.is_distinct_from(agreements.c.tier),
    ),
)
"""Somebody has to decide: about the request, or about another tier."""


def by_id(id_: str) -> Select[Any]:
    """The agreement with that id."""
    return select(agreements).where(agreements.c.id == id_)


def rivals(agreement: Agreement) -> Select[Any]:
    """Another of the same client for the same API that was not refused."""
    return select(agreements.c.id).where(
        agreements.c.client == agreement.client,
        agreements.c.api == agreement.api,
        agreements.c.state != State.REFUSED,
        agreements.c.id != agreement.id,
    )


def page(
    *,
    client: str | None,
    owner: Person | None,
    api: str | None,
    state: State | None,
    waiting: bool,
    search: str,
    after: str,
    limit: int,
) -> Select[Any]:
    """Newest first. One more than the page holds tells whether there is another page."""
    statement = select(agreements)
    if client is not None:
        statement = statement.where(agreements.c.client == client)
    if api is not None:
        statement = statement.where(agreements.c.api == api)
    if state is not None:
        statement = statement.where(agreements.c.state == state)
    if waiting:
        statement = statement.where(_WAITING)
    if owner is not None:
        statement = statement.where(agreements.c.client.in_(select(clients.c.id).where(of_owner(owner))))
    if search:
        statement = statement.where(agreements.c.client.in_(found(search)))
    if after:
        statement = statement.where(tuple_(agreements.c.asked_at, agreements.c.id) < tuple_(*cursors.read_time(after)))
    return statement.order_by(agreements.c.asked_at.desc(), agreements.c.id.desc()).limit(limit + 1)


def cursor(agreement: Agreement) -> str:
    """Where the page ends that it is the last of."""
    return cursors.write(agreement.asked_at, agreement.id)


def add(agreement: Agreement) -> Insert:
    """Keep a new one."""
    return insert(agreements).values(**row(agreement))


def save(agreement: Agreement, before: State) -> Update:
    """Keep what it is now, if it still is in that state."""
    return (
        update(agreements).where(agreements.c.id == agreement.id, agreements.c.state == before).values(**row(agreement))
    )


def in_force() -> Select[Any]:
    """Every contract in force: provider, client id, API, tier."""
    return (
        select(clients.c.provider, clients.c.client_id, agreements.c.api, agreements.c.tier)
        .join_from(agreements, clients, agreements.c.client == clients.c.id)
        .where(
            agreements.c.state == State.ACTIVE,
            clients.c.state == ClientState.REGISTERED,
            clients.c.client_id.is_not(None),
        )
    )


def in_force_of(client: ClientKey) -> Select[Any]:
    """Those of one client."""
    return in_force().where(clients.c.provider == client[0], clients.c.client_id == client[1])


def blocked() -> Select[Any]:
    """The clients that were deleted here: provider and client id."""
    return select(clients.c.provider, clients.c.client_id).where(
        clients.c.state == ClientState.DELETED, clients.c.client_id.is_not(None)
    )


def blocked_of(client: ClientKey) -> Select[Any]:
    """That client, if it was deleted here."""
    return blocked().where(clients.c.provider == client[0], clients.c.client_id == client[1])


def contract(row: Any) -> Contract:
    """The contract that a row of `in_force` holds."""
    provider, client_id, api, tier = row
    return Contract(provider=provider, client_id=client_id, api=api, tier=tier)


def from_row(row: Mapping[str, Any]) -> Agreement:
    """The agreement that a row holds."""
    return Agreement(**{**row, "state": State(row["state"])})


def row(agreement: Agreement) -> dict[str, Any]:
    """The row that an agreement makes."""
    return {column.name: getattr(agreement, column.name) for column in agreements.columns} | {
        "state": agreement.state.value
    }
