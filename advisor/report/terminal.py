"""The result for a terminal: what a person wants to know before opening the report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from advisor.report.figures import (
    Difference,
    Figure,
    count,
    differences,
    headline,
    lane_figures,
    money,
    period,
)
from advisor.report.premises import rejection_counts
from advisor.results import ReplayResult
from quant_core.types import Status

_STYLES = {"gain": "green", "loss": "red", "warn": "yellow", "plain": ""}


def terminal_summary(
    result: ReplayResult, summary: Mapping[str, Any], *, kind: str = "Replay"
) -> RenderableType:
    """Headline, key figures by lane, what the advice was worth, and what needs attention."""
    parts: list[RenderableType] = []
    if result.feed == "synthetic":
        parts.append(Text("SYNTHETIC bars: generated, not recorded from a market", "bold yellow"))
    parts += [
        Text(f"{kind} of {', '.join(result.symbols)}: {period(result)}", style="dim"),
        Text(_line(headline(result, summary)), style="bold"),
        _figures(result, summary),
    ]
    parts += [_difference(difference) for difference in differences(result)]
    parts += [Text(f"! {text}", style="yellow") for text in attention(result)]
    return Group(*parts)


def _line(parts: Sequence[str]) -> str:
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]


def _figures(result: ReplayResult, summary: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    accounts = summary.get("lanes") or {}
    columns = []
    for name, lane in result.lanes.items():
        table.add_column(name, justify="right")
        columns.append(lane_figures(lane, accounts.get(name, {})))
    for row in zip(*columns, strict=True):
        table.add_row(row[0].label, *(_cell(figure) for figure in row))
    return table


def _cell(figure: Figure) -> Text:
    return Text(figure.text, style=_STYLES[figure.tone])


def _difference(difference: Difference) -> Text:
    measured = difference.measured
    interval = ""
    if measured.low == measured.low:
        interval = f", 95 % interval {money(measured.low)} to {money(measured.high)}"
    return Text(
        f"advised − {difference.against}: {money(measured.mean)} a session{interval}. "
        f"{difference.words}"
    )


def attention(result: ReplayResult) -> list[str]:
    """What a person should look at: failed advice, a halted account, refused rows, gaps."""
    found = list(result.notes)
    for lane in result.lanes.values():
        failed = sum(analysis.status is Status.DEGRADED for analysis in lane.analyses)
        if failed:
            found.append(f"{lane.name}: {failed:,} of {len(lane.analyses):,} analyses DEGRADED")
        found += [f"{lane.name}: {c.state}, {c.reason}" for c in lane.risk_changes]
    refused: Counter[str] = Counter()
    for row in rejection_counts(result.bar_rejections):
        refused[row["reason"]] += row["count"]
    found += [f"{count(n, 'row')} refused: {reason}" for reason, n in refused.most_common()]
    if result.gaps:
        missing = sum(gap.missing for _, gap in result.gaps)
        found.append(f"{count(len(result.gaps), 'gap')}, {count(missing, 'minute')} missing")
    return found
