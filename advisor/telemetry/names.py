"""Every metric there is: name, kind, meaning, labels, and where its value comes from.

One place, so that alert rules, dashboards and code cannot use a name that nobody serves; a test
compares them. Values of `ledger` are computed from the ledger when Prometheus asks, and so are
right whichever process wrote it; those of `process` and `api` are counted where they happen.
"""

from dataclasses import dataclass
from typing import Literal

_CALLS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_CYCLES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0, 5.0, 15.0, 60.0)
_DELAYS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
_ANSWERS = (0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 120.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric as Prometheus sees it; `buckets` are a histogram's, in seconds."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()
    home: Literal["process", "ledger", "api"] = "process"
    buckets: tuple[float, ...] = ()

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which its samples are served."""
        if self.kind != "histogram":
            return (self.name,)
        return tuple(f"{self.name}{suffix}" for suffix in ("_bucket", "_sum", "_count"))


def _process(name: str, kind: Literal["counter", "gauge"], meaning: str, *labels: str) -> Metric:
    return Metric(name, kind, meaning, labels)


def _timed(
    name: str, meaning: str, buckets: tuple[float, ...], *labels: str,
    home: Literal["process", "api"] = "process",
) -> Metric:  # fmt: skip
    return Metric(name, "histogram", meaning, labels, home, buckets)


def _kept(name: str, kind: Literal["counter", "gauge"], meaning: str, *labels: str) -> Metric:
    return Metric(name, kind, meaning, labels, "ledger")


METRICS = (
    _process("advisor_events_processed_total", "counter", "Bars and records processed.", "kind"),
    _process("advisor_failures_total", "counter", "Failures by part and type.", "part", "kind"),
    _process("advisor_feed_lag_seconds", "gauge", "Age of a symbol's newest closed bar.", "symbol"),
    _process("advisor_queue_depth", "gauge", "What waits in a queue of this process.", "queue"),
    _process("advisor_last_cycle_timestamp_seconds", "gauge", "When a cycle last ended.", "lane"),
    _timed("advisor_cycle_seconds", "Time of one cycle, commit included.", _CYCLES, "lane"),
    _timed(
        "advisor_bar_to_decision_seconds", "From a bar's close to its committed decision.",
        _DELAYS, "lane",
    ),
    _timed("advisor_analysis_seconds", "Time of a market analysis.", _ANSWERS, "lane"),
    _timed("advisor_validation_seconds", "Time of a verdict on a signal.", _ANSWERS, "lane"),
    _timed("advisor_broker_call_seconds", "Time of a call to the broker.", _CALLS, "call"),
    _timed("advisor_commit_seconds", "Time of a transaction of the ledger.", _CALLS, "lane"),
    _kept("advisor_ledger_readable", "gauge", "1 when the ledger could be read for this scrape."),
    _kept("advisor_market_open", "gauge", "1 while the exchange is in regular session."),
    _kept("advisor_run_info", "gauge", "The newest run; always 1.", "run", "kind", "status"),
    _kept(
        "advisor_ledger_last_minute_timestamp_seconds", "gauge",
        "End of the newest minute on record.", "lane",
    ),
    _kept("advisor_ledger_records", "gauge", "Records in the chain of a lane.", "lane"),
    _kept("advisor_signals_total", "counter", "Signals of the run.", "lane", "setup"),
    _kept(
        "advisor_risk_decisions_total", "counter",
        "What became of signals: ordered, or the check that blocked.", "lane", "outcome",
    ),
    _kept("advisor_verdicts_total", "counter", "Verdicts by ruling.", "lane", "ruling"),
    _kept("advisor_analyses_total", "counter", "Market analyses by status.", "lane", "status"),
    _kept(
        "advisor_degraded_seconds_total", "counter",
        "Market time without advice: an interval for each DEGRADED analysis.", "lane",
    ),
    _kept(
        "advisor_model_confidence_percent", "gauge",
        "Confidence of the newest opinion that is not DEGRADED.", "lane", "opinion",
    ),
    _kept(
        "advisor_model_calls_total", "counter", "Questions to models.", "lane", "model", "outcome"
    ),
    _kept(
        "advisor_model_tokens_total", "counter", "Tokens of all questions.",
        "lane", "model", "direction",
    ),
    _kept("advisor_model_cost_usd_total", "counter", "What models cost.", "lane", "model"),
    _kept(
        "advisor_model_latency_seconds_total", "counter", "Seconds from questions to outcomes.",
        "lane", "model",
    ),
    _kept("advisor_model_budget_usd", "gauge", "What models may cost in a New York day."),
    _kept(
        "advisor_multiplier", "gauge", "Factor in force on a threshold.", "lane", "threshold"
    ),
    _kept("advisor_positions", "gauge", "Open positions.", "lane"),
    _kept("advisor_exposure_usd", "gauge", "Market value of open positions.", "lane"),
    _kept("advisor_equity_usd", "gauge", "Equity at the newest minute.", "lane"),
    _kept("advisor_daily_pnl_usd", "gauge", "Profit of the newest session so far.", "lane"),
    _kept("advisor_daily_loss_limit_usd", "gauge", "Loss that ends entries for a day.", "lane"),
    _kept("advisor_risk_state", "gauge", "1 for the state the account is in.", "lane", "state"),
    _kept(
        "advisor_trades_total", "counter", "Closed trades.", "lane", "setup", "result"
    ),
    _kept(
        "advisor_trade_pnl_usd", "gauge", "Profit of closed trades, after fees.", "lane", "setup"
    ),
    _kept("advisor_fees_usd_total", "counter", "Fees of closed trades.", "lane"),
    _kept(
        "advisor_slippage_bps", "gauge",
        "Cost of the newest session's entries against the price decided on, by shares.", "lane",
    ),
    _kept(
        "advisor_reconciliation_breaks_total", "counter",
        "Times that ledger and broker disagreed.", "lane",
    ),
    _kept("advisor_outbox_orders", "gauge", "Orders that are not over, by state.", "lane", "state"),
    Metric(
        "advisor_api_requests_total", "counter", "Requests answered.",
        ("method", "route", "status"), "api",
    ),
    _timed(
        "advisor_api_request_seconds", "Time to the first byte of the answer.", _CALLS, "route",
        home="api",
    ),
    Metric(
        "advisor_api_refused_total", "counter", "Requests refused before they were handled.",
        ("reason",), "api",
    ),
    Metric("advisor_api_streams", "gauge", "Event streams that are open.", (), "api"),
)  # fmt: skip
BY_NAME = {metric.name: metric for metric in METRICS}
SERIES = frozenset(series for metric in METRICS for series in metric.series)
