"""`backtest.html` and its short form for a terminal: what the sessions say, and how surely.

The figures of every lane stand beside a holding of the same symbols; the tables and the trade list
are those of the first lane.
"""

from pathlib import Path

import numpy as np
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from advisor.backtest import Backtest, Group, Reading
from advisor.exports import SIDES, write_whole
from advisor.report.document import (
    Cell,
    Part,
    document,
    figure,
    paragraph,
    side_by_side,
    table,
    toned,
)
from advisor.report.drawing import Line, line_chart
from advisor.report.figures import DASH, count, differences, headline, money, percent, period
from advisor.report.terminal import attention
from advisor.results import LaneResult
from quant_core.bars import Floats
from quant_core.calendar import new_york
from quant_core.performance import daily_returns

MOST_TRADES = 1000
METRICS = (
    ("total_return", "Total return", "share"), ("annual_return", "Annual return", "share"),
    ("sharpe", "Sharpe", "ratio"), ("sortino", "Sortino", "ratio"), ("calmar", "Calmar", "ratio"),
    ("max_drawdown", "Max drawdown (sessions)", "share"),
    ("max_drawdown_sessions", "… its duration, sessions", "count"),
    ("max_drawdown_by_minute", "Max drawdown (minutes)", "share"),
    ("max_drawdown_minutes", "… its duration, minutes", "count"),
    ("trades", "Trades", "count"), ("win_rate", "Win rate", "level"),
    ("profit_factor", "Profit factor", "plain"), ("average_r", "Average R", "ratio"),
    ("exposure", "Exposure", "level"), ("gross_exposure", "Gross exposure", "level"),
    ("turnover", "Turnover, times equity", "plain"), ("fees", "Fees", "money"),
    ("llm_cost", "LLM cost", "money"),
)  # fmt: skip
_AGAINST = (("alpha", "Alpha", "share"), ("beta", "Beta", "plain"),
            ("information_ratio", "Information ratio", "ratio"))  # fmt: skip
_LINES = {"advised": "lane-advised", "baseline": "lane-baseline", "placebo": "lane-placebo"}
_GROUPS = (
    ("symbol", "By symbol"), ("setup", "By setup"), ("side", "By side"),
    ("hour", "By hour of entry"), ("exit", "By exit"),
    ("trend", "By trend before the session"), ("volatility", "By volatility before the session"),
)  # fmt: skip


def write_backtest_page(found: Backtest, path: Path) -> None:
    """Write the page; the same backtest gives the same bytes."""
    write_whole(path, render_backtest(found))


def render_backtest(found: Backtest) -> str:
    """The whole page."""
    result = found.result
    parts = [_result(found), _time(found), _breakdown(found)]
    if found.stress:
        parts.append(_stress(found))
    parts.append(_trades(found))
    return document(
        title=f"Backtest of {', '.join(result.symbols)}",
        kicker=f"Backtest of {', '.join(result.symbols)} · {period(result)}",
        headline=_headline(found),
        parts=parts,
        footer=(
            f"Run {result.run_id}, settings {result.config_hash}, code {result.code_version}. "
            "Simulated fills on recorded or synthetic bars are no promise of live results."
        ),
        synthetic=result.feed == "synthetic",
    )


def _headline(found: Backtest) -> str:
    text = "; ".join(headline(found.result, found.summary))
    return text[:1].upper() + text[1:]


def cell(value: float | None, kind: str) -> Cell:
    """A metric as a cell; undefined is a dash."""
    if value is None or value != value:
        return Cell(DASH, why="undefined on these sessions")
    if kind == "money":
        return Cell(money(value, signed=False))
    if kind == "share":
        return toned(value, percent(value))
    if kind == "level":
        return Cell(percent(value, 1, signed=False))
    if kind == "count":
        return Cell(f"{value:,.0f}")
    return toned(value, figure(value)) if kind == "ratio" else Cell(figure(value))


def _growth(returns: Floats) -> Floats:
    curve: Floats = np.r_[0.0, np.cumprod(1.0 + np.nan_to_num(returns)) - 1.0]
    return curve


