"""Where the lanes of a live session stand: as the ledger has them, and as the account has it.

A run is the account's for as long as its configuration and the code stay the same. The next session
goes on with it; under other settings a new run takes over the account's standing (equity, peak,
HALTED) from the one before, between sessions and with nothing held.
"""

import hashlib
from collections.abc import Sequence
from datetime import date

import msgspec

from advisor import code_version
from advisor.bootstrap import ReplayOptions
from advisor.lanes import Lane
from advisor.settings import Settings
from quant_core.desk import Desk
from quant_core.events import EventLog
from tools.errors import BadInput
from tools.store.runs import Run
from tools.store.store import Store


def enter_run(
    store: Store,
    kind: str,
    account: str,
    symbols: Sequence[str],
    options: ReplayOptions,
    settings: Settings,
    today: date,
) -> str:
    """The run of an account under these settings and this code; entered when it is new.

    The newest run is the one that goes on; whoever goes back to settings of before begins another.
    BadInput when the ledger holds runs of another kind, or when the newest is in the middle of
    today's session, or holds something, under other settings.
    """
    runs = store.runs()
    others = {run.kind for run in runs} - {kind}
    if others:
        raise BadInput(
            f"the folder holds a run of another kind ({', '.join(sorted(others))}, this one is "
            f"{kind}); choose another --out"
        )
    run_id = run_of(store, kind, account, symbols, options, settings)
    if run_id is not None:
        return run_id
    _refuse_to_leave(store, runs, today)
    run_id = _name(_parts(kind, account, symbols, options, settings), runs)
    store.start_run(
        run_id,
        kind=kind,
        config_hash=settings.config_hash(),
        code_version=code_version(),
        config_json=msgspec.json.encode(settings.deciding(), order="deterministic").decode(),
    )
    return run_id


def run_of(
    store: Store,
    kind: str,
    account: str,
    symbols: Sequence[str],
    options: ReplayOptions,
    settings: Settings,
) -> str | None:
    """The account's run that goes on under these settings and this code; None when none does."""
    runs = store.runs()
    parts = _parts(kind, account, symbols, options, settings)
    return runs[-1].run_id if runs and runs[-1].run_id == _name(parts, runs[:-1]) else None


def run_left_open(store: Store, kind: str, today: date) -> str | None:
    """The newest run of a kind, where it cannot be left now: it began today, or holds something.

    Whoever watches over its positions does so under any settings and code: a deployment in the
    middle of a session opens nothing more, and leaves nothing alone.
    """
    runs = [run for run in store.runs() if run.kind == kind][-1:]
    return runs[0].run_id if runs and _in_the_way(store, runs, today) else None


def _parts(
    kind: str, account: str, symbols: Sequence[str], options: ReplayOptions, settings: Settings
) -> list[object]:
    return [
        kind, account, list(symbols), settings.config_hash(), code_version(),
        options.analyst, options.validation, options.premarket,
    ]  # fmt: skip


def _name(parts: Sequence[object], before: Sequence[Run]) -> str:
    named = [*parts, before[-1].run_id if before else ""]
    return hashlib.sha256(msgspec.json.encode(named)).hexdigest()[:16]


def _refuse_to_leave(store: Store, runs: Sequence[Run], today: date) -> None:
    """BadInput where an account cannot be taken over from the run that has it."""
    if told := _in_the_way(store, runs, today):
        raise BadInput(
            f"{told} under other settings, symbols or code; start it again as it was, or wait for "
            "the next session"
        )


def _in_the_way(store: Store, runs: Sequence[Run], today: date) -> str:
    """The run that must not be left now, and why; empty where there is none."""
    for run in runs:
        for name in store.heads(run.run_id):
            lane = _as_it_stood(store, run, name)
            if lane is None:
                continue
            slots = lane.desk.slots
            held = slots["quantity"].any() or slots["entry_quantity"].any()
            unfinished = lane.day == today
            if unfinished or (held and run is runs[-1]):
                why = f"began the session of {today}" if unfinished else "still holds a position"
                return f"run {run.run_id} {why}"
    return ""


def take_over(store: Store, run_id: str, lanes: Sequence[Lane]) -> None:
    """Give the lanes of a run that has just begun the account's standing under the run before."""
    earlier = [run for run in reversed(store.runs()) if run.run_id != run_id]
    for lane in lanes:
        if lane.day is not None:
            continue
        found = (_as_it_stood(store, run, lane.name) for run in earlier)
        before = next((one for one in found if one is not None), None)
        if before is not None:
            lane.desk = Desk(lane.desk.slots, before.desk.account)
            lane.daily_returns = before.daily_returns


def _as_it_stood(store: Store, run: Run, name: str) -> Lane | None:
    """A lane of a run at its last checkpoint."""
    checkpoint = store.checkpoint(run.run_id, name)
    if checkpoint is None:
        return None
    lane = Lane(name=name, desk=Desk.new(1, 0.0), log=EventLog.with_room_for(1))
    lane.restore(checkpoint)
    return lane


def adopt_equity(desk: Desk, equity: float) -> float:
    """Make the desk's equity the broker's before a session; returns by how much they differed.

    Transfers and fees are the broker's to know; they are neither profit nor drawdown.
    """
    difference = equity - float(desk.account["equity"][0])
    for name in ("start_equity", "equity", "peak"):
        desk.account[name] += difference
    return difference
