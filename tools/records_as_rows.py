"""Records of the ledger as rows to cite: which facts each kind has, and under which id.

`side` is said as long or short; times are those of the bar (its start); a trade is in its lane by
the bar of its signal, because a symbol triggers at most once in a minute.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TypeVar

from quant_core.types import (
    Analysis,
    Check,
    DailyBias,
    Decision,
    Fill,
    LaneDay,
    Order,
    Trade,
    Transition,
)
from tools.evidence import Fact, Row, count, exact, facts, key, moment, real, text, usd, word

R = TypeVar("R")
SIDES = {1: "long", -1: "short", 0: "none"}
MINUTE = timedelta(minutes=1)


def as_rows(make: Callable[[str, R], Row], lane: str, records: Iterable[R]) -> list[Row]:
    """Rows of records, each id once: a key that comes again is numbered, so that it shows."""
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for record in records:
        row = make(lane, record)
        times = seen[row.id] = seen.get(row.id, 0) + 1
        again = {"id": f"{row.id}~{times}"} if times > 1 else {}
        rows.append(Row(**{**_fields(row), **again}))  # type: ignore[arg-type]
    return rows


def _fields(row: Row) -> dict[str, object]:
    return {name: getattr(row, name) for name in Row.__slots__}


def trade(lane: str, one: Trade) -> Row:
    """A closed trade; `r` is its profit in units of the risk at entry."""
    pnl = exact(one.pnl)
    risk = abs(exact(one.entry_price) - exact(one.stop)) * one.quantity
    held = int((one.exit_time - one.entry_time) / MINUTE)
    return Row(
        id=f"trade:{lane}:{one.symbol}:{key(one.signal_start)}",
        kind="trade",
        symbol=one.symbol,
        facts=facts(
            lane=word(lane),
            symbol=word(one.symbol),
            setup=word(one.setup),
            side=word(SIDES[one.side]),
            quantity=count(one.quantity),
            entry_time=moment(one.entry_time),
            entry_price=usd(one.entry_price),
            exit_time=moment(one.exit_time),
            exit_price=usd(one.exit_price),
            exit_reason=word(one.exit_reason),
            pnl=usd(one.pnl),
            fees=usd(one.fees),
            stop=usd(one.stop),
            target=usd(one.target),
            minutes_held=count(held),
            r=real(pnl / risk) if risk else None,
            outcome=word("won" if pnl > 0 else "lost" if pnl < 0 else "flat"),
        ),
    )


def signal(lane: str, one: Decision) -> Row:
    """A signal with what the validator and the risk checks made of it.

    `blocked_by` names the first check that refused it. For each check that refused or reduced it
    there are `NAME_before` and `NAME_after`: shares for a size cap, otherwise the measured value
    and the limit.
    """
    signal, plan, verdict = one.signal, one.plan, one.verdict
    found = facts(
        lane=word(lane),
        symbol=word(signal.symbol),
        setup=word(signal.setup),
        side=word(SIDES[signal.side]),
        time=moment(signal.start),
        price=usd(signal.price),
        stop=usd(signal.stop),
        target=usd(signal.target),
        z=real(signal.z),
        quantity=count(plan.quantity),
        outcome=word("ordered" if plan.quantity else "skipped"),
        blocked_by=word(plan.blocked_by) if plan.blocked_by else None,
    )
    for check in plan.checks:
        if check.outcome in ("block", "reduce"):
            found |= _check_facts(check)
    if verdict is not None:
        found |= facts(
            ruling=word(verdict.ruling),
            size_factor=real(verdict.size_factor),
            verdict_confidence=real(verdict.confidence),
            verdict_reasoning=text(verdict.reasoning),
            validator=word(verdict.validator),
            verdict_status=word(verdict.status),
            degraded_reason=text(verdict.degraded_reason),
        )
    return Row(
        id=f"signal:{lane}:{signal.symbol}:{key(signal.start)}",
        kind="signal",
        symbol=signal.symbol,
        facts=found,
    )


def _check_facts(check: Check) -> dict[str, Fact]:
    return facts(
        **{
            f"{check.name}_before": real(check.before),
            f"{check.name}_after": real(check.after),
            f"{check.name}_outcome": word(check.outcome),
        }
    )


def analysis(lane: str, one: Analysis) -> Row:
    """An analysis of the market, with the multipliers it asked for."""
    factors = zip(
        ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger"), one.multipliers.as_tuple(), strict=True
    )
    return Row(
        id=f"analysis:{lane}:{key(one.as_of)}",
        kind="analysis",
        facts=facts(
            lane=word(lane),
            time=moment(one.as_of),
            analyst=word(one.analyst),
            **{name: real(value) for name, value in factors},
            confidence=real(one.confidence),
            assessment=text(one.assessment),
            reasoning=text(one.reasoning),
            opportunities=text("; ".join(one.opportunities)),
            status=word(one.status),
            degraded_reason=text(one.degraded_reason),
        ),
    )


def bias(lane: str, one: DailyBias) -> Row:
    """What kind of day a symbol was expected to have, before the open."""
    return Row(
        id=f"bias:{lane}:{one.symbol}:{one.date:%Y%m%d}",
        kind="bias",
        symbol=one.symbol,
        facts=facts(
            symbol=word(one.symbol),
            date=Fact("date", one.date.isoformat()),
            time=moment(one.as_of),
            bias=word(one.bias),
            confidence=real(one.confidence),
            reasoning=text(one.reasoning),
            news_summary=text(one.news_summary),
            premarket_price=usd(one.premarket_price),
            analyst=word(one.analyst),
            status=word(one.status),
            degraded_reason=text(one.degraded_reason),
        ),
    )


def transition(lane: str, one: Transition) -> Row:
    """A symbol was armed, or went back to idle."""
    return Row(
        id=f"transition:{lane}:{one.symbol}:{key(one.start)}:{one.state}",
        kind="transition",
        symbol=one.symbol,
        facts=facts(
            lane=word(lane),
            symbol=word(one.symbol),
            time=moment(one.start),
            state=word(one.state),
            side=word(SIDES[one.side]),
            z=real(one.z),
            reason=word(one.reason),
        ),
    )


def day(lane: str, one: LaneDay) -> Row:
    """A lane's account over one session."""
    change = exact(one.end_equity) - exact(one.start_equity)
    return Row(
        id=f"day:{lane}:{one.date:%Y%m%d}",
        kind="day",
        facts=facts(
            lane=word(lane),
            date=Fact("date", one.date.isoformat()),
            start_equity=usd(one.start_equity),
            end_equity=usd(one.end_equity),
            change=usd(change),
            trades=count(one.trades),
            signals=count(one.signals),
            risk_state=word(one.risk_state),
        ),
    )


def position(lane: str, fills: Sequence[Fill], order: Order | None) -> Row:
    """An open position from the fills since it was opened, and its bracket where known."""
    entries = [one for one in fills if one.reason == "entry"]
    bought = sum(one.quantity for one in entries)
    left = abs(sum(one.side * one.quantity for one in fills))
    paid = sum((exact(one.price) * one.quantity for one in entries), exact(0.0))
    first = entries[0]
    return Row(
        id=f"position:{lane}:{first.symbol}:{key(first.start)}",
        kind="position",
        symbol=first.symbol,
        facts=facts(
            lane=word(lane),
            symbol=word(first.symbol),
            side=word(SIDES[first.side]),
            quantity=count(left),
            entry_time=moment(first.start),
            entry_price=usd(paid / bought),
            stop=usd(order.stop) if order else None,
            target=usd(order.target) if order else None,
        ),
    )
