"""What a halt and a resume do to a lane, and how the loop of a session obeys them.

A halt lets no new entry through and calls back those that are under way; positions keep their stop
and target. With `flatten` they are closed at market. Only a person's resume leaves HALTED.

The one who runs the session calls `obey` between cycles: before the first one, then every second,
each time before entries are sent. Whoever dies half-way does it again at the next start: what is
HALTED already is not halted twice.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from advisor.control import Control, Halt, Request, Resume
from advisor.lanes import Lane
from quant_core.booking import entry_given_up
from quant_core.calendar import to_minute
from quant_core.desk import ACTIVE, HALTED, REDUCING, RISK_STATES
from quant_core.events import RISK_STOPPED, read
from quant_core.exchange import KILL, too_deep
from quant_core.types import RiskChange
from tools.ports import Ledger, LedgerRecord

_BAR = timedelta(minutes=1)


def obey(
    control: Control,
    lanes: Sequence[Lane],
    symbols: Sequence[str],
    rules: np.ndarray,
    ledger: Ledger,
    run_id: str,
    now: datetime,
) -> Request | None:
    """Apply and record what a person wants, once; returns it where something was wanted.

    By the thread that runs the cycles: it moves the lanes' desks.
    """
    request = control.wanted()
    if request is None:
        return None
    for lane in lanes:
        records = apply(request, lane, symbols, rules, now)
        if records:
            ledger.commit_cycle(run_id, lane.name, None, records, lane.checkpoint())
            lane.records += records
    control.taken(request)
    return request


def apply(
    request: Request, lane: Lane, symbols: Sequence[str], rules: np.ndarray, now: datetime
) -> list[LedgerRecord]:
    """Bring a lane's desk to where a person wants it; returns what the ledger must keep of it.

    `symbols` in desk order, `rules` of shape (1,) as packed. Nothing is returned, and nothing
    changed, where the desk stands there already.
    """
    if isinstance(request, Halt):
        return _halt(request, lane, symbols, now)
    return _resume(request, lane, rules, now)


def _halt(halt: Halt, lane: Lane, symbols: Sequence[str], now: datetime) -> list[LedgerRecord]:
    account, stopped = lane.desk.account[0], 0
    for s, slot in enumerate(lane.desk.slots):
        held = slot["quantity"] > 0
        waits = slot["entry_quantity"] > 0 and not held
        if waits and not lane.external:
            entry_given_up(lane.desk, lane.log, s, to_minute(now), RISK_STOPPED)
            stopped += 1
        elif slot["exit_due"] == 0 and (waits or (held and halt.flatten)):
            # At a broker an entry is called back; what fills before that arrives is closed.
            slot["exit_due"] = KILL
            stopped += 1
    if account["risk_state"] == HALTED and not stopped:
        return []
    account["risk_state"] = HALTED
    what = "; positions are closed at market" if halt.flatten else ""
    records: list[LedgerRecord] = [
        _change(lane, f"halted by {halt.by}: {halt.reason or 'no reason given'}{what}", now),
        *read(lane.log, tuple(symbols), {}),
    ]
    lane.log.used[0] = 0
    return records


def _resume(resume: Resume, lane: Lane, rules: np.ndarray, now: datetime) -> list[LedgerRecord]:
    """From HALTED only. At a broker entries wait until it and the ledger agree once more.

    A drawdown that halted the account is measured from here on, or it would halt it again at the
    next minute and for ever; the loss of the day goes on being measured from the day's start.
    """
    account = lane.desk.account[0]
    if account["risk_state"] != HALTED:
        return []
    account["risk_state"] = REDUCING if lane.external else ACTIVE
    reason = f"resumed by {resume.by}"
    if lane.external:
        reason += "; entries wait until ledger and broker agree"
    if too_deep(account, rules[0]):
        account["peak"] = account["equity"]
        reason += "; drawdown is measured from here"
    return [_change(lane, reason, now)]


def _change(lane: Lane, reason: str, now: datetime) -> RiskChange:
    """The lane's new state, known now: at the end of the minute that it is written under."""
    account = lane.desk.account[0]
    return RiskChange(
        start=now - _BAR,
        state=RISK_STATES[int(account["risk_state"])],
        reason=reason,
        equity=float(account["equity"]),
    )
