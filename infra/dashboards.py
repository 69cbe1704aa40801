"""The five Grafana dashboards, written as JSON models: `python -m infra.dashboards`.

The files in `infra/grafana/dashboards` are what this module writes (a test
compares them), so a change is made here and reviewed as a question, not as coordinates.
"""

import json
from pathlib import Path

from infra.grafana_model import Dashboard, Panel, model

FOLDER = Path(__file__).parent / "grafana" / "dashboards"
_LANE = '{lane=~"$lane"}'


def _q(expression: str, legend: str = "{{lane}}") -> tuple[tuple[str, str], ...]:
    return ((expression, legend),)


def _ledger(metric: str, *by: str) -> str:
    """A figure of the ledger, once, however many processes serve it."""
    return f"max by ({', '.join(('lane', *by))}) ({metric}{_LANE})"


def _quantiles(metric: str, select: str = "") -> tuple[tuple[str, str], ...]:
    rate = f"sum by (le) (rate({metric}_bucket{select}[$__rate_interval]))"
    return tuple(
        (f"histogram_quantile({q}, {rate})", f"{round(q * 100)} %") for q in (0.5, 0.95, 0.99)
    )


def _less(other: str) -> str:
    """The advised lane's equity less another's."""
    return f'max(advisor_equity_usd{{lane="advised"}}) - max(advisor_equity_usd{{lane="{other}"}})'


_OPEN = (("0", "closed", "text"), ("1", "open", "green"))
_YES_NO = (("0", "no", "red"), ("1", "yes", "green"))

PIPELINE = Dashboard(
    "advisor-pipeline", "Advisor · Pipeline",
    (
        (
            Panel("Market", _q("max(advisor_market_open)", ""), form="stat", mapping=_OPEN),
            Panel("Ledger readable", _q("min(advisor_ledger_readable)", ""), form="stat",
                  mapping=_YES_NO),
            Panel("Since the newest minute", _q(
                "time() - max(advisor_ledger_last_minute_timestamp_seconds{lane=\"advised\"})", ""
            ), "s", "stat"),
            Panel("Run", _q("max by (run, kind, status) (advisor_run_info)",
                            "{{kind}} {{run}}, {{status}}"), form="stat"),
        ),
        (
            Panel("From a bar's close to its committed decision",
                  _quantiles("advisor_bar_to_decision_seconds", '{lane="advised"}'), "s",
                  limit=30.0),
            Panel("Time of a cycle", _quantiles("advisor_cycle_seconds", _LANE), "s", limit=10.0),
        ),
        (
            Panel("Age of the newest bar",
                  _q("max by (symbol) (advisor_feed_lag_seconds)", "{{symbol}}"), "s", limit=120.0),
            Panel("Processed a second", _q(
                "sum by (kind) (rate(advisor_events_processed_total[$__rate_interval]))",
                "{{kind}}"), "ops"),
        ),
        (
            Panel("Failures in five minutes, by part and kind", _q(
                "sum by (part, kind) (increase(advisor_failures_total[5m]))",
                "{{part}}: {{kind}}"), stacked=True),
            Panel("Time of a transaction", _quantiles("advisor_commit_seconds", _LANE), "s"),
            Panel("Waiting in queues",
                  _q("max by (queue) (advisor_queue_depth)", "{{queue}}")),
        ),
        (
            Panel("Calls to the broker, 95 %", _q(
                "histogram_quantile(0.95, sum by (le, call) "
                "(rate(advisor_broker_call_seconds_bucket[$__rate_interval])))", "{{call}}"), "s"),
            Panel("API: requests a second", _q(
                "sum by (status) (rate(advisor_api_requests_total[$__rate_interval]))",
                "{{status}}"), "reqps", stacked=True),
            Panel("API: time to the first byte", _quantiles("advisor_api_request_seconds"), "s"),
        ),
    ),
)  # fmt: skip

RISK = Dashboard(
    "advisor-risk", "Advisor · Risk",
    (
        (
            Panel("State of the account", _q(
                f"max by (lane, state) (advisor_risk_state{_LANE}) == 1", "{{lane}}: {{state}}"
            ), form="stat"),
            Panel("Of the day's loss limit", _q(
                'advisor:daily_loss_used{lane=~"$lane"}'), "percentunit", "stat"),
            Panel("Open positions", _q(_ledger("advisor_positions")), form="stat"),
            Panel("Ledger and broker disagreed", _q(
                _ledger("advisor_reconciliation_breaks_total")), form="stat"),
        ),
        (
            Panel("Profit of the session", _q(_ledger("advisor_daily_pnl_usd")), "currencyUSD"),
            Panel("Market value of open positions", _q(_ledger("advisor_exposure_usd")),
                  "currencyUSD"),
        ),
        (
            Panel("What became of signals", _q(
                _ledger("advisor_risk_decisions_total", "outcome"), "{{lane}}: {{outcome}}"),
                meaning="ordered, or the first check that blocked; over the whole run."),
            Panel("Orders that are not over", _q(
                _ledger("advisor_outbox_orders", "state"), "{{lane}}: {{state}}"),
                meaning="SENT and UNKNOWN are in doubt: the broker has not said that it has them."),
        ),
        (
            Panel("Cost of entries against the price decided on",
                  _q(_ledger("advisor_slippage_bps")), "none", limit=5.0,
                  meaning="Basis points, weighted by shares, of the newest session."),
            Panel("Fees", _q(_ledger("advisor_fees_usd_total")), "currencyUSD"),
        ),
    ),
)  # fmt: skip

