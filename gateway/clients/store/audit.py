"""The audit log as rows, and the questions about it. No I/O in here."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Insert, Select, insert, select

from gateway.clients.client import Entry
from gateway.clients.store.tables import LARGEST_NUMBER, audit


def page(*, client: str | None, agreement: str | None, actor: str | None, after: int, limit: int) -> Select[Any]:
    """Newest first. One more than the page holds tells whether there is another page."""
    statement = select(audit)
    if client is not None:
        statement = statement.where(audit.c.client == client)
    if agreement is not None:
        statement = statement.where(audit.c.agreement == agreement)
    if actor is not None:
        statement = statement.where(audit.c.actor == actor)
    if after:
        statement = statement.where(audit.c.number < min(after, LARGEST_NUMBER))
    return statement.order_by(audit.c.number.desc()).limit(limit + 1)


def following(number: int, limit: int) -> Select[Any]:
    """The entries after that one, in order."""
    return select(audit).where(audit.c.number > number).order_by(audit.c.number).limit(limit)


def add(entry: Entry, link: bytes) -> Insert:
    """Keep a new one."""
    return insert(audit).values(
        number=entry.number,
        at=entry.at,
        actor=entry.actor,
        verb=entry.verb,
        client=entry.client,
        agreement=entry.agreement,
        api=entry.api,
        detail=entry.detail,
        link=link,
    )


def from_row(row: Mapping[str, Any]) -> Entry:
    """The entry that a row holds."""
    return Entry(**{name: value for name, value in row.items() if name != "link"})
