"""The account of a lane inside its open session: positions, equity, and what scales its thresholds.

Rebuilt from fills and closes, as `quant_core.equity` does it, because the ledger keeps neither. The
playbook is flat at the end of every session, so the fills since the last `LaneDay` say it all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

import msgspec
import numpy as np

from advisor.api import rows, schemas
from advisor.api.view import LedgerView, Scope
from quant_core.calendar import NEW_YORK, to_datetime
from quant_core.parameters import RiskLimits, StdevParameters
from quant_core.types import CycleRecord, Fill, Order, RiskState
from tools.store import codec
from tools.store.paging import Entry, Place, Span

_CLOSE = time(16)
_THRESHOLDS = ("mr_arm_z", "mr_trigger_z", "tc_arm_z", "tc_trigger_z")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRules:
    """The numbers a run was made with that its account is explained by; defaults where silent."""

    start_equity: float
    interval: int
    latency: int
    expiry: int
    loss_limit: float
    loss_limit_percent: float
    thresholds: dict[str, float]

    @classmethod
    def of(cls, place: Place) -> "RunRules":
        """From the settings kept with a run."""
        kept: dict[str, Any] = msgspec.json.decode(place.run.config_json)
        analysis, stdev = kept.get("analysis") or {}, kept.get("stdev") or {}
        risk, limits, defaults = kept.get("risk") or {}, RiskLimits(), StdevParameters()
        return cls(
            start_equity=float((kept.get("account") or {}).get("start_equity", 100_000.0)),
            interval=int(analysis.get("interval_minutes", 15)),
            latency=int(analysis.get("latency_bars", 1)),
            expiry=int(analysis.get("expiry_intervals", 2)),
            loss_limit=float(risk.get("max_daily_loss", limits.max_daily_loss)),
            loss_limit_percent=float(
                risk.get("max_daily_loss_percent", limits.max_daily_loss_percent)
            ),
            thresholds={
                name: float(stdev.get(name, getattr(defaults, name))) for name in _THRESHOLDS
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A lane's account at a moment; `latest` are the newest minute rows by symbol."""

    equity: float
    at_open: float
    session_over: bool
    positions: list[schemas.Position]
    latest: dict[str, CycleRecord]

    @property
    def now(self) -> datetime | None:
        """The end of the newest minute."""
        starts = [row.start for row in self.latest.values()]
        return max(starts) + timedelta(minutes=1) if starts else None


def account_of(view: LedgerView, scope: Scope, rules: RunRules) -> Account:
    """The account as it stood at the scope's moment."""
    pages, place, as_of = view.pages, scope.place, scope.as_of
    days = view.sums.days(place, as_of=as_of)
    last = days[-1] if days else None
    span = view.sums.span(place, None, None, as_of=as_of)
    span = Span(last.seq if last else 0, span.through)
    fills = [e.record for e in pages.following(codec.FILLS, place, as_of=as_of, span=span)]
    orders = [e.record for e in pages.following(codec.ORDERS, place, as_of=as_of, span=span)]
    latest = {row.symbol: row for row in pages.latest(place, as_of=as_of).records()}
    start = last.record.end_equity if last else rules.start_equity
    positions = [
        position
        for symbol in dict.fromkeys(fill.symbol for fill in fills)
        if (position := _position(symbol, fills, orders, latest.get(symbol)))
    ]
    cash = sum(-fill.side * fill.quantity * fill.price - fill.fees for fill in fills)
    held = sum(
        (1 if one.side == "long" else -1) * one.quantity * (one.last_price or one.entry_price or 0)
        for one in positions
    )
    newest = max((row.start for row in latest.values()), default=None)
    over = last is not None and (newest is None or last.at > newest)
    at_open = last.record.start_equity if last is not None and over else start
    return Account(
        equity=start + cash + held, at_open=at_open, session_over=over, positions=positions,
        latest=latest,
    )  # fmt: skip


