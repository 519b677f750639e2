"""What databases and their drivers raise, translated."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.clients.mistakes import Conflict, Invalid
from gateway.clients.store import Unusable
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


@contextmanager
def from_asyncpg() -> Iterator[None]:
    """Around calls of the driver itself, which SQLAlchemy does not translate. Raises OSError and `Unusable`."""
    import asyncpg

    try:
        yield
    except asyncpg.exceptions.ClientConfigurationError:
        # Not even as a cause: its text quotes the URL.
        raise Unusable("The URL of the store is none that PostgreSQL's driver understands.", "invalid_url") from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ConnectionError(str(error)) from error


def reason(error: Unavailable) -> str:
    """What the database or its driver said, for the log. Neither says a password or a value."""
    cause = error.__cause__
    said = cause.orig if isinstance(cause, DBAPIError) else cause
    return f"{error.detail} ({type(said).__name__}: {said})" if said else error.detail


def unavailable(detail: str = "The database of clients and contracts is not available.") -> Unavailable:
    """The store could not do its part; nothing was written by halves."""
    return Unavailable(detail, code=UNAVAILABLE)


def _is_unique(error: IntegrityError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code in _UNIQUE or getattr(error.orig, "sqlstate", None) == _UNIQUE_VIOLATION
