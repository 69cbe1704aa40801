"""How Alembic runs the ledger's migrations: inside the transaction that `schema.migrate` opened."""

from alembic import context

from tools.store.record_tables import Record
from tools.store.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Record.metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
