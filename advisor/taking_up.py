"""Going on with a run: lanes brought to where its ledger says that they stood."""

from collections.abc import Sequence
from datetime import datetime

from advisor.lanes import Lane
from tools.store.store import Store


def take_up(store: Store, run_id: str, lanes: Sequence[Lane], end: datetime) -> None:
    """Give lanes their state and everything they have on record until `end`; new ones stay new."""
    reads = (
        store.analyses,
        store.transitions,
        store.decisions,
        store.fills,
        store.order_rejections,
        store.trades,
        store.risk_changes,
        store.lane_days,
    )
    for lane in lanes:
        checkpoint = store.checkpoint(run_id, lane.name)
        if checkpoint is None:
            continue
        lane.restore(checkpoint)
        lane.cycles = [store.cycles(run_id, lane.name, as_of=end)]
        lane.records = [record for read in reads for record in read(run_id, lane.name, as_of=end)]
