"""Where the lanes of a live session stand: as the ledger has them, and as the account has it.

The run is the account's under one configuration and one version of the code. The next session goes
on with it; under other settings a new run takes over the account's standing (equity, peak, HALTED)
from the one before, between sessions and with nothing held.
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
) -> str:
    """The run of an account under these settings and this code; entered when it is new.

    BadInput when the ledger holds runs of another kind.
    """
    others = {run.kind for run in store.runs()} - {kind}
    if others:
        raise BadInput(
            f"the folder holds a run of another kind ({', '.join(sorted(others))}, this one is "
            f"{kind}); choose another --out"
        )
    run_id = run_of(kind, account, symbols, options, settings)
    if store.run(run_id) is None:
        store.start_run(
            run_id,
            kind=kind,
            config_hash=settings.config_hash(),
            code_version=code_version(),
            config_json=msgspec.json.encode(settings.deciding(), order="deterministic").decode(),
        )
    return run_id


def run_of(
    kind: str, account: str, symbols: Sequence[str], options: ReplayOptions, settings: Settings
) -> str:
    """The id of an account's run under these settings and this code."""
    parts = [
        kind, account, list(symbols), settings.config_hash(), code_version(),
        options.analyst, options.validation, options.premarket,
    ]  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def take_over(store: Store, run_id: str, lanes: Sequence[Lane], today: date) -> None:
    """Give lanes without a past the account's standing under earlier settings, where there is one.

    BadInput when that run is in the middle of today's session, or holds something.
    """
    earlier = [run for run in store.runs() if run.run_id != run_id]
    earlier.sort(key=lambda run: run.created_at, reverse=True)
    for lane in lanes:
        if lane.day is None:
            _take_over(store, earlier, lane, today)


def _take_over(store: Store, earlier: Sequence[Run], lane: Lane, today: date) -> None:
    for run in earlier:
        checkpoint = store.checkpoint(run.run_id, lane.name)
        if checkpoint is None:
            continue
        before = Lane(name=lane.name, desk=lane.desk, log=lane.log)
        before.restore(checkpoint)
        slots = before.desk.slots
        held = slots["quantity"].any() or slots["entry_quantity"].any()
        if before.day == today or held:
            raise BadInput(
                f"run {run.run_id} "
                + ("still holds a position" if held else f"began the session of {today}")
                + " under other settings, symbols or code; start it again as it was, or wait for "
                "the next session"
            )
        lane.desk = Desk(lane.desk.slots, before.desk.account)
        lane.daily_returns = before.daily_returns
        return


def adopt_equity(desk: Desk, equity: float) -> float:
    """Make the desk's equity the broker's before a session; returns by how much they differed.

    Transfers and fees are the broker's to know; they are neither profit nor drawdown.
    """
    difference = equity - float(desk.account["equity"][0])
    for name in ("start_equity", "equity", "peak"):
        desk.account[name] += difference
    return difference
