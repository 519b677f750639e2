"""Which versions of the tables there are, and which of them a database has. Alembic is not needed to tell."""

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from gateway.clients.store import Unusable

REVISIONS = ("0001",)
"""Every one of `migrations/versions`, in order."""
HEAD = REVISIONS[-1]
UPGRADE = "tokenward store upgrade"


def version_of(connection: Connection) -> str | None:
    """The version of the tables; `None`: there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if version is None else str(version)


def is_due(version: str | None) -> bool:
    """Whether a migration is due. Raises `Unusable` for a database that a later release has migrated."""
    if version is not None and version not in REVISIONS:
        raise Unusable(
            f"The database of the store has version {version} of the tables, and this release knows {HEAD} at most: "
            "run the release that migrated it, or a later one, or restore the backup from before.",
            "newer_schema",
        )
    return version != HEAD


def not_migrated(version: str | None) -> Unusable:
    """What is said where a migration is due that must not be made."""
    found = "no tables" if version is None else f"version {version} of the tables"
    return Unusable(
        f"The database of the store has {found}, and this release needs version {HEAD}: run `{UPGRADE}`, or set "
        "`migrate: true`.",
        "not_migrated",
    )
