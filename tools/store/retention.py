"""Taking out of a ledger what is old and large, so that its chain still says what it said.

Two things are large: minute rows, and what models were told and said. A session's minute rows go as
a whole; the digest in the chain still vouches for them. A call keeps who was asked, when, about
what, with which tokens and cost; its texts go. Decisions, orders, fills and trades stay for ever.

Only what nothing goes on from is touched: finished runs, and the closed sessions of runs that go on
by the clock. A record is old when it *and* its run are: a replay of old bars made yesterday is new.
A run whose chain is not intact is left alone, because what is wrong with it might go too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, select, update

from quant_core.cycles import CycleRows
from tools.errors import BookMismatch
from tools.llm.calls import KeptCall, LlmCall
from tools.store import cycles as cycle_rows
from tools.store import pruned, reading, runs, tables
from tools.store.archive import Archive, digest_of
from tools.store.chain import link
from tools.store.codec import LANE_DAYS, LLM_CALLS
from tools.store.columns import Verbatim
from tools.store.store import Store

_CHAIN = tables.of(tables.Decisions)
_LANES = tables.of(tables.Lanes)
_CYCLES = tables.of(tables.Cycles)
_DAYS = LANE_DAYS.table
_CALLS = LLM_CALLS.table


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSession:
    """A session's minute rows: after < minute <= through, and what the chain says of them."""

    seq: int
    after: int
    through: int
    rows: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What may go from one lane: sessions of minute rows, and calls by number."""

    run_id: str
    lane: str
    sessions: tuple[SealedSession, ...]
    calls: tuple[int, ...]

    @property
    def minute_rows(self) -> int:
        """How many minute rows."""
        return sum(one.rows for one in self.sessions)


def due(
    store: Store, *, minutes_before: datetime | None, texts_before: datetime | None
) -> list[Lot]:
    """What is older than the moments given, lane by lane; None takes nothing of its kind."""
    found = []
    for run in store.runs():
        if run.status != "finished" and run.kind == "replay":
            continue  # it may be taken up again, from its first minute
        for lane in store.heads(run.run_id):
            with store.reading() as connection:
                key = runs.get(connection, run.run_id).key
                gone = pruned.read(connection, key, lane)
                sessions: list[SealedSession] = []
                calls: list[int] = []
                if minutes_before and run.created_at < minutes_before:
                    sessions = _sessions(connection, key, lane, minutes_before)
                if texts_before and run.created_at < texts_before:
                    calls = _calls(connection, key, lane, texts_before)
            lot = Lot(
                run_id=run.run_id,
                lane=lane,
                sessions=tuple(one for one in sessions if one.seq not in gone),
                calls=tuple(seq for seq in calls if seq not in gone),
            )
            if lot.sessions or lot.calls:
                found.append(lot)
    return found


def _sessions(connection: Connection, run: int, lane: str, before: datetime) -> list[SealedSession]:
    kept = connection.execute(
        select(
            _DAYS.c.seq, _DAYS.c.cycle_rows, _DAYS.c.cycles_through, _DAYS.c.cycle_digest,
            _CHAIN.c.at,
        )
        .join_from(
            _DAYS,
            _CHAIN,
            (_CHAIN.c.run == _DAYS.c.run)
            & (_CHAIN.c.lane == _DAYS.c.lane)
            & (_CHAIN.c.seq == _DAYS.c.seq),
        )
        .where(_DAYS.c.run == run, _DAYS.c.lane == lane)
        .order_by(_DAYS.c.seq)
    )  # fmt: skip
    found, after = [], cycle_rows.FIRST
    for seq, rows, through, digest, at in kept:
        if through is None:
            continue
        if rows and at < before:
            found.append(
                SealedSession(seq=seq, after=after, through=through, rows=rows, digest=digest)
            )
        after = through
    return found


def _calls(connection: Connection, run: int, lane: str, before: datetime) -> list[int]:
    old = (
        select(_CALLS.c.seq)
        .where(_CALLS.c.run == run, _CALLS.c.lane == lane, _CALLS.c.as_of < before)
        .order_by(_CALLS.c.seq)
    )
    return list(connection.execute(old).scalars())


def prune(store: Store, lots: Sequence[Lot], archive: Path | None, *, at: datetime) -> None:
    """Take lots out, each lane in one transaction; into an archive first, unless it is None.

    Raises BookMismatch, before anything of it goes, for a run whose history was changed.
    """
    for run_id in dict.fromkeys(lot.run_id for lot in lots):
        report = store.verify_chain(run_id)
        if not report.intact:
            raise BookMismatch(
                f"run {run_id} was changed ({report.broken}); nothing of it is taken out"
            )
    into = None if archive is None else Archive(archive)
    for lot in lots:
        with store.writing() as connection:
            key = runs.get(connection, lot.run_id).key
            _prune_minutes(connection, store, key, lot, into, at)
            _prune_calls(connection, key, lot, into, at)


def _prune_minutes(
    connection: Connection, store: Store, run: int, lot: Lot, into: Archive | None, at: datetime
) -> None:
    if not lot.sessions:
        return
    symbols = reading.watchlist(connection, run, lot.lane)
    rows = {one.seq: _rows(connection, store, run, lot.lane, symbols, one) for one in lot.sessions}
    digests = {one.seq: one.digest for one in lot.sessions}
    for seq, digest in digests.items():
        if digest_of(rows[seq]) != digest:
            raise BookMismatch(
                f"the session of record {seq} changed meanwhile; nothing was deleted"
            )
    place = into.keep_minutes(lot.run_id, lot.lane, rows, digests) if into else ""
    for one in lot.sessions:
        connection.execute(
            delete(_CYCLES).where(
                _CYCLES.c.run == run,
                _CYCLES.c.lane == lot.lane,
                _CYCLES.c.minute > one.after,
                _CYCLES.c.minute <= one.through,
            )
        )
    markers = {one.seq: pruned.Marker(pruned.MINUTES, one.rows, one.digest) for one in lot.sessions}
    pruned.mark(connection, run, lot.lane, markers, place, at)


def _rows(
    connection: Connection, store: Store, run: int, lane: str, symbols: tuple[str, ...],
    one: SealedSession,
) -> CycleRows:  # fmt: skip
    raw = reading.cycles_between(connection, store.sql, run, lane, one.after, one.through)
    return cycle_rows.from_stored(symbols, raw)


def _prune_calls(
    connection: Connection, run: int, lot: Lot, into: Archive | None, at: datetime
) -> None:
    whole: dict[int, str] = {}
    markers: dict[int, pruned.Marker] = {}
    for seq in lot.calls:
        kept, before = _call(connection, run, lot.lane, seq)
        whole[seq] = str(Verbatim().keep(kept.call))
        short = replace(kept, call=without_texts(kept.call, at))
        moment, row = LLM_CALLS.stored(short)
        digest = link(before, LLM_CALLS.content(moment, row))
        markers[seq] = pruned.Marker(pruned.TEXTS, 0, digest)
        connection.execute(
            update(_CALLS)
            .where(_CALLS.c.run == run, _CALLS.c.lane == lot.lane, _CALLS.c.seq == seq)
            .values(call=short.call)
        )
    if whole:
        place = into.keep_calls(lot.run_id, lot.lane, whole) if into else ""
        pruned.mark(connection, run, lot.lane, markers, place, at)


def _call(connection: Connection, run: int, lane: str, seq: int) -> tuple[KeptCall, str]:
    """A call, and the hash before it."""
    at_seq = (_CALLS.c.run == run, _CALLS.c.lane == lane, _CALLS.c.seq == seq)
    columns = [_CALLS.c[name] for name in ("as_of", "machine", "about", "call")]
    as_of, machine, about, call = connection.execute(select(*columns).where(*at_seq)).one()
    before = connection.execute(
        select(_CHAIN.c.prev_hash).where(
            _CHAIN.c.run == run, _CHAIN.c.lane == lane, _CHAIN.c.seq == seq
        )
    ).scalar_one()
    return KeptCall(as_of=as_of, machine=machine, about=about, call=call), before


def without_texts(call: LlmCall, at: datetime) -> LlmCall:
    """A call with a note where its texts were; what it cost and came to is as it was."""
    note = f"removed by retention on {at:%Y-%m-%d}"
    attempts = tuple(
        replace(one, response=note if one.response else "", repair=note if one.repair else "")
        for one in call.attempts
    )
    prompt = replace(call.prompt, system=note if call.prompt.system else "", text=note)
    return replace(call, prompt=prompt, attempts=attempts)
