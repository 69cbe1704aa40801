"""The ledger: everything that was decided, kept so that nobody has to take our word for it.

Invariants: a cycle is written whole or not at all; records are only ever appended, each chained to
the one before; every row belongs to a run and so to a configuration and a version of the code;
one process writes, any number read; no query returns what was not known at its `as_of`.

A lane's head is kept in memory between commits and read again, and checked, when a ledger is
opened. After an error nothing has moved: neither the ledger nor the head.
"""

import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, delete, insert, select, update

from quant_core.calendar import to_minute
from quant_core.cycles import CycleRows
from quant_core.types import (
    Analysis,
    AnswerFinding,
    ChartAlert,
    DailyBias,
    Decision,
    Fill,
    Headline,
    LaneDay,
    MarketContext,
    Order,
    OrderRejection,
    RiskChange,
    Snapshot,
    Trade,
    Transition,
)
from tools.errors import BadInput, NoData
from tools.llm.calls import KeptCall
from tools.outbox import OutboxRow
from tools.ports import LedgerRecord
from tools.store import chain, codec, dialect, reading, runs, schema, tables, verify
from tools.store import chart_alerts as alerts
from tools.store import outbox as orders
from tools.store.columns import Moment
from tools.store.postgresql import Access
from tools.store.runs import Run
from tools.store.statements import statements
from tools.store.verify import ChainReport

R = TypeVar("R")
Heads = dict[tuple[str, int, str], chain.Lane]
"""Where a process left the lanes of runs, by the ledger's place, the run's number and the lane."""
_RUNS = tables.of(tables.Runs)
_LANES = tables.of(tables.Lanes)


