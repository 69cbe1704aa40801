"""Metrics of the ledger's newest run, computed when they are asked for.

Whichever process wrote it, and however often that one was started, the values are those of the
record. Closed sessions are summed once and kept (`advisor.api.sums`); a scrape reads the open one.
A ledger that cannot be read is a value too: `advisor_ledger_readable` 0, and nothing of a run.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from advisor.api.account import RunRules, account_of, in_force, risk_state
from advisor.api.problems import ProblemError
from advisor.api.sums import Fold, SessionSums
from advisor.api.view import LedgerView, Scope
from advisor.hold_reasons import DISAGREE
from advisor.telemetry.names import BY_NAME
from quant_core.calendar import NEW_YORK, to_minute, xnys
from quant_core.types import Fill, Order, RiskState, Status
from tools.errors import AdvisorError, NoData
from tools.llm import BudgetLimits
from tools.store import codec
from tools.store.paging import Place, Span

Family = CounterMetricFamily | GaugeMetricFamily
Sums = dict[Any, float]  # by what is counted: a word, or several
_BASIS = 1e4
_COUNTED = {
    "setup": "advisor_signals_total",
    "outcome": "advisor_risk_decisions_total",
    "ruling": "advisor_verdicts_total",
}


class LedgerCollector(Collector):
    """The ledger's metrics, for a registry."""

    def __init__(self, view: LedgerView) -> None:
        """Over a ledger that stays the caller's to close."""
        self._view, self._sums = view, _Sums(view.pages)

    def describe(self) -> Iterator[Family]:
        """Every family, empty, so that registering reads nothing."""
        return iter(_Families().all())

    def collect(self) -> Iterator[Family]:
        """Every family with the values of now."""
        found = _Families()
        try:
            self._run(found)
        except NoData:
            found.set("advisor_ledger_readable", 1)
        except (AdvisorError, ProblemError):
            found = _Families()
            found.set("advisor_ledger_readable", 0)
        else:
            found.set("advisor_ledger_readable", 1)
        found.set("advisor_market_open", int(market_is_open(datetime.now(UTC))))
        return iter(found.all())

    def _run(self, found: "_Families") -> None:
        place = self._view.pages.place()
        found.set("advisor_run_info", 1, place.run.run_id, place.run.kind, place.run.status)
        rules = msgspec.json.decode(place.run.config_json).get("llm_budget") or {}
        budget = rules.get("usd_per_day", BudgetLimits().usd_per_day)
        found.set("advisor_model_budget_usd", float(budget))
        for lane, one in place.lanes.items():
            scope = self._view.scope_of(place, lane, None)
            self._calls(found, scope, lane)
            if one.symbols:
                self._lane(found, scope, lane)
        for lane, state, count in self._view.pages.unfinished_orders(place):
            found.set("advisor_outbox_orders", count, lane, state.value)

    def _lane(self, found: "_Families", scope: Scope, lane: str) -> None:
        place, rules = scope.place, RunRules.of(scope.place)
        found.set("advisor_ledger_records", place.head, lane)
        self._account(found, scope, rules, lane)
        self._decisions(found, scope, lane)
        self._analyses(found, scope, rules, lane)
        self._trades(found, scope, lane)
        breaks = self._sums.total(_RISK, place, as_of=scope.as_of)
        found.set("advisor_reconciliation_breaks_total", breaks["breaks"], lane)
        state = risk_state(self._view, scope)
        for one in RiskState:
            found.set("advisor_risk_state", int(one is state), lane, one.value)

    def _account(self, found: "_Families", scope: Scope, rules: RunRules, lane: str) -> None:
        account = account_of(self._view, scope, rules)
        held = [
            one.quantity * (one.last_price or one.entry_price or 0.0) for one in account.positions
        ]
        found.set("advisor_positions", len(held), lane)
        found.set("advisor_exposure_usd", sum(held), lane)
        found.set("advisor_equity_usd", account.equity, lane)
        found.set("advisor_daily_pnl_usd", account.equity - account.at_open, lane)
        limit = min(rules.loss_limit, rules.loss_limit_percent / 100.0 * account.at_open)
        found.set("advisor_daily_loss_limit_usd", limit, lane)
        if account.now is not None:
            newest = account.now.timestamp()
            found.set("advisor_ledger_last_minute_timestamp_seconds", newest, lane)
        analyses = self._view.pages.newest(codec.ANALYSES, scope.place, as_of=scope.as_of, limit=1)
        force = in_force(analyses[0] if analyses else None, account.now, account, rules)
        for name, factor in force.factors.model_dump().items():
            found.set("advisor_multiplier", factor, lane, name)
        if (cost := self._slippage(scope)) is not None:
            found.set("advisor_slippage_bps", cost, lane)

    def _slippage(self, scope: Scope) -> float | None:
        """What the newest session's entries cost beyond the price decided on; None without any."""
        days = self._sums.days(scope.place, as_of=scope.as_of)
        for last in (days[-1:], days[-2:-1]):  # the open session, or the one that closed last
            span = Span(last[0].seq if last else 0)
            reads = self._view.pages.following
            fills = reads(codec.FILLS, scope.place, as_of=scope.as_of, span=span)
            if fills:
                asked = reads(codec.ORDERS, scope.place, as_of=scope.as_of, span=span)
                return slippage([one.record for one in asked], [one.record for one in fills])
        return None

    def _decisions(self, found: "_Families", scope: Scope, lane: str) -> None:
        total = self._sums.total(_DECISIONS, scope.place, as_of=scope.as_of)
        for (kind, name), count in sorted(total.items()):
            found.set(_COUNTED[kind], count, lane, name)

    def _analyses(self, found: "_Families", scope: Scope, rules: RunRules, lane: str) -> None:
        total = self._sums.total(_ANALYSES, scope.place, as_of=scope.as_of)
        for status in Status:
            found.set("advisor_analyses_total", total[status.value], lane, status.value)
        lost = total[Status.DEGRADED.value] * rules.interval * 60
        found.set("advisor_degraded_seconds_total", lost, lane)
        pages, place, as_of = self._view.pages, scope.place, scope.as_of
        analysis = pages.newest(
            codec.ANALYSES, place, as_of=as_of, limit=1, where={"status": Status.OK}
        )
        if analysis:
            confidence = analysis[0].record.confidence
            found.set("advisor_model_confidence_percent", confidence, lane, "analysis")
        decided = pages.newest(
            codec.DECISIONS, place, as_of=as_of, limit=1, where={"verdict_status": Status.OK}
        )
        verdict = decided[0].record.verdict if decided else None
        if verdict is not None:
            found.set("advisor_model_confidence_percent", verdict.confidence, lane, "verdict")

    def _trades(self, found: "_Families", scope: Scope, lane: str) -> None:
        total = self._sums.total(_TRADES, scope.place, as_of=scope.as_of)
        for (kind, name), value in sorted(total.items()):
            if kind == "pnl":
                found.set("advisor_trade_pnl_usd", value, lane, name)
            elif kind == "fees":
                found.set("advisor_fees_usd_total", value, lane)
            else:
                found.set("advisor_trades_total", value, lane, name, kind)

    def _calls(self, found: "_Families", scope: Scope, lane: str) -> None:
        total = self._sums.total(_CALLS, scope.place, as_of=scope.as_of)
        for (kind, model, detail), value in sorted(total.items()):
            if kind == "calls":
                found.set("advisor_model_calls_total", value, lane, model, detail)
            elif kind == "tokens":
                found.set("advisor_model_tokens_total", value, lane, model, detail)
            elif kind == "usd":
                found.set("advisor_model_cost_usd_total", value, lane, model)
            else:
                found.set("advisor_model_latency_seconds_total", value, lane, model)


