"""The tables' versions. Imported only where a migration is due: Alembic takes a while to load."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection


def migrate(connection: Connection) -> None:
    """Bring the tables up to date, within the transaction that the connection is in."""
    command.upgrade(settings(connection), "head")


def settings(connection: Connection) -> Config:
    """What Alembic reads from a file otherwise."""
    # Alembic expands `%` as configparser does.
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