class Store:
    """A ledger that is open. Use `Store.open`; close it, or use it as a context manager."""

    def __init__(
        self, engine: Engine, writer: dialect.Writer | None, heads: Heads | None = None
    ) -> None:
        """Over a database with the newest schema; `writer` is the right to write, if there is."""
        self._engine = engine
        self._heads: Heads = {} if heads is None else heads
        self._writer = writer
        self.sql = statements(engine.dialect, [kind.table for kind in codec.KINDS.values()])
        self._lanes: dict[tuple[str, str], chain.Lane] = {}
        self._keys: dict[str, int] = {}
        self._writing = threading.RLock()
        self._shared = threading.local()

    @classmethod
    def open(
        cls,
        where: str | Path,
        *,
        read_only: bool = False,
        synchronous: dialect.Synchronous = "FULL",
        access: Access = dialect.ACCESS,
        heads: Heads | None = None,
    ) -> "Store":
        """Open the ledger at a path or database URL, creating or migrating it when writing.

        `synchronous="NORMAL"` is for replays: see `dialect.engine_at`. `heads` is kept by a process
        that opens the ledger again and again: where it left the lanes. Raises BadInput for what
        is not a ledger, has a newer schema, or is being written by another process; NoData when
        there is nothing to read; Transient when it is locked or cannot be reached for the moment.
        """
        engine = dialect.engine_at(where, synchronous, access)
        if read_only and dialect.is_missing(engine):
            raise NoData(f"there is no ledger at {dialect.place(engine)}")
        writer = None
        try:
            with dialect.explained(engine):
                current = schema.is_current(engine)
                writer = None if read_only else dialect.hold_writer(engine)
                if not current and read_only:
                    raise BadInput(
                        f"the ledger {dialect.place(engine)} has an older schema; "
                        "`advisor ledger upgrade` brings it up to date, keeping every record"
                    )
                if not current and writer:
                    schema.migrate(writer)
        except BaseException:
            engine.dispose()
            if writer:
                writer.release()
            raise
        return cls(engine, writer, heads)

    @property
    def place(self) -> str:
        """Its file, or its URL without a password: where it can be opened again."""
        return dialect.place(self._engine)

    def close(self) -> None:
        """Close the database and let others write."""
        self._engine.dispose()
        if self._writer:
            self._writer.release()
            self._writer = None

    def __enter__(self) -> "Store":
        """The store itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    # Runs

    def start_run(
        self, run_id: str, *, kind: str, config_hash: str, code_version: str, config_json: str
    ) -> Run:
        """Enter a new run; BadInput when its name is taken."""
        run = Run(
            run_id=run_id,
            kind=kind,
            config_hash=config_hash,
            code_version=code_version,
            config_json=config_json,
            status="running",
            created_at=datetime.now(UTC),
        )
        with self._write() as connection:
            if runs.find(connection, run_id) is not None:
                raise BadInput(
                    f"the ledger has a run {run_id!r} already; go on with it, or discard it first"
                )
            values = {name: getattr(run, name) for name in Run.__slots__}
            connection.execute(insert(_RUNS).values(**values, seal=runs.seal(run, {})))
        return run

    def finish_run(self, run_id: str) -> Run:
        """Close a run for good and seal its heads."""
        with self._write() as connection:
            kept = runs.get(connection, run_id)
            run = runs.finished(kept.run)
            seal = runs.seal(run, runs.heads(connection, kept.key))
            connection.execute(
                update(_RUNS).where(_RUNS.c.id == kept.key).values(status=run.status, seal=seal)
            )
        self._forget(run_id)
        return run

    def discard_run(self, run_id: str) -> None:
        """Delete a run and everything it owns; NoData when there is none."""
        with self._write() as connection:
            key = runs.get(connection, run_id).key
            connection.execute(delete(_RUNS).where(_RUNS.c.id == key))
        self._forget(run_id)

    def run(self, run_id: str) -> Run | None:
        """A run, or None when there is none of that name."""
        with self._read() as connection:
            kept = runs.find(connection, run_id)
            return None if kept is None else kept.run

    def runs(self) -> list[Run]:
        """All runs in the order in which they were started."""
        with self._read() as connection:
            return runs.listed(connection)

    def heads(self, run_id: str) -> dict[str, str]:
        """The hash of the last record of each lane: equal heads, equal decisions."""
        with self._read() as connection:
            return runs.heads(connection, runs.get(connection, run_id).key)

    def _forget(self, run_id: str) -> None:
        self._lanes = {key: lane for key, lane in self._lanes.items() if key[0] != run_id}
        self._keys.pop(run_id, None)

    # Writing

    def commit_cycle(
        self,
        run_id: str,
        lane: str,
        cycles: CycleRows | None,
        records: Sequence[LedgerRecord],
        checkpoint: bytes | None,
        *,
        outbox: Sequence[OutboxRow] = (),
    ) -> None:
        """Write one cycle of a lane in one transaction: minute rows, records in order, state.

        `outbox` are orders that this cycle decided on, or that moved: rows with the same id are
        replaced.

        A `LaneDay` closes the session: it is sealed with the digest of the minute rows since the
        last one, those of this cycle included. `checkpoint` replaces the lane's state; None keeps
        it. Raises BadInput for what cannot be kept, Transient when the database could not write.
        """
        with self._writing:
            growth = chain.grown(self._lane(run_id, lane), cycles, records)
            with self._write() as connection:
                chain.write(connection, self.sql, growth, checkpoint)
                orders.write(connection, growth.after.run, lane, outbox)
            self._lanes[run_id, lane] = growth.after
            self._heads[self.place, growth.after.run, lane] = growth.after

    def keep_outbox(self, run_id: str, lane: str, rows: Sequence[OutboxRow]) -> None:
        """Write how far requests have come, where nothing else is to be recorded."""
        with self._write() as connection:
            orders.write(connection, self._key(connection, run_id), lane, rows)

    def _lane(self, run_id: str, lane: str) -> chain.Lane:
        known = self._lanes.get((run_id, lane))
        if known is not None:
            return known
        with self._read() as connection:
            kept = runs.get(connection, run_id)
            if kept.run.status == "finished":
                raise BadInput(f"run {run_id!r} is finished; start another one")
            left = self._heads.get((self.place, kept.key, lane))
            return reading.lane(connection, self.sql, kept.key, lane, left)

    # Reading

    def snapshots(self, run_id: str, lane: str, *, as_of: datetime) -> list[Snapshot]:
        """Premarket snapshots known at `as_of`."""
        return self._records(codec.SNAPSHOTS, run_id, lane, as_of)

    def news(self, run_id: str, lane: str, *, as_of: datetime) -> list[Headline]:
        """News items that the lane was shown, published and received by `as_of`."""
        return self._records(codec.NEWS, run_id, lane, as_of)

    def chart_alerts(
        self, run_id: str, lane: str, *, as_of: datetime, since: datetime | None = None
    ) -> list[ChartAlert]:
        """Alerts of charts known at `as_of`; with `since` only those known after it."""
        if since is None:
            return self._records(codec.CHART_ALERTS, run_id, lane, as_of)
        with self._read() as connection:
            key = self._key(connection, run_id)
            return alerts.between(connection, key, lane, _aware(since), _aware(as_of))

    def chart_alert_ids(self, run_id: str, ids: Collection[str]) -> set[str]:
        """Which of these alerts a run has on record."""
        with self._read() as connection:
            return alerts.among(connection, self._key(connection, run_id), ids)

    def daily_biases(self, run_id: str, lane: str, *, as_of: datetime) -> list[DailyBias]:
        """Biases of the premarket known at `as_of`."""
        return self._records(codec.DAILY_BIASES, run_id, lane, as_of)

    def market_contexts(self, run_id: str, lane: str, *, as_of: datetime) -> list[MarketContext]:
        """Market contexts of the premarket known at `as_of`."""
        return self._records(codec.MARKET_CONTEXTS, run_id, lane, as_of)

    def llm_calls(self, run_id: str, lane: str, *, as_of: datetime) -> list[KeptCall]:
        """Calls to models that were asked about the market by `as_of`, verbatim."""
        return self._records(codec.LLM_CALLS, run_id, lane, as_of)

    def llm_findings(self, run_id: str, lane: str, *, as_of: datetime) -> list[AnswerFinding]:
        """What the bounds clamped, replaced or rejected in answers known at `as_of`."""
        return self._records(codec.LLM_FINDINGS, run_id, lane, as_of)

    def analyses(self, run_id: str, lane: str, *, as_of: datetime) -> list[Analysis]:
        """Market analyses known at `as_of`."""
        return self._records(codec.ANALYSES, run_id, lane, as_of)

    def decisions(self, run_id: str, lane: str, *, as_of: datetime) -> list[Decision]:
        """Signals with their plans and verdicts known at `as_of`."""
        return self._records(codec.DECISIONS, run_id, lane, as_of)

    def orders(self, run_id: str, lane: str, *, as_of: datetime) -> list[Order]:
        """Orders decided by `as_of`."""
        return self._records(codec.ORDERS, run_id, lane, as_of)

    def fills(self, run_id: str, lane: str, *, as_of: datetime) -> list[Fill]:
        """Fills known at `as_of`."""
        return self._records(codec.FILLS, run_id, lane, as_of)

    def order_rejections(self, run_id: str, lane: str, *, as_of: datetime) -> list[OrderRejection]:
        """Orders, or rests of orders, known at `as_of` not to have filled."""
        return self._records(codec.ORDER_REJECTIONS, run_id, lane, as_of)

    def trades(self, run_id: str, lane: str, *, as_of: datetime) -> list[Trade]:
        """Trades closed, and known to be, at `as_of`."""
        return self._records(codec.TRADES, run_id, lane, as_of)

    def transitions(self, run_id: str, lane: str, *, as_of: datetime) -> list[Transition]:
        """State changes known at `as_of`."""
        return self._records(codec.TRANSITIONS, run_id, lane, as_of)

    def risk_changes(self, run_id: str, lane: str, *, as_of: datetime) -> list[RiskChange]:
        """Changes of the account's risk state known at `as_of`."""
        return self._records(codec.RISK_CHANGES, run_id, lane, as_of)

    def lane_days(self, run_id: str, lane: str, *, as_of: datetime) -> list[LaneDay]:
        """Sessions that had ended by `as_of`."""
        return self._records(codec.LANE_DAYS, run_id, lane, as_of)

    def entries(
        self, run_id: str, lane: str, kind: type[R], *, as_of: datetime
    ) -> list[reading.Entry[R]]:
        """Records of a type known at `as_of`, each with its place in the chain and its moment."""
        moment = Moment().keep(_aware(as_of))
        with self._read() as connection:
            key = runs.get(connection, run_id).key
            return reading.entries(connection, self.sql, codec.KINDS[kind], key, lane, moment)

    def watchlist(self, run_id: str, lane: str) -> tuple[str, ...]:
        """The symbols a lane was started with; none for a lane without minute rows."""
        with self._read() as connection:
            return reading.watchlist(connection, runs.get(connection, run_id).key, lane)

    def cycles(self, run_id: str, lane: str, *, as_of: datetime) -> CycleRows:
        """Minute rows whose bar had closed by `as_of`; no rows, no symbols for an unknown lane."""
        through = to_minute(_aware(as_of)) - 1
        with self._read() as connection:
            key = runs.get(connection, run_id).key
            return reading.cycles(connection, self.sql, key, lane, through)

    def checkpoint(self, run_id: str, lane: str) -> bytes | None:
        """The lane's state as of its last cycle, or None when it has none."""
        of_lane = select(_LANES.c.checkpoint).where(_LANES.c.lane == lane)
        with self._read() as connection:
            key = runs.get(connection, run_id).key
            state = connection.execute(of_lane.where(_LANES.c.run == key)).scalar()
            return None if state is None else bytes(state)

    def outbox(self, run_id: str, lane: str, *, since: datetime | None = None) -> list[OutboxRow]:
        """Where every order of a lane stands now, in the order of their decisions.

        With `since`: those about which something may still happen or has since then, and those that
        were sent and never answered for.
        """
        with self._read() as connection:
            return orders.read(connection, self._key(connection, run_id), lane, since)

    def verify_chain(self, run_id: str) -> ChainReport:
        """Read every row of a run again and say whether, and where, its history was changed."""
        with self._read() as connection:
            return verify.run(connection, self.sql, runs.get(connection, run_id))

    def _key(self, connection: Connection, run_id: str) -> int:
        """A run's number, which it keeps for good; NoData when there is no such run."""
        if run_id not in self._keys:
            self._keys[run_id] = runs.get(connection, run_id).key
        return self._keys[run_id]

    def _records(self, kind: codec.Kind[R], run_id: str, lane: str, as_of: datetime) -> list[R]:
        moment = Moment().keep(_aware(as_of))
        with self._read() as connection:
            key = self._key(connection, run_id)
            return reading.records(connection, self.sql, kind, key, lane, moment)

    def reading(self) -> AbstractContextManager[Connection]:
        """A read transaction for the queries beside this module (`tools.store.paging`)."""
        return self._read()

    @contextmanager
    def one_reading(self) -> Iterator[None]:
        """One transaction for all that this thread reads in the block: it sees one moment."""
        with self._read() as connection:
            self._shared.connection = connection
            try:
                yield
            finally:
                del self._shared.connection

    def writing(self) -> AbstractContextManager[Connection]:
        """A write transaction for what stands beside this module (`tools.store.retention`)."""
        return self._write()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        shared: Connection | None = getattr(self._shared, "connection", None)
        if shared is not None:
            yield shared
            return
        with dialect.explained(self._engine), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        if self._writer is None:
            raise BadInput(f"the ledger {dialect.place(self._engine)} is open for reading only")
        with self._writing, dialect.explained(self._engine), self._writer.begin() as connection:
            yield connection


def _aware(as_of: Any) -> datetime:
    if not isinstance(as_of, datetime) or as_of.tzinfo is None:
        raise BadInput(f"as_of must be a moment with a time zone, not {as_of!r}")
    return as_of