def _result(found: Backtest) -> Part:
    result = found.result
    labels = ["start", *(str(session.date) for session in result.sessions)]
    lines = [
        Line(name, _LINES.get(name, "other"), _growth(daily_returns(lane.days)))
        for name, lane in result.lanes.items()
    ]
    holding = Line("buy and hold, equal weight", "benchmark", _growth(np.array(result.benchmark)))
    chart = "<h3>Growth of the account, session by session</h3>" + line_chart(
        lines, labels, percent, title="Growth of the account by lane"
    )
    scale = "<h3>Beside a holding of the same symbols</h3>" + line_chart(
        [*lines, holding], labels, percent, height=200, title="Growth beside a holding"
    )
    words = [f"{name}: {sentence(one)}" for name, one in found.readings.items()]
    words += [
        f"advised − {one.against}: {money(one.measured.mean)} a session. {one.words}"
        for one in differences(result)
    ]
    body = "".join(paragraph(text) for text in words)
    body += side_by_side(_figures(found), chart + scale)
    body += "".join(paragraph(f"! {text}", "note") for text in attention(result))
    return Part(anchor="result", label="Result", heading="Result", body=body)


def sentence(reading: Reading) -> str:
    """How sure the mean is, and the difference from a holding, in words."""
    mean, other = reading.mean_day, reading.against_holding
    if mean["verdict"] == "too few sessions to tell":
        return f"too few sessions for an interval: {mean['sessions']}."
    words = {
        "not distinguishable from zero": "not distinguishable from zero",
        "positive": "above zero",
        "negative": "below zero",
    }
    return (
        f"mean day {percent(mean['mean'], 3)}, 95 % interval {percent(mean['low'], 3)} to "
        f"{percent(mean['high'], 3)} by day blocks: {words[mean['verdict']]}. Minus a holding: "
        f"{percent(other['mean'], 3)} a day, {words.get(other['verdict'], other['verdict'])}."
    )


def _figures(found: Backtest) -> str:
    lanes = found.summary["lanes"]
    rows: list[list[Cell | str]] = [["P/L", *(_pnl(lane["pnl"]) for lane in lanes.values())]]
    rows += [
        [label, *(cell(lane["metrics"][name], kind) for lane in lanes.values())]
        for name, label, kind in METRICS
    ]
    for key, words in (("against_buy_and_hold", "buy-and-hold"), ("against_baseline", "baseline")):
        if not any(lane[key] for lane in lanes.values()):
            continue
        for name, label, kind in _AGAINST:
            cells = [_against(lane[key], name, kind) for lane in lanes.values()]
            rows.append([f"{label} against {words}", *cells])
    return table(["", *lanes], rows)


def _against(values: dict[str, float] | None, name: str, kind: str) -> Cell:
    return cell(None if values is None else values[name], kind)


def _pnl(value: float) -> Cell:
    return toned(value, money(value))


def _time(found: Backtest) -> Part:
    reading = found.readings[found.result.main.name]
    holding = dict(found.holding_months)
    months = [
        (month, str(sessions), cell(value, "share"), cell(holding.get(month), "share"))
        for month, value, sessions in reading.months
    ]
    falls = [
        (
            str(one.start), str(one.trough), str(one.end) if one.end else "not yet",
            cell(one.depth, "share"), f"{one.sessions:,}",
        )
        for one in reading.drawdowns
    ]  # fmt: skip
    lane = found.result.main
    equity = _growth(daily_returns(lane.days)) + 1.0
    under = equity / np.maximum.accumulate(equity) - 1.0
    labels = ["start", *(str(day.date) for day in lane.days)]
    chart = line_chart(
        [Line(f"{lane.name}, below its peak", "fall", under)], labels, percent, height=160,
        title="Below the peak",
    )  # fmt: skip
    deepest = (
        table(["peak", "trough", "recovered", "depth", "sessions"], falls,
              caption="Deepest drawdowns", words=3)
        if falls
        else paragraph("The account never fell below a session-end peak.")
    )  # fmt: skip
    body = side_by_side(
        table(["month", "sessions", lane.name, "buy and hold"], months, caption="Months"),
        deepest + chart,
    )
    return Part(anchor="time", label="Months", heading="Months and drawdowns", body=body)


