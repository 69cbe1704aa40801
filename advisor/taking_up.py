"""Going on with a run: lanes brought to where its ledger says that they stood.

A replay takes up everything, because its reports show everything. A live session goes on for months
in one run and is taken up with every start, in a Lambda every minute: it takes up its state and
the session's own records, which is what is read of a lane while a session runs. How sure a model
was in the sessions before is looked up when somebody asks (`advisor.steady`).
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any

from advisor.lanes import Answer, Lane
from quant_core.calendar import NEW_YORK
from quant_core.types import Analysis, Decision, Status
from tools.ports import LedgerRecord
from tools.store import codec
from tools.store.columns import Moment
from tools.store.paging import Pages, Place, Span
from tools.store.store import Store

_KINDS: tuple[codec.Kind[Any], ...] = (
    codec.ANALYSES, codec.TRANSITIONS, codec.DECISIONS, codec.FILLS, codec.ORDER_REJECTIONS,
    codec.TRADES, codec.RISK_CHANGES, codec.LANE_DAYS,
)  # fmt: skip
_ANSWERS: dict[type, tuple[codec.Kind[Any], tuple[str, ...]]] = {
    Analysis: (codec.ANALYSES, ("analyst", "as_of", "confidence", "status")),
    Decision: (codec.DECISIONS, ("validator", "start", "verdict_confidence", "verdict_status")),
}
_moment = Moment()


def take_up(store: Store, run_id: str, lanes: Sequence[Lane], end: datetime) -> None:
    """Give lanes their state and everything they have on record until `end`; new ones stay new."""
    known = _restored(store, run_id, lanes)
    places = _places(store, run_id, known)
    for lane in known:
        lane.cycles = [store.cycles(run_id, lane.name, as_of=end)]
        lane.records = _records(Pages(store), places[lane.name], end, Span())


def take_up_session(
    store: Store, run_id: str, lanes: Sequence[Lane], day: date, end: datetime
) -> None:
    """Give lanes their state and what they have on record of the session of `day` until `end`."""
    with store.one_reading():
        known, pages = _restored(store, run_id, lanes), Pages(store)
        places = _places(store, run_id, known)
        for lane in known:
            place = places[lane.name]
            closed = _closed_before(pages, place, day, end)
            lane.records = _records(pages, place, end, Span(closed))
            lane.earlier = _earlier(pages, place, end, Span(0, closed))


def _restored(store: Store, run_id: str, lanes: Sequence[Lane]) -> list[Lane]:
    """The lanes that the ledger knows, with their state."""
    known = []
    for lane in lanes:
        checkpoint = store.checkpoint(run_id, lane.name)
        if checkpoint is not None:
            lane.restore(checkpoint)
            known.append(lane)
    return known


def _places(store: Store, run_id: str, known: Sequence[Lane]) -> dict[str, Place]:
    return Pages(store).place(run_id).lanes if known else {}


def _records(pages: Pages, place: Place, end: datetime, span: Span) -> list[LedgerRecord]:
    return [
        entry.record
        for kind in _KINDS
        for entry in pages.following(kind, place, as_of=end, span=span)
    ]


def _closed_before(pages: Pages, place: Place, day: date, end: datetime) -> int:
    """Where the last session before a day ends in a lane's chain; 0 before the first."""
    # The newest may be that of the day itself.
    closed = pages.newest(codec.LANE_DAYS, place, as_of=end, limit=2)
    return next((one.seq for one in closed if one.record.date < day), 0)


def _earlier(
    pages: Pages, place: Place, end: datetime, span: Span
) -> Callable[[type], Sequence[Answer]]:
    """What models answered in a span of a lane, read when it is asked for, and once."""
    known: dict[type, list[Answer]] = {}

    def answers(given: type) -> list[Answer]:
        if given not in known:
            kind, names = _ANSWERS[given]
            rows = pages.columns(kind, place, names, as_of=end, span=span)
            known[given] = [
                (model, _moment.read(at).astimezone(NEW_YORK).date(), float(confidence))
                for model, at, confidence, status in rows
                if status == Status.OK
            ]
        return known[given]

    return answers
