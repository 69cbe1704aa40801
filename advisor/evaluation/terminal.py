"""An evaluation for a terminal: the answer first, then what it rests on."""

import math

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from advisor.evaluation.findings import (
    LUCK,
    NO_EFFECT,
    WHO_PAYS,
    Evaluation,
    Timing,
    headline,
)
from advisor.evaluation.page import interval, number, period
from advisor.report.figures import DASH, money, percent

SYNTHETIC = "SYNTHETIC bars: generated, not recorded from a market"
_STYLES = {"better": "green", "worse": "red", LUCK: "yellow"}


def terminal_evaluation(evaluation: Evaluation) -> RenderableType:
    """Headline, differences, timing, confidence, rulings, cost, failures."""
    parts: list[RenderableType] = [
        *([Text(SYNTHETIC, "bold yellow")] if evaluation.synthetic else []),
        Text(period(evaluation), style="dim"),
        Text(headline(evaluation.differences), style="bold"),
        _differences(evaluation),
    ]
    if evaluation.timing:
        parts.append(Text(_timing(evaluation.timing)))
    if evaluation.authority:
        opened = sum(one.value > 0.0 for one in evaluation.authority)
        last = evaluation.authority[-1]
        parts.append(
            Text(
                f"authority: above 0 in {opened} of {len(evaluation.authority)} sessions; "
                f"{last.value:.3f} in the last one: {last.reason}"
            )
        )
    if evaluation.forecasts:
        parts += [Text(), _forecasts(evaluation)]
    if evaluation.rulings:
        parts += [Text(), _rulings(evaluation)]
    if evaluation.costs is not None:
        usd = math.fsum(one.usd for one in evaluation.costs)
        calls = sum(one.calls for one in evaluation.costs)
        parts.append(Text(f"\nmodels: {calls:,} calls, ${usd:.4f}. {WHO_PAYS}"))
    parts += [
        Text(f"! {one.kind}: {one.count} of {one.of}, {one.reason}", style="yellow")
        for one in evaluation.failures
    ]
    return Group(*parts, *(Text(f"! {note}", style="yellow") for note in evaluation.notes))


def _timing(timing: Timing) -> str:
    if timing.words == NO_EFFECT:
        return f"timing: {NO_EFFECT}"
    return (
        f"timing: more than {timing.beaten} of {timing.shuffles} random orders "
        f"(chance {percent(timing.chance, 0, signed=False)}): {timing.words}"
    )


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        left = name in ("", "confidence of", "finding", "author", "ruling")
        table.add_column(
            name,
            justify="left" if left else "right",
            min_width=15 if name == "finding" else None,
            overflow="fold" if name == "author" else "ellipsis",
        )
    return table


def _differences(evaluation: Evaluation) -> Table:
    table = _table("", "a session", "95 % interval", "finding")
    for one in evaluation.differences:
        words = Text(one.words, style=_STYLES.get(one.words, ""))
        table.add_row(one.name, money(one.measured.mean), interval(one.measured), words)
    return table


def _forecasts(evaluation: Evaluation) -> Table:
    table = _table(
        "confidence of", "author", "scored", "undecided", "happened", "Brier", "skill", "finding"
    )
    for one in evaluation.forecasts:
        s = one.scores
        happened = percent(s.base_rate, 0, signed=False) if s.count else DASH
        table.add_row(
            one.kind, one.author, f"{s.count:,}", f"{one.without_event:,}",
            happened, number(s.brier, ".3f"), number(s.brier_skill, "+.3f"), one.words,
        )  # fmt: skip
    return table


def _rulings(evaluation: Evaluation) -> Table:
    table = _table("ruling", "author", "signals", "filled", "won", "R a trade", "finding")
    for one in evaluation.rulings:
        won = percent(one.won / one.filled, 0, signed=False) if one.filled else DASH
        table.add_row(
            one.ruling, one.author, f"{one.signals:,}", f"{one.filled:,}", won,
            number(one.mean_r, "+.2f"), one.words,
        )  # fmt: skip
    return table