def _position(
    symbol: str, fills: Sequence[Fill], orders: Sequence[Order], last: CycleRecord | None
) -> schemas.Position | None:
    """What is held of a symbol after its fills; None when nothing is."""
    held, cost, opened = 0, 0.0, None
    for fill in (one for one in fills if one.symbol == symbol):
        if held == 0:
            cost, opened = 0.0, fill.start
        before = held
        held += fill.side * fill.quantity
        if before * fill.side >= 0:
            cost += fill.quantity * fill.price
        else:
            cost *= abs(held / before)
    if held == 0 or opened is None:
        return None
    entry = cost / abs(held)
    order = next((one for one in reversed(orders) if one.symbol == symbol), None)
    return schemas.Position(
        symbol=symbol,
        side="long" if held > 0 else "short",
        quantity=abs(held),
        entry_time=opened,
        entry_price=entry,
        last_time=last.start if last else None,
        last_price=rows.number(last.close) if last else None,
        unrealised_pnl=rows.number(held * (last.close - entry)) if last else None,
        stop=rows.number(order.stop) if order else None,
        target=rows.number(order.target) if order else None,
    )


def risk_state(view: LedgerView, scope: Scope) -> RiskState:
    """The state the account was in; ACTIVE until it was ever changed."""
    found = view.pages.newest(codec.RISK_CHANGES, scope.place, as_of=scope.as_of, limit=1)
    return found[0].record.state if found else RiskState.ACTIVE


def in_force(
    newest: Entry[Any] | None, now: datetime | None, account: Account, rules: RunRules
) -> schemas.MultipliersInForce:
    """The multipliers that scale the minute after `now`, as `advisor.cycle` applies them.

    An analysis counts from `latency` bars after the last one it saw until `expiry` intervals have
    passed, inside its session; beyond half the daily loss limit an arm below one counts as one.
    """
    none = schemas.MultipliersInForce(
        factors=schemas.Multipliers(), reason="none", analysis=None, until=None
    )
    if newest is None or now is None or account.session_over:
        return none
    seen = newest.record.as_of
    if seen.astimezone(NEW_YORK).date() != now.astimezone(NEW_YORK).date():
        return none
    in_time = seen + timedelta(minutes=rules.latency - 1)
    begin = newest.record.applies_from or in_time
    until = seen + timedelta(minutes=rules.expiry * rules.interval)
    if now < begin:
        return none
    if now >= until:
        return none.model_copy(update={"reason": "expired"})
    factors, reason = rows.multipliers(newest.record.multipliers), "analysis"
    limit = min(rules.loss_limit, rules.loss_limit_percent / 100.0 * account.at_open)
    if account.at_open - account.equity > limit / 2.0 and min(factors.mr_arm, factors.tc_arm) < 1:
        factors = factors.model_copy(
            update={"mr_arm": max(factors.mr_arm, 1.0), "tc_arm": max(factors.tc_arm, 1.0)}
        )
        reason = "tightened"
    return schemas.MultipliersInForce(
        factors=factors, reason=reason, analysis=newest.seq, until=until
    )


def next_analysis(newest: Entry[Any] | None, account: Account, rules: RunRules) -> datetime | None:
    """When the next analysis is due; None without an analyst and after the session."""
    if newest is None or account.session_over:
        return None
    due: datetime = newest.record.as_of + timedelta(minutes=rules.interval)
    return due if due.astimezone(NEW_YORK).time() < _CLOSE else None


def drawdowns(equity: np.ndarray) -> np.ndarray:
    """Fall from the highest value before, as a fraction ≤ 0; shape kept."""
    peaks = np.maximum.accumulate(equity)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(peaks > 0, equity / peaks - 1.0, np.nan)


def points(
    start: float, times: Sequence[datetime], equity: np.ndarray
) -> list[schemas.EquityPoint]:
    """An equity curve with its drawdown; `start` is the equity it began with."""
    falls = drawdowns(np.r_[start, equity])[1:]
    return [
        schemas.EquityPoint(
            time=at, equity=rows.number(float(value)), drawdown=rows.number(float(fall))
        )
        for at, value, fall in zip(times, equity, falls, strict=True)
    ]


def minute_times(cycles: np.ndarray) -> list[datetime]:
    """The ends of minutes: when their equity was known."""
    return [to_datetime(int(minute) + 1) for minute in cycles]
