"""What a person hears of a live session: a line for everything, an alert for what matters.

Both are read off the records that the ledger keeps, as they come: nothing is told that is not on
record, and what another process recorded before is not told again.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from advisor.lanes import Lane, TradingDay
from quant_core.calendar import NEW_YORK, new_york
from quant_core.desk import HALTED, IDLE, RISK_STATES
from quant_core.events import STATES
from quant_core.types import (
    Analysis,
    Decision,
    Fill,
    OrderRejection,
    RiskChange,
    RiskState,
    Status,
    Trade,
    Transition,
)
from tools.notify.alerts import Alert, Severity
from tools.ports import LedgerRecord

LOOK_AROUND = 15  # minutes between two lines on how everything stands


class Telling:
    """Tells of the lane that trades: the first one."""

    def __init__(self, say: Callable[[str], None], alert: Callable[[Alert], None]) -> None:
        """`say` is given lines, `alert` what a person should know now."""
        self._say, self._alert = say, alert
        self._seen = 0

    def begin(self, lanes: Sequence[Lane]) -> None:
        """What is on record now has been told."""
        self._seen = len(lanes[0].records)

    def since(self, lanes: Sequence[Lane], now: datetime) -> None:
        """Tell what has come on record since the last time."""
        records = lanes[0].records
        for record in records[self._seen :]:
            self._one(record, now)
        self._seen = len(records)

    def minute(self, lanes: Sequence[Lane], day: TradingDay, row: int, now: datetime) -> None:
        """Tell what a minute brought, and now and then how everything stands."""
        self.since(lanes, now)
        if (row + 1) % LOOK_AROUND == 0:
            self.say(_standing(lanes[0], day, row), now)

    def say(self, text: str, now: datetime) -> None:
        """A line with its time in New York."""
        self._say(f"{now.astimezone(NEW_YORK):%H:%M:%S}  {text}")

    def matter(self, alert: Alert) -> None:
        """What a person should know now, said as well as sent."""
        self.say(f"{alert.title}: {alert.text}", alert.at)
        self._alert(alert)

    def trouble(self, error: Exception, now: datetime) -> None:
        """Something failed that the session gets over."""
        text = str(error) or type(error).__name__
        self.say(f"trouble: {text}", now)
        self._alert(
            Alert(
                kind="trouble",
                severity=Severity.WARNING,
                title="the session could not go on for a moment",
                text=f"{text}\nIt takes up the ledger and tries again.",
                at=now,
            )
        )

    def ended(self, error: Exception, now: datetime) -> None:
        """The session ends before its time."""
        text = str(error) or type(error).__name__
        self.say(f"the session has ended: {text}", now)
        self._alert(
            Alert(
                kind="trouble",
                severity=Severity.CRITICAL,
                title="the session has ended by an error",
                text=f"{text}\nPositions keep their stops and targets at the broker until the "
                "close; nobody closes them before. The same command goes on.",
                at=now,
            )
        )

    def close(
        self, lanes: Sequence[Lane], day: TradingDay, remarks: Sequence[str], now: datetime
    ) -> None:
        """The day in one alert; `remarks` are what else a person should know of it."""
        self.since(lanes, now)
        lane, account = lanes[0], lanes[0].desk.account[0]
        trades = [
            record
            for record in lane.records
            if isinstance(record, Trade) and record.exit_time.timestamp() >= day.session.open * 60
        ]
        made = float(account["equity"] - account["session_equity"])
        lines = [
            f"{len(trades)} trades, {_money(made)}; equity ${account['equity']:,.2f}; "
            f"{RISK_STATES[int(account['risk_state'])]}",
            *(f"{one.symbol} {one.setup} {_money(one.pnl)} ({one.exit_reason})" for one in trades),
        ]
        if held := _held(lane, day):
            lines.append(f"STILL HELD: {held}")
        self.say(f"the session is over: {lines[0]}", now)
        for remark in remarks:
            self.say(f"note: {remark}", now)
        lines += remarks
        self._alert(
            Alert(
                kind="summary",
                severity=Severity.CRITICAL if held else Severity.INFO,
                title=f"{day.session.date}: {_money(made)} in {len(trades)} trades"
                + (", and positions are left open" if held else ""),
                text="\n".join(lines),
                at=now,
            )
        )

    def _one(self, record: LedgerRecord, now: datetime) -> None:
        line, alert = _told(record)
        if line:
            self.say(line, now)
        if alert is not None:
            kind, severity = alert
            self._alert(
                Alert(kind=kind, severity=severity, title=line, text=_about(record), at=now)
            )


def _told(record: LedgerRecord) -> tuple[str, tuple[str, Severity] | None]:
    """The line of a record, and the kind and severity of its alert; empty for nothing."""
    match record:
        case Transition():
            return f"{record.symbol} {record.state}: {record.reason}, z {record.z:+.2f}", None
        case Decision():
            return _decided(record)
        case Fill():
            verb = "bought" if record.side > 0 else "sold"
            what = f"{verb} {record.quantity} {record.symbol} at {record.price:,.2f}"
            return f"{what} ({record.reason})", ("trade", Severity.INFO)
        case Trade():
            line = f"{record.symbol} {record.setup} closed: {_money(record.pnl)}"
            return f"{line} ({record.exit_reason})", ("trade", Severity.INFO)
        case OrderRejection():
            line = f"{record.quantity} {record.symbol}: {record.reason.replace('_', ' ')}"
            return line, ("order", Severity.WARNING)
        case RiskChange():
            severity = {
                RiskState.ACTIVE: Severity.INFO,
                RiskState.REDUCING: Severity.WARNING,
                RiskState.HALTED: Severity.CRITICAL,
            }[record.state]
            return f"{record.state}: {record.reason}", ("halt", severity)
        case Analysis() if record.status is Status.DEGRADED:
            at = new_york(record.as_of)[11:]
            line = f"the {at} analysis is degraded: {record.degraded_reason}"
            return line, ("degraded", Severity.WARNING)
        case Analysis():
            m = record.multipliers.as_tuple()
            scaled = ", ".join(f"{value:g}" for value in m)
            return f"analysis by {record.analyst}: multipliers {scaled}", None
    return "", None


def _decided(record: Decision) -> tuple[str, tuple[str, Severity] | None]:
    signal, verdict = record.signal, record.verdict
    line = f"signal: {'long' if signal.side > 0 else 'short'} {signal.symbol} ({signal.setup})"
    line += f" at {signal.price:,.2f}, stop {signal.stop:,.2f}, target {signal.target:,.2f}"
    if record.plan.quantity:
        line += f": {record.plan.quantity} shares"
    else:
        line += f": not taken, {record.plan.blocked_by.replace('_', ' ')}"
    if verdict is not None:
        line += f"; verdict {verdict.ruling}"
        if verdict.status is Status.DEGRADED:
            line += f", degraded: {verdict.degraded_reason}"
            return line, ("degraded", Severity.WARNING)
    return line, None


def _about(record: LedgerRecord) -> str:
    """What an alert says below its title."""
    if isinstance(record, Trade):
        return (
            f"{record.quantity} {record.symbol}, in at {record.entry_price:,.2f} "
            f"{new_york(record.entry_time)[11:]}, out at {record.exit_price:,.2f} "
            f"{new_york(record.exit_time)[11:]}"
        )
    if isinstance(record, RiskChange):
        told = (
            "" if record.state != RiskState.HALTED else " Only a person resumes (advisor resume)."
        )
        return f"equity ${record.equity:,.2f}.{told}"
    return ""


def _standing(lane: Lane, day: TradingDay, row: int) -> str:
    """How a lane stands after a minute."""
    account, parts = lane.desk.account[0], []
    for s, snapshot in enumerate(day.snapshots):
        slot = lane.desk.slots[s]
        state = "" if slot["state"] == IDLE else f" {STATES[int(slot['state'])].replace('_', ' ')}"
        z = day.grid.z[row, s]
        parts.append(f"{snapshot.symbol} z {z:+.2f}{state}" if z == z else f"{snapshot.symbol} –")
    made = float(account["equity"] - account["session_equity"])
    halted = " HALTED" if account["risk_state"] == HALTED else ""
    return f"equity ${account['equity']:,.2f} (today {_money(made)}){halted}; {', '.join(parts)}"


def _held(lane: Lane, day: TradingDay) -> str:
    """What a lane still holds."""
    rows = zip(day.snapshots, lane.desk.slots, strict=True)
    return ", ".join(
        f"{slot['side'] * slot['quantity']} {one.symbol}" for one, slot in rows if slot["quantity"]
    )


def _money(amount: float) -> str:
    return f"{'-' if amount < 0 else '+'}${abs(amount):,.2f}"
