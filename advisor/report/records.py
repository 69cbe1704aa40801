"""A lane's records as rows of plain values: what the page lists, marks, filters and explains.

Texts and risk checks are kept once for all lanes and referred to by position. Times are minutes
since the epoch. The order of a row's values is read by `assets/js/model.js`, field by field.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.report.packing import Texts, number
from advisor.results import LaneResult
from quant_core.calendar import to_minute
from quant_core.cycles import STATES
from quant_core.types import Analysis, Check, Decision, Setup, Status, Trade, Verdict

Row = list[Any]
OUTCOMES = ("pass", "reduce", "block", "not_applicable")
_SETUPS = tuple(Setup)


class Shared:
    """What the rows of all lanes refer to: texts, and lines of risk decisions."""

    def __init__(self, symbols: Sequence[str]) -> None:
        """Empty tables for these symbols."""
        self.texts = Texts()
        self._symbols = {symbol: position for position, symbol in enumerate(symbols)}
        self._checks: dict[tuple[Any, ...], int] = {}

    def symbol(self, name: str) -> int:
        """The position of a symbol; -1 for one that is not on the watchlist."""
        return self._symbols.get(name, -1)

    def check(self, check: Check) -> int:
        """The position of a line of a risk decision."""
        row = (
            self.texts.add(check.name),
            number(check.before),
            number(check.after),
            OUTCOMES.index(check.outcome),
        )
        return self._checks.setdefault(row, len(self._checks))

    def checks(self) -> list[Row]:
        """All lines: [name, before, after, outcome]."""
        return [list(row) for row in self._checks]


def lane_records(lane: LaneResult, shared: Shared) -> Mapping[str, list[Row]]:
    """Every record of a lane, by kind, in the order in which things happened."""
    text, symbol = shared.texts.add, shared.symbol
    return {
        "analyses": [_analysis(analysis, shared) for analysis in lane.analyses],
        "transitions": [
            [to_minute(t.start), symbol(t.symbol), STATES.index(t.state), t.side, number(t.z, 6),
             text(t.reason)]
            for t in lane.transitions
        ],
        "signals": [_decision(decision, shared) for decision in lane.decisions],
        "fills": [
            [to_minute(f.start), symbol(f.symbol), f.side, f.quantity, number(f.price),
             number(f.fees), text(f.reason)]
            for f in lane.fills
        ],
        "refusals": [
            [to_minute(r.start), symbol(r.symbol), r.quantity, text(r.reason)]
            for r in lane.order_rejections
        ],
        "trades": [_trade(trade, shared) for trade in lane.trades],
        "risk": [
            [to_minute(c.start), text(c.state), text(c.reason), number(c.equity)]
            for c in lane.risk_changes
        ],
    }  # fmt: skip


def _analysis(analysis: Analysis, shared: Shared) -> Row:
    text = shared.texts.add
    return [
        to_minute(analysis.as_of),
        text(analysis.analyst),
        number(analysis.confidence, 6),
        int(analysis.status is Status.DEGRADED),
        text(analysis.degraded_reason),
        [number(factor, 6) for factor in analysis.multipliers.as_tuple()],
        text(analysis.assessment),
        [text(opportunity) for opportunity in analysis.opportunities],
        text(analysis.reasoning),
        [text(evidence) for evidence in analysis.evidence],
    ]


def _decision(decision: Decision, shared: Shared) -> Row:
    signal, plan = decision.signal, decision.plan
    return [
        to_minute(signal.start),
        shared.symbol(signal.symbol),
        _SETUPS.index(signal.setup),
        signal.side,
        number(signal.price),
        number(signal.stop),
        number(signal.target),
        number(signal.z, 6),
        plan.quantity,
        shared.texts.add(plan.blocked_by) if plan.blocked_by else -1,
        _verdict(decision.verdict, shared) if decision.verdict else 0,
        [shared.check(check) for check in plan.checks],
    ]


def _verdict(verdict: Verdict, shared: Shared) -> Row:
    text = shared.texts.add
    return [
        text(verdict.ruling),
        number(verdict.size_factor, 6),
        number(verdict.confidence, 6),
        text(verdict.reasoning),
        [text(evidence) for evidence in verdict.evidence],
        text(verdict.validator),
        int(verdict.status is Status.DEGRADED),
        text(verdict.degraded_reason),
    ]


def _trade(trade: Trade, shared: Shared) -> Row:
    return [
        to_minute(trade.entry_time),
        shared.symbol(trade.symbol),
        to_minute(trade.exit_time),
        _SETUPS.index(trade.setup),
        trade.side,
        trade.quantity,
        number(trade.entry_price),
        number(trade.exit_price),
        shared.texts.add(trade.exit_reason),
        number(trade.pnl),
        number(trade.fees),
        number(trade.stop),
        number(trade.target),
        to_minute(trade.signal_start),
    ]
