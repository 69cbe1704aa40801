"""Which schema a database has, and how it gets this code's.

The schema is changed by Alembic migrations only, in one transaction each time. Importing Alembic
takes 0.2 s, so a database that already has the newest schema is recognised without it. A database
with a newer schema, or with somebody else's tables, is left alone.
"""

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect

from tools.errors import BadInput
from tools.store import dialect, tables

HEAD = "0006"
VERSION_TABLE = "ledger_version"
MIGRATIONS = Path(__file__).parent / "migrations"


def is_current(engine: Engine) -> bool:
    """Whether the schema is this code's; BadInput when it cannot be brought to it."""
    with engine.connect() as connection:
        version = _version(connection)
    if version is not None and not (version.isdigit() and version <= HEAD):
        raise BadInput(
            f"the ledger {dialect.place(engine)} has schema {version}, this program knows up to "
            f"{HEAD}; use the program that wrote it, or a newer one"
        )
    return version == HEAD


def _version(connection: Connection) -> str | None:
    present = set(inspect(connection).get_table_names())
    if VERSION_TABLE in present:
        found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
        return None if found is None else str(found)
    ours = set(tables.Row.metadata.tables)
    strange = present & ours if dialect.is_shared(connection.engine) else present
    if strange:
        raise BadInput(
            f"{dialect.place(connection.engine)} is the database of another program (it has the "
            f"table {min(strange)} but no {VERSION_TABLE}); name another one for the ledger"
        )
    return None


def migrate(writer: dialect.Writer) -> None:
    """Bring the schema to HEAD, all or nothing."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with writer.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
