"""Which database a URL means."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from pydantic import SecretStr

from gateway.clients.store import Unusable

_SQLITE = "sqlite:///"
_POSTGRESQL = ("postgresql://", "postgres://")


@dataclass(frozen=True, slots=True)
class SqliteFile:
    """A file that we make where it is missing."""

    path: Path

    def make(self) -> None:
        """Make the file, for its owner alone: SQLite gives its companions the same mode. Raises OSError."""
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            return


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server, in the words of libpq."""

    dsn: str = field(repr=False)


def parse_url(url: SecretStr) -> SqliteFile | PostgresServer:
    """Raises `Unusable`, whose sentence does not hold the URL: there may be a password in it."""
    text = url.get_secret_value().strip()
    if text.startswith(_POSTGRESQL):
        return PostgresServer(text)
    if not text.startswith(_SQLITE) or "?" in text or len(text) == len(_SQLITE) or ":memory:" in text:
        raise Unusable(
            "The URL of the store is none of sqlite:///relative.db, sqlite:////absolute.db and "
            "postgresql://user:password@host/database.",
            "invalid_url",
        )
    return SqliteFile(Path(unquote(text.removeprefix(_SQLITE))))
