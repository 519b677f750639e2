"""What Alembic runs for each command: the migrations, on the connection that the store gave."""

from alembic import context

from gateway.clients.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite alters a table by making another one.
    render_as_batch=True,
    # The store began the transaction and ends it: SQLite undoes changes of tables as well.
    transactional_ddl=True,
)
context.run_migrations()
