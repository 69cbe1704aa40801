"""The ledger's tables.

`runs` says which configuration and code produced every other row. `lanes` says where each lane of
a run stands. `decisions` is the hash chain, one row per record of a lane; the content of a record
is in the table of its kind (`tools.store.record_tables`) under the same (run, lane, seq). `cycles`
holds the minute rows, which are chained by session (see `tools.store.cycles`).

`run` is `runs.id`, an integer to save space; everything a run owns is deleted with it. The tables
declare the schema and are what a person queries; rows are written and read by SQL that is compiled
from them (`tools.store.statements`), because building objects costs more than the database does.
"""

import datetime as dt
from typing import Any

from sqlalchemy import (
    Boolean,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from tools.store import columns as col

# Short rows live in the index of their key: smaller and faster on SQLite (measured on `cycles`:
# 93 against 132 bytes and 2.4 against 2.7 microseconds a row). Rows with long texts do not: there
# it makes the file larger.
IN_KEY = {"sqlite_with_rowid": False}
NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
}


class Row(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMES))):
    """A row of the ledger; its own metadata, so that nobody else's tables join the schema."""


def kept(kind: type[col.Column[Any]], *, null: bool = False) -> Any:
    """A field of one of our column types."""
    return Field(sa_type=kind, nullable=null)


def number(kind: type[col.Money] | type[col.Real]) -> Any:
    """A field that is NULL when its value is NaN."""
    return kept(kind, null=True)


def later(kind: type[col.Column[Any]]) -> Any:
    """A field that earlier schemas do not have; NULL says the same as not to have it.

    It is hashed where it has a value only, so that what was chained without it still verifies.
    """
    return Field(sa_type=kind, nullable=True, sa_column_kwargs={"info": {"later": True}})


def owned_by(table: str, *columns: str) -> ForeignKeyConstraint:
    """The row goes when its owner goes."""
    owner = [f"{table}.{'id' if table == 'runs' else name}" for name in columns]
    return ForeignKeyConstraint(columns, owner, ondelete="CASCADE")


class Runs(Row, table=True):
    """One replay or live run. `seal` covers the run's identity and, once finished, its heads."""

    __tablename__ = "runs"
    id: int | None = Field(default=None, primary_key=True)
    run_id: str = Field(sa_type=Text, unique=True)
    kind: str = Field(sa_type=Text)
    config_hash: str = Field(sa_type=Text)
    code_version: str = Field(sa_type=Text)
    config_json: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    created_at: dt.datetime = kept(col.Moment)
    seal: str = Field(sa_type=Text)


class Lanes(Row, table=True):
    """Where a lane stands: watchlist, chain head, the open session's digest, caller's state.

    The checkpoint is no history: it is replaced with every cycle, and not hashed.
    """

    __tablename__ = "lanes"
    __table_args__ = (owned_by("runs", "run"),)
    run: int = Field(primary_key=True, sa_type=Integer)
    lane: str = Field(primary_key=True, sa_type=Text)
    symbols: tuple[str, ...] = kept(col.Lines)
    seq: int = kept(col.Whole)
    hash: str = Field(sa_type=Text)
    open_rows: int = kept(col.Whole)
    open_digest: str = Field(sa_type=Text)
    checkpoint: bytes | None = Field(sa_type=LargeBinary, nullable=True)


class Decisions(Row, table=True):
    """The chain: `hash` is over `prev_hash` and the content of the row that `kind` names."""

    __tablename__ = "decisions"
    __table_args__ = (owned_by("lanes", "run", "lane"), IN_KEY)
    run: int = Field(primary_key=True, sa_type=Integer)
    lane: str = Field(primary_key=True, sa_type=Text)
    seq: int = Field(primary_key=True, sa_type=col.Whole)
    kind: str = Field(sa_type=Text)
    at: dt.datetime = kept(col.Moment)
    prev_hash: str = Field(sa_type=Text)
    hash: str = Field(sa_type=Text)


class Cycles(Row, table=True):
    """What the core saw and did for one symbol in one minute."""

    __tablename__ = "cycles"
    __table_args__ = (owned_by("runs", "run"), IN_KEY)
    run: int = Field(primary_key=True, sa_type=Integer)
    lane: str = Field(primary_key=True, sa_type=Text)
    minute: int = Field(primary_key=True, sa_type=col.Minute)
    symbol: str = Field(primary_key=True, sa_type=Text)
    close: float = number(col.Real)
    mu: float = number(col.Real)
    sigma: float = number(col.Real)
    z: float = number(col.Real)
    ready: bool = Field(sa_type=Boolean)
    htf_trend: int = Field(sa_type=SmallInteger)
    state: str = Field(sa_type=Text)
    side: int = Field(sa_type=SmallInteger)


def of(model: type[Row]) -> Table:
    """The SQLAlchemy table of a model."""
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table
