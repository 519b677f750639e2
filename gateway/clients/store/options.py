"""How the store is reached, as the configuration says."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field, SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreOptions:
    """Times are in seconds. Secrets do not show in the `repr`."""

    url: SecretStr = field(default_factory=lambda: SecretStr("sqlite:///tokenward.db"))
    """`sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user:password@host/database`, with whatever
    parameters libpq knows (`?sslmode=verify-full`)."""
    encryption_keys: Annotated[tuple[SecretStr, ...], Field(examples=[["${STORE_KEY}"]])]
    """The first one seals, and all of them open: that is how a key is replaced."""
    reread: float = 30.0
    """How often all contracts are read, however silent the database is."""
    poll: float = 1.0
    """How often SQLite is asked whether another process changed something, and a lost PostgreSQL is called again."""
    usage: float = 10.0
    """How often what clients called is added, by each process that serves."""
    timeout: float = 5.0
    """For a connection, for a lock, for a statement."""
    migrate: bool = True
    """Whether the tables are brought up to date when the store is opened."""
