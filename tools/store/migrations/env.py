"""How Alembic runs the ledger's migrations: on the connection that `schema.migrate` has opened."""

from alembic import context

from tools.store.record_tables import Record
from tools.store.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Record.metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
