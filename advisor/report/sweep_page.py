"""`sweep.html` and its short form for a terminal: the verdict first, then what it rests on.

The best combination never stands alone: beside it are the verdict, its neighbours, other costs,
and the spread of all the others, because a peak that nothing around it shares is usually luck.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations as pairs
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from advisor.exports import write_whole
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
from advisor.report.drawing import Line, heat_map, line_chart, spread_chart
from advisor.report.figures import DASH, count, percent
from advisor.sweep.judgement import places
from advisor.sweep.run import SweepResult
from quant_core.bars import Floats

MOST_MAPS = 6
SHOWN_ROWS = 25
_WORDS = {
    "sharpe": "Sharpe ratio", "sortino": "Sortino ratio", "calmar": "Calmar ratio",
    "total_return": "total return", "profit_factor": "profit factor", "average_r": "average R",
    "information_ratio_buy_and_hold": "information ratio against buy-and-hold",
    "information_ratio_baseline": "information ratio against the settings in force",
}  # fmt: skip
_TONES = {
    "better than luck": "green", "loses": "red", "not distinguishable from luck": "yellow",
    "cannot be judged": "yellow",
}  # fmt: skip
_METRICS = (
    ("sharpe", "Sharpe", "ratio"), ("sortino", "Sortino", "ratio"),
    ("calmar", "Calmar", "ratio"), ("total_return", "Return", "share"),
    ("max_drawdown", "Max drawdown", "share"), ("trades", "Trades", "count"),
    ("win_rate", "Win rate", "level"), ("profit_factor", "Profit factor", "plain"),
    ("average_r", "Average R", "ratio"), ("exposure", "Exposure", "level"),
)  # fmt: skip


def write_sweep_page(result: SweepResult, path: Path) -> None:
    """Write the page; the same result gives the same bytes."""
    write_whole(path, render_sweep(result))


def render_sweep(result: SweepResult) -> str:
    """The whole page."""
    days = result.sessions
    kicker = (
        f"Sweep of {', '.join(result.symbols)} · {count(len(days), 'session')}, {days[0]} to "
        f"{days[-1]} · {count(len(result.table), 'combination')}, {result.request.method}"
    )
    return document(
        title=f"Sweep of {', '.join(result.symbols)}",
        kicker=kicker,
        headline=result.verdict["headline"],
        parts=[
            _verdict(result),
            _walk_forward(result),
            _landscape(result),
            _stability(result),
            _table(result),
        ],
        footer=(
            f"Sweep {result.identity}. Simulated fills on recorded or synthetic bars are no "
            "promise of live results."
        ),
        synthetic=result.feed == "synthetic",
    )


def _verdict(result: SweepResult) -> Part:
    evidence = "".join(
        f"<li>{paragraph(one['sentence'])}</li>" for one in result.verdict["evidence"]
    )
    body = f'<ul class="evidence">{evidence}</ul>' if evidence else ""
    body += "".join(paragraph(note, "note") for note in result.notes)
    if result.best is not None:
        body += side_by_side(_comparison(result), _costs(result))
        body += _equity(result)
    return Part(anchor="verdict", label="Verdict", heading="Verdict", body=body)


def value_text(value: float) -> str:
    """A setting's value as it would be typed."""
    return f"{value:g}"


def _shown(value: float | None, kind: str) -> Cell:
    if value is None or value != value:
        return Cell(DASH)
    if kind == "share":
        return toned(value, percent(value))
    if kind == "plain":
        return Cell(figure(value))
    if kind == "level":
        return Cell(percent(value, 1, signed=False))
    return Cell(f"{value:,.0f}") if kind == "count" else toned(value, figure(value))


def _comparison(result: SweepResult) -> str:
    """The best combination beside the settings in force."""
    row = _row(result, result.best or 0)
    chosen = [
        (key, value_text(row[key]), value_text(value))
        for key, value in zip(_keys(result), result.in_force, strict=True)
    ]
    metrics = [
        (label, _shown(row[name], kind), _shown(result.baseline.get(name), kind))
        for name, label, kind in _METRICS
    ]
    number = row["combination"]
    return table(
        ["", f"best, number {number}", "settings in force"],
        [*chosen, *metrics],
        caption=f"Best by {_WORDS[result.request.objective]}",
    )


