"""Usage as rows, and the questions about it. No I/O in here."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Delete, Insert, Select, delete, select

from gateway.clients.store import Usage
from gateway.clients.store.dialects import inserting
from gateway.clients.store.tables import usage

KEPT = 400 * 24
"""Hours: a year and what it is compared with."""
_KEY = ("provider", "client_id", "api", "hour", "code")
_ROWS_AT_ONCE = 500


def add(rows: Iterable[Usage], dialect: str) -> list[Insert]:
    """Add these calls to what is there."""
    calls: dict[tuple[str, str, str, int, str], int] = {}
    for row in rows:
        key = row.provider, row.client_id, row.api, row.hour, row.code
        calls[key] = calls.get(key, 0) + row.calls
    # In one order everywhere: two processes that add at once wait for each other, and never both.
    values = [dict(zip((*_KEY, "calls"), (*key, calls[key]), strict=True)) for key in sorted(calls)]
    parts = (values[start : start + _ROWS_AT_ONCE] for start in range(0, len(values), _ROWS_AT_ONCE))
    return [_added(part, dialect) for part in parts]


def _added(values: list[dict[str, Any]], dialect: str) -> Insert:
    statement = inserting(usage, dialect).values(values)
    return statement.on_conflict_do_update(
        index_elements=_KEY, set_={"calls": usage.c.calls + statement.excluded.calls}
    )


def of(provider: str, client_id: str, api: str | None, hour: int) -> Select[Any]:
    """What a client called from that hour on, in order."""
    statement = select(usage).where(usage.c.provider == provider, usage.c.client_id == client_id, usage.c.hour >= hour)
    if api is not None:
        statement = statement.where(usage.c.api == api)
    return statement.order_by(usage.c.hour, usage.c.api, usage.c.code)


def sweep(hour: int) -> Delete:
    """Forget what is older than it is kept."""
    return delete(usage).where(usage.c.hour < hour - KEPT)


def from_row(row: Mapping[str, Any]) -> Usage:
    """The usage that a row holds."""
    return Usage(**row)
