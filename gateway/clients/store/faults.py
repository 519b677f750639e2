"""What databases and their drivers raise, translated."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.clients.mistakes import Conflict, Invalid
from gateway.clients.store.tables import NotText
from gateway.policy import Unavailable

UNAVAILABLE = "store_unavailable"
_UNIQUE = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})
_UNIQUE_VIOLATION = "23505"
"""PostgreSQL's SQLSTATE."""


@contextmanager
def translated() -> Iterator[None]:
    """Around calls of the database alone. Raises `Unavailable`, `Conflict` and `Invalid` in place of its errors."""
    try:
        yield
    except IntegrityError as error:
        if not _is_unique(error):
            raise
        raise Conflict("There is one already.", "exists_already") from error
    except (DBAPIError, PoolTimeout, OSError) as error:
        raise unavailable() from error
    except StatementError as error:
        if not isinstance(error.orig, NotText):
            raise
        raise Invalid(f"A text cannot be stored: {error.orig}.", "invalid_text") from error


def unavailable(detail: str = "The database of clients and contracts is not available.") -> Unavailable:
    """The store could not do its part; nothing was written by halves."""
    return Unavailable(detail, code=UNAVAILABLE)


def _is_unique(error: IntegrityError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code in _UNIQUE or getattr(error.orig, "sqlstate", None) == _UNIQUE_VIOLATION
