"""Clients as rows, and the questions about them. No I/O in here."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Insert,
    Select,
    Update,
    and_,
    func,
    insert,
    select,
    tuple_,
    union_all,
    update,
)

from gateway.clients.client import Client, ClientState, Metadata, Person
from gateway.clients.store import cursors
from gateway.clients.store.tables import LONGEST_NAME, clients

_METADATA = frozenset(field.name for field in fields(Metadata))
_LISTS = frozenset(field.name for field in fields(Metadata) if isinstance(field.default, tuple))


def by_id(id_: str) -> Select[Any]:
    """The client with that id of ours."""
    return select(clients).where(clients.c.id == id_)


def by_key(provider: str, client_id: str) -> Select[Any]:
    """The client with that id of the provider's."""
    return select(clients).where(clients.c.provider == provider, clients.c.client_id == client_id)


def of_owner(owner: Person) -> ColumnElement[bool]:
    """Whether it belongs to that person, whatever the name and address are now."""
    return and_(clients.c.owner_provider == owner.provider, clients.c.owner_subject == owner.subject)


def living_of(owner: Person) -> Select[Any]:
    """How many clients of a person are not deleted."""
    return select(func.count()).where(of_owner(owner), clients.c.state != ClientState.DELETED)


def namesakes(client: Client) -> Select[Any]:
    """Other clients of its owner with its name; people tell them apart by it."""
    owner = client.owner or Person(provider="", subject="")
    return select(clients.c.id).where(
        of_owner(owner),
        clients.c.searched == searchable(client.metadata.client_name),
        clients.c.state != ClientState.DELETED,
        clients.c.id != client.id,
    )


def same_key(client: Client) -> Select[Any]:
    """Other clients with its id at the provider."""
    return select(clients.c.id).where(
        clients.c.provider == client.provider, clients.c.client_id == client.client_id, clients.c.id != client.id
    )


def found(search: str) -> CompoundSelect[Any]:
    """The ids of the clients whose name holds that text, without regard to case, or one of whose ids is it."""
    # Apart, so that an index answers each: names are looked through in an index, and not in all of the table.
    return union_all(
        select(clients.c.id).where(clients.c.searched.contains(searchable(search), autoescape=True)),
        select(clients.c.id).where(clients.c.client_id == search),
        select(clients.c.id).where(clients.c.id == search),
    )


def page(
    *, owner: Person | None, provider: str | None, state: ClientState | None, search: str, after: str, limit: int
) -> Select[Any]:
    """By name. One more than the page holds tells whether there is another page."""
    statement = select(clients)
    if owner is not None:
        statement = statement.where(of_owner(owner))
    if provider is not None:
        statement = statement.where(clients.c.provider == provider)
    if state is not None:
        statement = statement.where(clients.c.state == state)
    if search:
        statement = statement.where(clients.c.id.in_(found(search)))
    if after:
        statement = statement.where(tuple_(clients.c.searched, clients.c.id) > tuple_(*cursors.read_name(after)))
    return statement.order_by(clients.c.searched, clients.c.id).limit(limit + 1)


def cursor(client: Client) -> str:
    """Where the page ends that it is the last of."""
    return cursors.write(searchable(client.metadata.client_name), client.id)


def add(client: Client) -> Insert:
    """Keep a new one."""
    return insert(clients).values(**row(client))


def save(client: Client, before: ClientState | None) -> Update:
    """Keep what it is now; only if it is in that state, where one is given."""
    statement = update(clients).where(clients.c.id == client.id).values(**row(client))
    return statement if before is None else statement.where(clients.c.state == before)


def searchable(name: str) -> str:
    """A name as it is searched and ordered by: "Ⅳ" is found by "iv"."""
    folded = unicodedata.normalize("NFKC", name).casefold().strip()
    return folded.encode(errors="replace")[:LONGEST_NAME].decode(errors="ignore")


def from_row(row: Mapping[str, Any]) -> Client:
    """The client that a row holds."""
    owner = None
    if row["owner_provider"] is not None:
        owner = Person(
            provider=row["owner_provider"],
            subject=row["owner_subject"],
            name=row["owner_name"],
            email=row["owner_email"],
        )
    return Client(
        id=row["id"],
        provider=row["provider"],
        client_id=row["client_id"],
        state=ClientState(row["state"]),
        metadata=_metadata(json.loads(row["metadata"])),
        owner=owner,
        manageable=row["manageable"],
        revealed=row["revealed"],
        secret_expires_at=row["secret_expires_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def row(client: Client) -> dict[str, Any]:
    """The row that a client makes."""
    owner = client.owner
    return {
        "id": client.id,
        "provider": client.provider,
        "client_id": client.client_id,
        "state": client.state.value,
        "searched": searchable(client.metadata.client_name),
        "metadata": json.dumps(asdict(client.metadata)),
        "owner_provider": owner and owner.provider,
        "owner_subject": owner and owner.subject,
        "owner_name": owner.name if owner else "",
        "owner_email": owner.email if owner else "",
        "manageable": client.manageable,
        "revealed": client.revealed,
        "secret_expires_at": client.secret_expires_at,
        "created_at": client.created_at,
        "updated_at": client.updated_at,
    }


def _metadata(document: Mapping[str, Any]) -> Metadata:
    # What a later version wrote in addition is left out: both may run on one store during an upgrade.
    known: dict[str, Any] = {
        name: tuple(value) if name in _LISTS else value for name, value in document.items() if name in _METADATA
    }
    return Metadata(**known)
