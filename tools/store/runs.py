"""Runs: which configuration and code produced the rows, and the seal that binds them.

The seal is SHA-256 over what identifies a run and, once it is finished, the heads of its lanes.
Like the chain it knows no clock: `created_at` is for people.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, bindparam, select

from tools.errors import NoData
from tools.store import tables

_RUNS = tables.of(tables.Runs)
_LANES = tables.of(tables.Lanes)
_NAMED = select(_RUNS).where(_RUNS.c.run_id == bindparam("run_id"))
Heads = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One replay or live run; every row of the ledger belongs to one."""

    run_id: str
    kind: str
    config_hash: str
    code_version: str
    config_json: str
    status: Literal["running", "finished"]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """A run with what only the ledger needs: its key and its seal."""

    key: int
    run: Run
    seal: str


def seal(run: Run, heads: Heads) -> str:
    """The seal of a run in its status; `heads` count only when it is finished."""
    covered = {name: getattr(run, name) for name in Run.__slots__ if name != "created_at"} | {
        "heads": heads if run.status == "finished" else {}
    }
    return hashlib.sha256(msgspec.json.encode(covered, order="sorted")).hexdigest()


def finished(run: Run) -> Run:
    """The run when it is over."""
    return replace(run, status="finished")


def find(connection: Connection, run_id: str) -> KeptRun | None:
    """A run by its name."""
    row = connection.execute(_NAMED, {"run_id": run_id}).mappings().first()
    return None if row is None else _kept(row)


def get(connection: Connection, run_id: str) -> KeptRun:
    """A run by its name; NoData when the ledger has none."""
    found = find(connection, run_id)
    if found is None:
        known = [row.run_id for row in connection.execute(select(_RUNS.c.run_id).limit(5))]
        raise NoData(
            f"the ledger has no run {run_id!r}; "
            + (f"it has {', '.join(known)}" if known else "it has no run at all")
        )
    return found


def listed(connection: Connection) -> list[Run]:
    """All runs in the order in which they were started."""
    rows = connection.execute(select(_RUNS).order_by(_RUNS.c.id)).mappings()
    return [_kept(row).run for row in rows]


def heads(connection: Connection, key: int) -> Heads:
    """The head of each lane of a run."""
    of_run = select(_LANES.c.lane, _LANES.c.hash).where(_LANES.c.run == key)
    return {row.lane: row.hash for row in connection.execute(of_run.order_by(_LANES.c.lane))}


def _kept(row: Any) -> KeptRun:
    run = Run(**{name: row[name] for name in Run.__slots__})
    return KeptRun(key=row["id"], run=run, seal=row["seal"])
