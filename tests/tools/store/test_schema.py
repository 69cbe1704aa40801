"""The schema: made by migrations, equal to the tables, and cheap to recognise."""

import subprocess
import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event, inspect

from tests.tools.store import examples as ex
from tools.errors import BadInput
from tools.store import Store, schema
from tools.store.dialect import Synchronous, engine_at
from tools.store.tables import Row

ROOT = Path(__file__).parents[3]


def test_migrations_from_nothing_give_the_tables(where: str, store: Store) -> None:
    engine = engine_at(where, "FULL")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": schema.VERSION_TABLE,
                "compare_type": True,
                "compare_server_default": True,
            },
        )
        assert compare_metadata(context, Row.metadata) == []
        # What Alembic does not compare: keys and what they cascade to.
        kept = inspect(connection)
        for table in Row.metadata.tables.values():
            key = kept.get_pk_constraint(table.name)
            assert key["constrained_columns"] == [column.name for column in table.primary_key]
            for foreign in kept.get_foreign_keys(table.name):
                assert foreign["options"]["ondelete"] == "CASCADE"
    engine.dispose()


def test_the_newest_revision_is_the_one_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def of_the_first_version(where: str, keep: Callable[[Store], None]) -> None:
    """A database of the first schema, with the history that its program would have kept.

    Rows are written by today's code: nothing that came later is in them, and it goes afterwards.
    """
    with Store.open(where) as store:
        keep(store)
    engine = engine_at(where, "NORMAL")
    later = (
        "chart_alerts",
        "pruned",
        "outbox",
        "llm_findings",
        "llm_calls",
        "market_context",
        "daily_bias",
        "news",
    )
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE market_analysis DROP COLUMN applies_from")
        for table in later:
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql(f"UPDATE {schema.VERSION_TABLE} SET version_num = '0001'")
    engine.dispose()


def test_what_is_left_of_the_first_version_is_what_its_migration_made(tmp_path: Path) -> None:
    of_the_first_version(str(tmp_path / "stripped"), lambda store: None)
    made, stripped = (engine_at(str(tmp_path / name), "NORMAL") for name in ("made", "stripped"))
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    with made.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    columns = [
        {
            table: [one["name"] for one in inspect(engine).get_columns(table)]
            for table in inspect(engine).get_table_names()
        }
        for engine in (made, stripped)
    ]
    assert columns[0] == columns[1]
    made.dispose()
    stripped.dispose()


def test_an_older_ledger_is_brought_up_to_date_and_keeps_its_history(where: str) -> None:
    before: dict[str, str] = {}

    def keep(older: Store) -> None:
        ex.start(older)
        opening = [ex.SNAPSHOT, ex.ANALYSIS, ex.DECISION, ex.FILL, ex.TRADE]
        older.commit_cycle("run", "advised", ex.minutes(ex.OPEN, 20), opening, b"state")
        older.commit_cycle("run", "advised", None, [ex.DAY], None)
        before.update(older.heads("run"))

    of_the_first_version(where, keep)
    with pytest.raises(BadInput, match="older schema; `advisor ledger upgrade`"):
        Store.open(where, read_only=True)
    with Store.open(where) as store:
        assert store.heads("run") == before
        report = store.verify_chain("run")
        assert (report.intact, report.records, report.cycle_rows) == (True, 6, 60)
        assert ex.same(store.trades("run", "advised", as_of=ex.ALWAYS), [ex.TRADE])
        assert store.checkpoint("run", "advised") == b"state"
        assert store.analyses("run", "advised", as_of=ex.ALWAYS) == [ex.ANALYSIS]
        assert store.llm_calls("run", "advised", as_of=ex.ALWAYS) == []
        store.commit_cycle("run", "advised", None, [ex.CALL, ex.BIAS], None)
        assert store.verify_chain("run").intact
    with Store.open(where, read_only=True) as store:
        assert store.llm_calls("run", "advised", as_of=ex.ALWAYS) == [ex.CALL]


def test_a_ledger_that_is_up_to_date_opens_without_alembic(path: Path) -> None:
    program = (
        "import sys; from tools.store import Store; Store.open(sys.argv[1]).close(); "
        "print('alembic' in sys.modules)"
    )
    run = [sys.executable, "-c", program, str(path)]
    for expected in ("True", "False"):
        done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == expected


def test_a_migration_that_fails_leaves_nothing_behind(path: Path) -> None:
    class Failure(Exception):
        pass

    def fail(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "CREATE TABLE trades" in statement:
            raise Failure

    event.listen(Engine, "before_cursor_execute", fail)
    try:
        with pytest.raises(Failure):
            Store.open(path)
    finally:
        event.remove(Engine, "before_cursor_execute", fail)
    engine = engine_at(path, "FULL")
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    engine.dispose()
    Store.open(path).close()


@pytest.mark.parametrize(("synchronous", "number"), [("FULL", 2), ("NORMAL", 1)])
def test_how_sqlite_is_asked_to_write(path: Path, synchronous: Synchronous, number: int) -> None:
    engine = engine_at(path, synchronous)
    asked = {"journal_mode": "wal", "synchronous": number, "foreign_keys": 1}
    with engine.connect() as connection:
        for setting, value in asked.items():
            assert connection.exec_driver_sql(f"PRAGMA {setting}").scalar() == value
    engine.dispose()
    assert signature(Store.open).parameters["synchronous"].default == "FULL"