class _Families:
    """The families of one scrape."""

    def __init__(self) -> None:
        self._by_name: dict[str, Family] = {}
        for metric in BY_NAME.values():
            if metric.home == "ledger":
                kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                self._by_name[metric.name] = kind(metric.name, metric.meaning, labels=metric.labels)

    def set(self, name: str, value: float, *labels: str) -> None:
        self._by_name[name].add_metric(list(labels), float(value))

    def all(self) -> Sequence[Family]:
        return list(self._by_name.values())


class _Sums(SessionSums):
    """Sums over whole lanes, the value of each closed session kept."""

    def total(self, fold: Fold[Sums], place: Place, *, as_of: datetime) -> Sums:
        _, values, rest = self._folded(place, fold, as_of)
        found: Sums = defaultdict(float)
        for value in (*values, rest):
            for key, amount in value.items():
                found[key] += amount
        return found


def slippage(asked: Sequence[Order], fills: Sequence[Fill]) -> float | None:
    """Mean cost of entries in basis points of the price decided on, weighted by shares.

    Positive is worse for us. None when no entry filled.
    """
    cost, shares = 0.0, 0
    for fill in fills:
        if fill.reason != "entry":
            continue
        order = next(
            (o for o in reversed(asked) if o.symbol == fill.symbol and o.decided_at <= fill.start),
            None,
        )
        if order is not None and order.reference > 0:
            paid = fill.side * (fill.price - order.reference) / order.reference
            cost += paid * fill.quantity
            shares += fill.quantity
    return cost / shares * _BASIS if shares else None


