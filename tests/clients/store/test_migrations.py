from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from gateway.clients.store import migrations
from gateway.clients.store.database import Database, closing, nothing_due
from gateway.clients.store.opening import upgrade
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.tables import metadata
from gateway.clients.store.version import REVISIONS


def differences(connection: Connection) -> list[object]:
    """Between the tables that the migrations made and those that the code names."""
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


async def test_the_migrations_make_the_tables_that_the_code_names(options: StoreOptions) -> None:
    await upgrade(options)
    async with closing(Database(options, nothing_due)) as database, database.connected(writes=False) as connection:
        assert await connection.run_sync(differences) == []


def test_the_code_knows_every_version_in_order() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS
    assert len(scripts.get_heads()) == 1