def _breakdown(found: Backtest) -> Part:
    lane = found.result.main
    if not lane.trades:
        body = paragraph("No trade was closed, so there is nothing to break down.")
        return Part(anchor="breakdown", label="Breakdown", heading="Where it came from", body=body)
    groups = found.readings[lane.name].groups
    words = (
        "Trend and volatility are what the premarket snapshot knew: higher-timeframe trend, and "
        "the rank of the daily ATR (calm below 33, volatile from 67)."
    )
    body = paragraph(words, "note") + side_by_side(
        *(_group_table(groups[kind], caption) for kind, caption in _GROUPS)
    )
    return Part(anchor="breakdown", label="Breakdown", heading="Where it came from", body=body)


def _group_table(groups: list[Group], caption: str) -> str:
    rows = [
        (
            one.name, f"{one.trades:,}", _pnl(one.pnl), cell(one.win_rate, "level"),
            cell(one.average_r, "ratio"), cell(one.profit_factor, "plain"),
        )
        for one in groups
    ]  # fmt: skip
    return table(
        ["", "trades", "P/L", "win rate", "average R", "profit factor"], rows, caption=caption
    )


def _stress(found: Backtest) -> Part:
    lanes = list(found.stress[0]["lanes"])
    heads = ["", "slippage", "fee a share"]
    for name in lanes:
        heads += [f"{name} P/L", f"{name} Sharpe", f"{name} trades"]
    rows = []
    for one in found.stress:
        row: list[Cell | str] = [
            one["name"], f"{one['slippage_bps']:g} bp", f"${one['fee_per_share']:g}"
        ]  # fmt: skip
        for name in lanes:
            lane = one["lanes"][name]
            row += [_pnl(lane["pnl"]), cell(lane["sharpe"], "ratio"), f"{lane['trades']:,}"]
        rows.append(row)
    body = paragraph(
        "The same sessions with slippage and fees multiplied. Advice is held as it was given.",
        "note",
    ) + table(heads, rows)
    return Part(anchor="costs", label="Costs", heading="Under other costs", body=body)


def _trades(found: Backtest) -> Part:
    lane: LaneResult = found.result.main
    shown = sorted(lane.trades, key=lambda trade: trade.exit_time)[-MOST_TRADES:]
    rows = [
        (
            new_york(t.entry_time), t.symbol, str(t.setup), SIDES[t.side], new_york(t.exit_time),
            str(t.exit_reason), f"{t.quantity:,}", f"{t.entry_price:,.2f}",
            f"{t.exit_price:,.2f}", _pnl(t.pnl), f"{t.fees:,.2f}",
        )
        for t in shown
    ]  # fmt: skip
    left = len(lane.trades) - len(shown)
    words = count(len(lane.trades), "trade") + (f", the last {len(shown):,} shown" if left else "")
    body = paragraph(f"{words}; times are New York. All of them: trades.parquet.", "note")
    heads = ["entry", "symbol", "setup", "side", "exit", "reason", "shares", "entry $", "exit $",
             "P/L", "fees"]  # fmt: skip
    body += f'<div class="long">{table(heads, rows, words=6)}</div>' if rows else ""
    return Part(anchor="trades", label="Trades", heading="Trades", body=body)


def backtest_summary(found: Backtest) -> RenderableType:
    """What a terminal adds to the replay's summary: certainty, drawdown, best and worst month."""
    reading = found.readings[found.result.main.name]
    parts: list[RenderableType] = [
        Text(f"{name}: {sentence(one)}") for name, one in found.readings.items()
    ]
    months = [(value, month) for month, value, _ in reading.months if value == value]
    if len(months) > 1:
        best, worst = max(months), min(months)
        parts.append(
            Text(
                f"Best month {best[1]} {percent(best[0])}, worst {worst[1]} {percent(worst[0])}; "
                f"{sum(value > 0 for value, _ in months)} of {len(months)} gained."
            )
        )
    if found.stress:
        parts.append(_stress_table(found))
    return Lines(*parts)


def _stress_table(found: Backtest) -> Table:
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column("costs")
    lanes = list(found.stress[0]["lanes"])
    for name in lanes:
        made.add_column(f"{name} P/L", justify="right")
        made.add_column("Sharpe", justify="right")
    for one in found.stress:
        cells = []
        for name in lanes:
            lane = one["lanes"][name]
            cells += [money(lane["pnl"]), cell(lane["sharpe"], "ratio").text]
        made.add_row(one["name"], *cells)
    return made
