"""The tables. A change of them needs a migration as well: a test holds the two against each other."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Double, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, text

LONGEST_NAME = 512
"""Octets of what is searched by an index: PostgreSQL refuses index rows of more than 2704 octets."""


LARGEST_NUMBER = 2**31 - 1
"""Of a column of numbers: PostgreSQL takes no larger one, not even to compare with."""


class NotText(ValueError):
    """No database keeps this as text."""


class Words(sa.types.TypeDecorator[str]):
    """Text that both databases take: valid Unicode without NUL."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        if value is not None:
            _check(value)
        return value


class Name(sa.types.TypeDecorator[str]):
    """Words that an index finds, and hence not too many of them."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        if value is not None and len(_check(value)) > LONGEST_NAME:
            raise NotText("too long to be searched by")
        return value


def is_text(value: str) -> bool:
    """Whether every database takes it as text."""
    try:
        _check(value)
    except NotText:
        return False
    return True


def is_name(value: str) -> bool:
    """Whether it is text that an index can hold."""
    return is_text(value) and len(value.encode()) <= LONGEST_NAME


def _check(value: str) -> bytes:
    if "\0" in value:
        raise NotText("NUL is no text")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise NotText("half a character is no text") from error


metadata = MetaData()

ledger = Table(
    "ledger",
    metadata,
    # One row, that whoever writes takes first: PostgreSQL lets one write at a time, as SQLite does. So numbers have no
    # gaps, and a lower one is never committed after a higher one.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("changes", Integer, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("last", LargeBinary, nullable=False),
    Column("proof", LargeBinary, nullable=False),
    Column("sealed_key", LargeBinary, nullable=False),
)

clients = Table(
    "clients",
    metadata,
    Column("id", Name, primary_key=True),
    Column("provider", Name, nullable=False),
    Column("client_id", Name),
    Column("state", Name, nullable=False),
    Column("searched", Name, nullable=False),
    Column("metadata", Words, nullable=False),
    Column("owner_provider", Name),
    Column("owner_subject", Name),
    Column("owner_name", Words, nullable=False),
    Column("owner_email", Words, nullable=False),
    Column("manageable", Boolean, nullable=False),
    Column("revealed", Boolean, nullable=False),
    Column("secret_expires_at", Double),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
)
Index("clients_key", clients.c.provider, clients.c.client_id, unique=True)
Index(
    "clients_owner_name",
    clients.c.owner_provider,
    clients.c.owner_subject,
    clients.c.searched,
    unique=True,
    sqlite_where=text("state <> 'deleted'"),
    postgresql_where=text("state <> 'deleted'"),
)
Index("clients_client_id", clients.c.client_id)
Index("clients_owner", clients.c.owner_provider, clients.c.owner_subject, clients.c.searched, clients.c.id)
Index("clients_searched", clients.c.searched, clients.c.id)
Index("clients_provider", clients.c.provider, clients.c.searched, clients.c.id)
Index("clients_state", clients.c.state, clients.c.searched, clients.c.id)

registrations = Table(
    "registrations",
    metadata,
    Column("client", Name, ForeignKey("clients.id"), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)

agreements = Table(
    "agreements",
    metadata,
    Column("id", Name, primary_key=True),
    Column("client", Name, ForeignKey("clients.id"), nullable=False),
    Column("api", Name, nullable=False),
    Column("state", Name, nullable=False),
    Column("tier", Name),
    Column("asked_tier", Name),
    Column("reason", Words, nullable=False),
    Column("terms", Words, nullable=False),
    Column("decision_reason", Words, nullable=False),
    Column("decided_by", Words, nullable=False),
    Column("asked_at", Double, nullable=False),
    Column("decided_at", Double),
)
Index(
    "agreements_one",
    agreements.c.client,
    agreements.c.api,
    unique=True,
    sqlite_where=text("state <> 'refused'"),
    postgresql_where=text("state <> 'refused'"),
)
Index("agreements_client", agreements.c.client, agreements.c.asked_at, agreements.c.id)
Index("agreements_asked", agreements.c.asked_at, agreements.c.id)
Index("agreements_state", agreements.c.state, agreements.c.asked_at, agreements.c.id)
Index("agreements_api", agreements.c.api, agreements.c.asked_at, agreements.c.id)

changes = Table(
    "changes",
    metadata,
    # The last change of each client: the table does not grow with time.
    Column("provider", Name, primary_key=True),
    Column("client_id", Name, primary_key=True),
    Column("number", Integer, nullable=False),
)
Index("changes_number", changes.c.number)

audit = Table(
    "audit",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("actor", Name, nullable=False),
    Column("verb", Name, nullable=False),
    Column("client", Name),
    Column("agreement", Name),
    Column("api", Name),
    Column("detail", Words, nullable=False),
    Column("link", LargeBinary, nullable=False),
)
Index("audit_client", audit.c.client, audit.c.number)
Index("audit_agreement", audit.c.agreement, audit.c.number)
Index("audit_actor", audit.c.actor, audit.c.number)

usage = Table(
    "usage",
    metadata,
    Column("provider", Name, primary_key=True),
    Column("client_id", Name, primary_key=True),
    Column("api", Name, primary_key=True),
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("code", Name, primary_key=True),
    Column("calls", sa.BigInteger, nullable=False),
)
Index("usage_hour", usage.c.hour)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("provider", Name, nullable=False),
    Column("subject", Name, nullable=False),
    Column("sid", Name),
    Column("expires_at", Double, nullable=False),
)
Index("sessions_subject", sessions.c.provider, sessions.c.subject)
Index("sessions_sid", sessions.c.provider, sessions.c.sid)
Index("sessions_expires", sessions.c.expires_at)

used = Table(
    "used",
    metadata,
    Column("kind", Name, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("expires_at", Double, nullable=False),
)
Index("used_expires", used.c.expires_at)
