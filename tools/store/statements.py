"""The ledger's SQL, compiled once from its tables for the database at hand.

Rows travel as plain tuples in the stored form (`tools.store.columns`): no object is built for a
row, and what a query returns is what is stored, so a value that we never wrote can be told from
one that we did. Only the statements used again and again are here; the rest is ordinary
SQLAlchemy.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import (
    Connection,
    Dialect,
    Select,
    Table,
    Update,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.sql import Insert

from tools.store import postgresql, tables

# Rows in one INSERT of minute rows: a third faster than row by row, and below the 999 parameters
# of an old SQLite.
BLOCK = 50


class Statement:
    """One compiled statement; parameters are given in stored form.

    An INSERT of many rows goes into PostgreSQL by COPY, which is several times quicker.
    """

    def __init__(self, clause: Select[Any] | Insert | Update, dialect: Dialect) -> None:
        """Compile for a dialect with positional parameters."""
        compiled = clause.compile(dialect=dialect)
        self.text = str(compiled)
        self.names: list[str] = list(compiled.positiontup or ())
        self._copy = ""
        if isinstance(clause, Insert) and dialect.name == postgresql.NAME:
            names = ", ".join(map(dialect.identifier_preparer.quote, self.names))
            table = dialect.identifier_preparer.format_table(clause.table)
            self._copy = f"COPY {table} ({names}) FROM STDIN"

    def many(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run for each row; values stand in the order of `names`."""
        if self._copy and len(rows) >= postgresql.COPY_FROM:
            postgresql.copy(connection, self._copy, rows)
        elif rows:
            connection.exec_driver_sql(self.text, list(rows))

    def run(self, connection: Connection, **values: Any) -> Any:
        """Run once; gives SQLAlchemy's cursor result over raw rows."""
        return connection.exec_driver_sql(self.text, tuple(values[name] for name in self.names))


class Statements:
    """All compiled statements of a ledger."""

    def __init__(self, dialect: Dialect, records: Sequence[Table]) -> None:
        """Compile for a dialect; `records` are the record tables."""

        def compiled(clause: Select[Any] | Insert | Update) -> Statement:
            return Statement(clause, dialect)

        links, lanes, cycles = (
            tables.of(model) for model in (tables.Decisions, tables.Lanes, tables.Cycles)
        )
        self.insert = {table: compiled(insert(table)) for table in (links, lanes, cycles, *records)}
        self.move_lane = compiled(_move_lane(lanes))
        self.chain = compiled(_of_lane(links).order_by(links.c.seq))
        self.of_kind = {table: compiled(_of_lane(table).order_by(table.c.seq)) for table in records}
        self.known_of_kind = {table: compiled(_known(table, links)) for table in records}
        self.cycles = compiled(_cycles(cycles))
        self._cycle = self.insert[cycles]
        self._cycle_block = compiled(_block(cycles))

    def insert_cycles(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write minute rows; on SQLite whole blocks by one statement each, the rest one by one."""
        if connection.dialect.name == postgresql.NAME:
            self._cycle.many(connection, rows)
            return
        whole = len(rows) - len(rows) % BLOCK
        blocks = [
            tuple(chain.from_iterable(rows[first : first + BLOCK]))
            for first in range(0, whole, BLOCK)
        ]
        self._cycle_block.many(connection, blocks)
        self._cycle.many(connection, rows[whole:])


def statements(dialect: Dialect, records: Sequence[Table]) -> Statements:
    """The statements for a dialect, compiled once in a process: a ledger is opened more often."""
    key = (dialect.name, dialect.paramstyle, *records)
    if key not in _COMPILED:
        _COMPILED[key] = Statements(dialect, records)
    return _COMPILED[key]


_COMPILED: dict[tuple[Any, ...], Statements] = {}


def _block(table: Table) -> Insert:
    """One INSERT of BLOCK rows; parameters row by row."""
    names = [column.name for column in table.columns]
    return insert(table).values(
        [{name: bindparam(f"{name}_{row}") for name in names} for row in range(BLOCK)]
    )


def _of_lane(table: Table) -> Select[Any]:
    return select(*_content(table)).where(
        table.c.run == bindparam("run"), table.c.lane == bindparam("lane")
    )


def _content(table: Table) -> list[Any]:
    """The columns after (run, lane)."""
    return list(table.columns)[2:]


def _known(table: Table, links: Table) -> Select[Any]:
    """When it became known, then the record: those of a lane that were known at `as_of`."""
    same = (
        (links.c.run == table.c.run)
        & (links.c.lane == table.c.lane)
        & (links.c.seq == table.c.seq)
        & (links.c.kind == bindparam("kind"))
    )
    return (
        select(links.c.at, *_content(table))
        .join_from(table, links, same)
        .where(table.c.run == bindparam("run"), table.c.lane == bindparam("lane"))
        .where(links.c.at <= bindparam("as_of"))
        .order_by(table.c.seq)
    )


def _cycles(table: Table) -> Select[Any]:
    """Minute rows of a lane with after < minute <= through."""
    return (
        _of_lane(table)
        .where(table.c.minute > bindparam("after"), table.c.minute <= bindparam("through"))
        .order_by(table.c.minute, table.c.symbol)
    )


def _move_lane(table: Table) -> Update:
    """Put a lane at a new head, if it still stands at `from_seq`; NULL keeps the checkpoint."""
    return (
        update(table)
        .where(
            table.c.run == bindparam("of_run"),
            table.c.lane == bindparam("of_lane"),
            table.c.seq == bindparam("from_seq"),
        )
        .values(
            symbols=bindparam("symbols"),
            seq=bindparam("seq"),
            hash=bindparam("hash"),
            open_rows=bindparam("open_rows"),
            open_digest=bindparam("open_digest"),
            checkpoint=func.coalesce(bindparam("checkpoint"), table.c.checkpoint),
        )
    )