SIGNALS = Dashboard(
    "advisor-signals", "Advisor · Signal quality",
    (
        (
            Panel("Signals", _q(_ledger("advisor_signals_total", "setup"), "{{lane}} {{setup}}"),
                  form="stat"),
            Panel("Ordered", _q(
                f"sum by (lane) (max by (lane, outcome) "
                f'(advisor_risk_decisions_total{{lane=~"$lane",outcome="ordered"}}))'
                f" / sum by (lane) ({_ledger('advisor_signals_total', 'setup')})"
            ), "percentunit", "stat"),
            Panel("Trades won", _q(
                "sum by (lane) (max by (lane, setup) "
                '(advisor_trades_total{lane=~"$lane",result="win"}))'
                f" / sum by (lane) ({_ledger('advisor_trades_total', 'setup', 'result')})"
            ), "percentunit", "stat"),
        ),
        (
            Panel("Profit by setup", _q(
                _ledger("advisor_trade_pnl_usd", "setup"), "{{lane}} {{setup}}"), "currencyUSD"),
            Panel("Trades by setup and result", _q(
                _ledger("advisor_trades_total", "setup", "result"),
                "{{lane}} {{setup}}: {{result}}")),
        ),
        (
            Panel("Why signals were not ordered", _q(
                "max by (lane, outcome) "
                '(advisor_risk_decisions_total{lane=~"$lane",outcome!="ordered"})',
                "{{lane}}: {{outcome}}"), form="table"),
            Panel("Verdicts", _q(
                _ledger("advisor_verdicts_total", "ruling"), "{{lane}}: {{ruling}}")),
            Panel("Time of a verdict",
                  _quantiles("advisor_validation_seconds", _LANE), "s", limit=15.0),
        ),
    ),
)  # fmt: skip

LANES = Dashboard(
    "advisor-lanes", "Advisor · Equity and lanes",
    (
        (
            Panel("Equity", _q(_ledger("advisor_equity_usd")), "currencyUSD", "stat"),
            Panel("Advised less baseline", _q(
                _less("baseline"),
                ""), "currencyUSD", "stat",
                meaning="Whether that is more than luck is said by `advisor evaluate`."),
            Panel("Advised less placebo", _q(
                _less("placebo"),
                ""), "currencyUSD", "stat"),
        ),
        (Panel("Equity by lane", _q(_ledger("advisor_equity_usd")), "currencyUSD"),),
        (
            Panel("Profit of the session", _q(_ledger("advisor_daily_pnl_usd")), "currencyUSD"),
            Panel("Trades", _q(
                f"sum by (lane) ({_ledger('advisor_trades_total', 'setup', 'result')})")),
            Panel("Records in the chain", _q(_ledger("advisor_ledger_records"))),
        ),
    ),
)  # fmt: skip

MODEL = Dashboard(
    "advisor-model", "Advisor · Model",
    (
        (
            Panel("Spent in 24 hours", _q(
                "sum(max by (lane, model) (increase(advisor_model_cost_usd_total[1d])))", ""),
                "currencyUSD", "stat"),
            Panel("May cost in a day", _q("max(advisor_model_budget_usd)", ""), "currencyUSD",
                  "stat"),
            Panel("Without advice, last hour", _q(
                'advisor:degraded_share:1h{lane=~"$lane"}'), "percentunit", "stat"),
            Panel("Without advice, whole run", _q(_ledger("advisor_degraded_seconds_total")), "s",
                  "stat"),
        ),
        (
            Panel("Confidence of the newest opinion", _q(
                _ledger("advisor_model_confidence_percent", "opinion"),
                "{{lane}}: {{opinion}}"), "percent"),
            Panel("Factors in force", _q(
                _ledger("advisor_multiplier", "threshold"), "{{lane}}: {{threshold}}"),
                meaning="Below 1 a threshold is easier to reach; bounds are 0.5 and 2."),
            Panel("Analyses by status", _q(
                _ledger("advisor_analyses_total", "status"), "{{lane}}: {{status}}")),
        ),
        (
            Panel("Questions by outcome", _q(
                "sum by (model, outcome) (max by (lane, model, outcome) "
                "(increase(advisor_model_calls_total[1h])))", "{{model}}: {{outcome}}"),
                stacked=True),
            Panel("Seconds from question to outcome", _q(
                "sum by (model) (max by (lane, model) "
                "(increase(advisor_model_latency_seconds_total[1h])))"
                " / sum by (model) (max by (lane, model, outcome) "
                "(increase(advisor_model_calls_total[1h])))", "{{model}}"), "s"),
            Panel("Time of an analysis", _quantiles("advisor_analysis_seconds", _LANE), "s",
                  limit=45.0),
        ),
        (
            Panel("Tokens in an hour", _q(
                "sum by (model, direction) (max by (lane, model, direction) "
                "(increase(advisor_model_tokens_total[1h])))", "{{model}} {{direction}}")),
            Panel("Cost of the run", _q(
                "sum by (model) (max by (lane, model) (advisor_model_cost_usd_total))",
                "{{model}}"), "currencyUSD"),
        ),
    ),
)  # fmt: skip

DASHBOARDS = {
    "pipeline": PIPELINE,
    "risk": RISK,
    "signal-quality": SIGNALS,
    "equity-and-lanes": LANES,
    "model": MODEL,
}


def text_of(dashboard: Dashboard) -> str:
    """A dashboard's file."""
    return json.dumps(model(dashboard), indent=1, ensure_ascii=False) + "\n"


def write() -> None:
    """Write every dashboard's file."""
    for name, dashboard in DASHBOARDS.items():
        (FOLDER / f"{name}.json").write_text(text_of(dashboard), encoding="utf-8")


if __name__ == "__main__":
    write()
