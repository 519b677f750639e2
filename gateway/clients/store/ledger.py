"""The row that whoever writes takes first: the numbers of the last change and the last entry."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Select, Update, select, update

from gateway.clients.store import chain
from gateway.clients.store.tables import ledger

ROW = 1
SEALED_FOR = "ledger:key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The row."""

    changes: int = 0
    entries: int = 0
    last: bytes = chain.START
    """The last link of the audit log."""
    proof: bytes
    sealed_key: bytes = field(repr=False)
    """The key of the audit log's links."""


def take() -> Select[Any]:
    """Read it, and let nobody else write until the transaction ends (SQLite has seen to that before)."""
    return read().with_for_update()


def read() -> Select[Any]:
    """Read it."""
    return select(ledger).where(ledger.c.id == ROW)


def number() -> Select[Any]:
    """The number of the last change."""
    return select(ledger.c.changes).where(ledger.c.id == ROW)


def save(row: Ledger) -> Update:
    """Keep what it is now."""
    return update(ledger).where(ledger.c.id == ROW).values(**_values(row))


def from_row(row: Mapping[str, Any]) -> Ledger:
    """The ledger that a row holds."""
    return Ledger(**{name: value for name, value in row.items() if name != "id"})


def _values(row: Ledger) -> dict[str, Any]:
    return {
        "changes": row.changes,
        "entries": row.entries,
        "last": row.last,
        "proof": row.proof,
        "sealed_key": row.sealed_key,
    }


def seal_again(sealed_key: bytes) -> Update:
    """Keep the same key under another seal."""
    return update(ledger).where(ledger.c.id == ROW).values(sealed_key=sealed_key)