def market_is_open(now: datetime) -> bool:
    """Whether the exchange is in regular session; half-days and clock changes are in it."""
    day = now.astimezone(NEW_YORK).date()
    session = xnys(day.year, day.year).on(day)
    return session is not None and session.open <= to_minute(now) < session.close


def _decision_counts(rows: Sequence[Any]) -> Sums:
    found: Sums = defaultdict(float)
    for _, setup, ruling, blocked_by, quantity in rows:
        found["setup", str(setup)] += 1
        found["outcome", "ordered" if int(quantity) else str(blocked_by)] += 1
        if ruling is not None:
            found["ruling", str(ruling)] += 1
    return found


def _trade_sums(rows: Sequence[Any]) -> Sums:
    found: Sums = defaultdict(float)
    for _, setup, pnl, fees in rows:
        money = float(pnl)
        found["win" if money > 0 else "loss" if money < 0 else "even", str(setup)] += 1
        found["pnl", str(setup)] += money
        found["fees", ""] += float(fees)
    return found


def _call_sums(rows: Sequence[Any]) -> Sums:
    found: Sums = defaultdict(float)
    for _, model, outcome, cost, tokens_in, tokens_out, latency in rows:
        model = str(model) or "none"
        found["calls", model, str(outcome)] += 1
        found["usd", model, ""] += float(cost)
        found["tokens", model, "in"] += int(tokens_in)
        found["tokens", model, "out"] += int(tokens_out)
        found["seconds", model, ""] += float(latency or 0.0)
    return found


def _breaks(rows: Sequence[Any]) -> Sums:
    return {"breaks": sum(str(reason).startswith(DISAGREE) for _, reason in rows)}


def _status_counts(rows: Sequence[Any]) -> Sums:
    return dict(Counter(str(status) for _, status in rows))


_DECISIONS = Fold(codec.DECISIONS, ("setup", "ruling", "blocked_by", "quantity"), _decision_counts)
_TRADES = Fold(codec.TRADES, ("setup", "pnl", "fees"), _trade_sums)
_CALLS = Fold(
    codec.LLM_CALLS,
    ("model", "outcome", "cost_usd", "tokens_in", "tokens_out", "latency"),
    _call_sums,
)
_RISK = Fold(codec.RISK_CHANGES, ("reason",), _breaks)
_ANALYSES = Fold(codec.ANALYSES, ("status",), _status_counts)
