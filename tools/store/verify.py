"""Reading a run's history again: is every row what was written, in the order it was written?

Each lane is walked record by record (`tools.store.walk`); minute rows are compared session by
session with the digest in the session's `lane_days` record, those of an open session with the
digest that the lane keeps; then the seal is derived again. The first thing that does not fit is
named, with what seems to have been done: *changed* (a value), *missing* (a row is gone),
*inserted* (a row that nobody wrote) or *reordered* (a row in another's place). Not covered are a
run's `created_at` and a lane's checkpoint; what retention took out (`tools.store.pruned`) is
counted apart from what was verified.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from tools.store import cycles as cycle_rows
from tools.store import pruned, reading, runs, tables
from tools.store.codec import KINDS, LANE_DAYS
from tools.store.cycles import OpenSession
from tools.store.dialect import Unreadable
from tools.store.statements import Statements
from tools.store.walk import Broken, ChainBreak, Walk

_LANES = tables.of(tables.Lanes)
_CYCLES = tables.of(tables.Cycles)
_OF_LANES = (
    _LANES,
    tables.of(tables.Decisions),
    _CYCLES,
    *(kind.table for kind in KINDS.values()),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainReport:
    """What verification found: how far it came, the heads it came to, and the first break.

    `cycle_rows` were there and right; `pruned_rows` are gone by retention, as are the texts of
    `pruned_texts` calls.
    """

    run_id: str
    heads: dict[str, str]
    records: int
    cycle_rows: int
    broken: ChainBreak | None
    pruned_rows: int = 0
    pruned_texts: int = 0

    @property
    def intact(self) -> bool:
        """Whether nothing was changed."""
        return self.broken is None


def run(connection: Connection, sql: Statements, kept: runs.KeptRun) -> ChainReport:
    """Verify every lane of a run, then the run's own row."""
    heads: dict[str, str] = {}
    counted = _Counted()
    broken = None
    try:
        for lane in _lanes(connection, kept.key):
            heads[lane] = _verify_lane(connection, sql, kept.key, lane, counted)
        if kept.seal != runs.seal(kept.run, heads):
            raise Broken(
                None, "runs", None, "changed", "its seal is not that of its columns and heads"
            )
    except Broken as error:
        broken = error.found
    return ChainReport(
        run_id=kept.run.run_id,
        heads=heads,
        records=counted.records,
        cycle_rows=counted.cycles,
        broken=broken,
        pruned_rows=counted.pruned_rows,
        pruned_texts=counted.pruned_texts,
    )


@dataclass(slots=True)
class _Counted:
    records: int = 0
    cycles: int = 0
    pruned_rows: int = 0
    pruned_texts: int = 0


def _lanes(connection: Connection, run: int) -> list[str]:
    """Every lane that any row of the run names."""
    found: set[str] = set()
    for table in _OF_LANES:
        names = connection.execute(select(table.c.lane).distinct().where(table.c.run == run))
        found.update(str(name) for (name,) in names)
    return sorted(found)


def _verify_lane(
    connection: Connection, sql: Statements, run: int, lane: str, counted: _Counted
) -> str:
    left = _left(connection, run, lane)
    markers = pruned.read(connection, run, lane)
    texts = {seq: one.digest for seq, one in markers.items() if one.kind == pruned.TEXTS}
    minutes = {seq: one for seq, one in markers.items() if one.kind == pruned.MINUTES}
    walk = Walk(connection, sql, run, lane, texts)
    sessions = _Sessions(connection, sql, run, lane, left["symbols"], minutes)
    for kind, row in walk.records(left["seq"]):
        counted.records += 1
        if kind is LANE_DAYS:
            sessions.check(walk.seq, kind.values(row))
    if walk.hash != left["hash"]:
        raise Broken(
            lane, "decisions", walk.seq, "changed", "the lane was left at a record of another hash"
        )
    sessions.check_open(left["open_rows"], left["open_digest"])
    if stray := markers.keys() - walk.shortened - sessions.pruned:
        raise Broken(lane, "pruned", min(stray), "inserted", "no record there was pruned")
    counted.cycles += sessions.rows
    counted.pruned_rows += sum(minutes[seq].rows for seq in sessions.pruned)
    counted.pruned_texts += len(walk.shortened)
    return walk.hash


def _left(connection: Connection, run: int, lane: str) -> Any:
    of_lane = select(_LANES).where(_LANES.c.run == run, _LANES.c.lane == lane)
    try:
        row = connection.execute(of_lane).mappings().first()
    except Unreadable as error:
        raise Broken(lane, "lanes", None, "changed", str(error)) from error
    if row is None:
        raise Broken(lane, "lanes", None, "missing", "other tables have rows of this lane")
    return row


class _Sessions:
    """The minute rows of a lane, session by session."""

    def __init__(
        self,
        connection: Connection,
        sql: Statements,
        run: int,
        lane: str,
        symbols: tuple[str, ...],
        markers: dict[int, pruned.Marker],
    ) -> None:
        self._connection, self._sql, self._run, self._lane = connection, sql, run, lane
        self._symbols, self._markers = symbols, markers
        self._after = cycle_rows.FIRST
        self.rows = 0
        self.pruned: set[int] = set()

    def check(self, seq: int, day: dict[str, Any]) -> None:
        """The session that a `lane_days` record closes."""
        through = day["cycles_through"]
        if through is None:
            return
        marker = self._markers.get(seq)
        if marker is None:
            self._compare(seq, through, day["cycle_rows"], day["cycle_digest"])
        else:
            self._check_pruned(seq, marker, through, day)
        self._after = through

    def _check_pruned(
        self, seq: int, marker: pruned.Marker, through: int, day: dict[str, Any]
    ) -> None:
        """A session without its rows: none may be there, and the marker must be of this one."""
        if (marker.rows, marker.digest) != (day["cycle_rows"], day["cycle_digest"]):
            raise self._broken(seq, "changed", "it was marked as pruned with another digest")
        if reading.cycles_between(
            self._connection, self._sql, self._run, self._lane, self._after, through
        ):
            raise self._broken(seq, "inserted", "the session was pruned, and has rows")
        self.pruned.add(seq)

    def check_open(self, rows: int, digest: str) -> None:
        """What came after the last closed session, and that there is nothing outside of all."""
        self._compare(None, cycle_rows.LAST, rows, digest)
        of_lane = select(func.count()).where(
            _CYCLES.c.run == self._run, _CYCLES.c.lane == self._lane
        )
        kept = self._connection.execute(of_lane).scalar_one()
        if kept != self.rows:
            raise self._broken(None, "inserted", f"{kept - self.rows} rows are in no session")

    def _compare(self, seq: int | None, through: int, expected: int, digest: str) -> None:
        raw = reading.cycles_between(
            self._connection, self._sql, self._run, self._lane, self._after, through
        )
        if len(raw) != expected:
            fault = "missing" if len(raw) < expected else "inserted"
            raise self._broken(seq, fault, f"the session has {len(raw)} rows of {expected}")
        try:
            rows = cycle_rows.from_stored(self._symbols, raw)
        except Unreadable as error:
            raise self._broken(seq, "changed", str(error)) from error
        if OpenSession().extended(rows).digest.hexdigest() != digest:
            raise self._broken(seq, "changed", "the rows do not have the session's digest")
        self.rows += expected

    def _broken(self, seq: int | None, fault: Any, detail: str) -> Broken:
        return Broken(self._lane, "cycles", seq, fault, detail)
