"""The one statement that SQLAlchemy spells by database: an insert that minds what is there."""

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite


def inserting(table: Table, dialect: str) -> sqlite.Insert:
    """An insert with `on_conflict_do_update` and `on_conflict_do_nothing`; both databases spell them alike."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)  # type: ignore[return-value] # the methods that we call are the same