def _costs(result: SweepResult) -> str:
    rows = [
        (
            one.name,
            f"{one.fills.slippage_bps:g} bp",
            f"${one.fills.fee_per_share:g}",
            _shown(one.metrics["total_return"], "share"),
            _shown(one.metrics["sharpe"], "ratio"),
            f"{one.metrics['trades']:,.0f}",
        )
        for one in result.stress
    ]
    median, least, near = result.around
    words = (
        f"Of its {count(near, 'neighbour')} (one step away in one setting) the median "
        f"{_WORDS[result.request.objective]} is {figure(median)}, the lowest {figure(least)}."
        if near
        else "No combination that was tried is one step away from it."
    )
    return table(
        ["", "slippage", "fee a share", "return", "Sharpe", "trades"],
        rows,
        caption="The best one under other costs",
    ) + paragraph(words)


def _equity(result: SweepResult) -> str:
    best = result.returns[result.best or 0]
    lines = [
        Line("best combination", "lane-advised", _grown(best)),
        Line("settings in force", "lane-baseline", _grown(result.baseline_returns)),
        Line("median combination", "other", _grown(np.nanmedian(result.returns, axis=0))),
    ]
    labels = ["start", *result.sessions]
    chart = line_chart(lines, labels, percent, width=900, title="Growth of the account")
    return "<h3>Growth of the account, session by session</h3>" + chart


def _grown(returns: Floats) -> Floats:
    curve: Floats = np.r_[0.0, np.cumprod(1.0 + np.nan_to_num(returns)) - 1.0]
    return curve


def _walk_forward(result: SweepResult) -> Part:
    """What each training stretch chose, and what that did on the sessions after it."""
    rows = [
        (
            f"{fold['train_from']} – {fold['train_to']}",
            f"{fold['test_from']} – {fold['test_to']}",
            DASH if fold["combination"] is None else str(fold["combination"]),
            _shown(fold["in_sample_sharpe"], "ratio"),
            _shown(fold["out_of_sample_sharpe"], "ratio"),
            _shown(fold["test_return"], "share"),
        )
        for fold in result.walk_forward
    ]
    cut = result.request.folds
    words = (
        "The best Sharpe ratio of each training stretch, held over the test that follows it; "
        f"purge {cut.purge}, embargo {cut.embargo}, sessions left out between the two."
    )
    heads = ["chosen on", "tested on", "number", "Sharpe, chosen on", "Sharpe, tested on", "return"]
    body = (
        paragraph(words, "note") + table(heads, rows, words=2)
        if rows
        else paragraph("It could not be asked; the verdict says why.", "note")
    )
    return Part(
        anchor="walk-forward", label="Walk-forward", heading="Choosing as one goes", body=body
    )


def _keys(result: SweepResult) -> tuple[str, ...]:
    return result.request.keys


def _row(result: SweepResult, position: int) -> dict[str, Any]:
    row: dict[str, Any] = result.table.slice(position, 1).to_pylist()[0]
    return row


def _binned(values: Floats) -> tuple[np.ndarray, list[str]]:
    """The place of each value among those tried, and the places' names."""
    found, begins = places(values)
    if len(begins) == len(np.unique(values)):
        return found, [value_text(value) for value in begins]
    return found, [f"{value:.3g}+" for value in begins]


def _landscape(result: SweepResult) -> Part:
    keys, values, objective = _keys(result), result.values, result.objective
    maps = []
    for a, b in list(pairs(range(len(keys)), 2))[:MOST_MAPS]:
        rows, row_names = _binned(values[:, a])
        columns, column_names = _binned(values[:, b])
        medians = np.full((len(row_names), len(column_names)), np.nan)
        for r in range(len(row_names)):
            for c in range(len(column_names)):
                here = objective[(rows == r) & (columns == c)]
                here = here[np.isfinite(here)]
                if len(here):
                    medians[r, c] = float(np.median(here))
        best = result.best
        chosen = None if best is None else (int(rows[best]), int(columns[best]))
        maps.append(
            heat_map(
                column_names, row_names, medians, figure, names=(keys[b], keys[a]), chosen=chosen,
                title=f"{_named(result)}: {keys[a]} by {keys[b]}",
            )
        )  # fmt: skip
    words = (
        f"Median {_WORDS[result.request.objective]} over all other settings; the best one's cell "
        "is outlined. A plateau can be trusted more than a peak."
    )
    body = (
        paragraph(words, "note") + side_by_side(*maps, wide=True)
        if maps
        else paragraph("One setting was varied: there is no pair to map.", "note")
    )
    return Part(anchor="maps", label="Heat maps", heading="Where it works", body=body)


def _named(result: SweepResult) -> str:
    name = _WORDS[result.request.objective]
    return name[:1].upper() + name[1:]


def _stability(result: SweepResult) -> Part:
    charts = []
    for k, key in enumerate(_keys(result)):
        places, names = _binned(result.values[:, k])
        groups = [result.objective[places == i] for i in range(len(names))]
        chosen = None if result.best is None else int(places[result.best])
        charts.append(
            spread_chart(names, groups, figure, chosen=chosen, title=f"{_named(result)} by {key}")
        )
    rows = [
        (key, Cell(percent(share, 0, signed=False) if share == share else DASH))
        for key, share in sorted(result.weights.items(), key=lambda item: -_or_zero(item[1]))
    ]
    share = table(
        ["setting", "share of the variance"], rows, caption="What the objective depends on"
    )
    words = (
        "Line: lowest to highest; box: middle half; bar: median over all other settings. Boxes "
        "that overlap say that the setting hardly matters."
    )
    body = paragraph(words, "note") + side_by_side(*charts) + share
    return Part(anchor="stability", label="Stability", heading="How stable it is", body=body)


def _or_zero(value: float) -> float:
    return value if value == value else 0.0


def _table(result: SweepResult) -> Part:
    objective = np.where(np.isfinite(result.objective), result.objective, -np.inf)
    order = np.argsort(-objective, kind="stable")
    shown = order[:SHOWN_ROWS]
    keys = _keys(result)
    rows = []
    for position in shown.tolist():
        row = _row(result, position)
        rows.append(
            [str(row["combination"]), *(value_text(row[key]) for key in keys)]
            + [_shown(row[name], kind) for name, _, kind in _METRICS]
        )
    idle = int((result.table["trades"].to_numpy() == 0).sum())
    words = f"{count(len(result.table), 'combination')}, best {len(rows)} shown"
    words += f"; {idle:,} never traded." if idle else "."
    words += " All of them, with every metric: results.parquet; daily returns: returns.parquet."
    heads = ["number", *keys, *(label for _, label, _ in _METRICS)]
    return Part(
        anchor="combinations", label="Combinations", heading="Combinations",
        body=paragraph(words, "note") + table(heads, rows, words=0),
    )  # fmt: skip


def sweep_summary(result: SweepResult) -> RenderableType:
    """The verdict, the best combination and what speaks against it, for a terminal."""
    verdict: Mapping[str, Any] = result.verdict
    days = result.sessions
    parts: list[RenderableType] = []
    if result.feed == "synthetic":
        parts.append(Text("SYNTHETIC bars: generated, not recorded from a market", "bold yellow"))
    parts += [
        Text(
            f"Sweep of {', '.join(result.symbols)}: {count(len(result.table), 'combination')}, "
            f"{count(len(days), 'session')}, {days[0]} to {days[-1]}",
            style="dim",
        ),
        Text(verdict["headline"], style=f"bold {_TONES[verdict['finding']]}"),
    ]
    parts += [Text(f"  {one['sentence']}") for one in verdict["evidence"]]
    if result.best is not None:
        parts.append(_best_table(result))
        worse: Sequence[str] = [
            f"{one.name}: {figure(one.metrics['sharpe'])}" for one in result.stress
        ]
        parts.append(Text(f"Sharpe under other costs: {'; '.join(worse)}"))
    parts += [Text(f"! {note}", style="yellow") for note in result.notes]
    return Group(*parts)


def _best_table(result: SweepResult) -> Table:
    row = _row(result, result.best or 0)
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column("")
    made.add_column(f"best, number {row['combination']}", justify="right")
    made.add_column("settings in force", justify="right")
    for key, value in zip(_keys(result), result.in_force, strict=True):
        made.add_row(key, value_text(row[key]), value_text(value))
    for name, label, kind in _METRICS:
        made.add_row(
            label, _shown(row[name], kind).text, _shown(result.baseline.get(name), kind).text
        )
    return made
