"""The work of a sweep: bars laid out once, combinations in batches, each batch scored on its own.

Only the band's window and its minimum of closes change the indicators; combinations that agree on
them share one course, whatever else they vary, and within a course those with the same landmarks
(entry window, flat time, volatility cap) are handed to the kernel together. A batch is the unit
that a thread or a cluster's worker runs and that is kept when the run dies.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from advisor.market import Market
from advisor.settings import Settings
from advisor.sources import earnings, sectors
from advisor.sweep.space import Chosen, combination, rules_table
from quant_core.backtest import Course, lay_course, premises, run_through
from quant_core.bars import Floats, Ints
from quant_core.events import trades_in
from quant_core.parameters import StdevParameters
from quant_core.performance import BenchmarkMetrics, Metrics, against
from quant_core.scores import figures_of, metrics_of_row, score
from quant_core.tracks import Track, session_grid
from quant_core.types import Snapshot, Trade

MOST_PER_BATCH = 64
_INDICATORS = ("window", "minimum_closes")
_LANDMARKS = (
    "entry_from", "entry_until", "flat_from", "flat_before_early_close", "atr_percentile_cap",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Combinations that share a course: their numbers (C,), and their values (C, keys)."""

    numbers: Ints
    table: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What became of a batch: daily returns (C, sessions) and figures (C,)."""

    batch: Batch
    returns: Floats
    figures: np.ndarray


def course_of(
    market: Market,
    playbook: StdevParameters,
    snapshots: Sequence[Sequence[Snapshot]],
    settings: Settings,
) -> Course:
    """A market's sessions end to end, with the band of these parameters."""
    tracks = market.tracks
    first = market.index(market.sessions[0])
    if any(getattr(playbook, name) != getattr(market.playbook, name) for name in _INDICATORS):
        period = market.histories[0].parameters.atr_period
        tracks = tuple(
            Track.of(bars, market.calendar, playbook, first, period) for bars in market.minutes
        )
    grids = [session_grid(tracks, market.calendar, market.index(s)) for s in market.sessions]
    return lay_course(
        [session.open for session in market.sessions],
        grids,
        snapshots,
        sectors(settings, market.symbols),
        earnings(settings, market.symbols, market.sessions),
    )


def snapshots_of(market: Market) -> list[list[Snapshot]]:
    """Every session's premarket snapshots; no setting that can be varied changes them."""
    return [market.snapshots(session) for session in market.sessions]


def batches(
    settings: Settings, keys: Sequence[str], numbers: Ints, table: Floats, workers: int
) -> Iterator[tuple[Chosen, list[Batch]]]:
    """The rows grouped by course: any combination of the group, and its batches.

    A batch is small enough that every worker has several, so that the last one does not wait long.
    """
    indicators = [k for k, key in enumerate(keys) if key.removeprefix("stdev.") in _INDICATORS]
    groups: dict[tuple[float, ...], list[int]] = {}
    for i, row in enumerate(table[:, indicators].tolist()):
        groups.setdefault(tuple(row), []).append(i)
    for rows in groups.values():
        size = max(1, min(MOST_PER_BATCH, -(-len(rows) // (4 * workers))))
        parts = [rows[i : i + size] for i in range(0, len(rows), size)]
        yield (
            combination(settings, keys, table[rows[0]].tolist()),
            [Batch(numbers=numbers[part], table=table[part]) for part in parts],
        )


def score_batch(course: Course, settings: Settings, keys: Sequence[str], batch: Batch) -> Scored:
    """Run every combination of a batch."""
    rules, multipliers = rules_table(settings, keys, batch.table)
    landmarks = [k for k, key in enumerate(keys) if key.removeprefix("stdev.") in _LANDMARKS]
    groups: dict[tuple[float, ...], list[int]] = {}
    for i, row in enumerate(batch.table[:, landmarks].tolist()):
        groups.setdefault(tuple(row), []).append(i)
    returns = np.empty((len(batch.table), len(course.opens)))
    figures: list[Any] = [None] * len(batch.table)
    for rows in groups.values():
        chosen = combination(settings, keys, batch.table[rows[0]].tolist())
        given = premises(course, chosen.playbook)
        equity = settings.account.start_equity
        found, lines = score(course, given, rules[rows], multipliers[rows], equity)
        returns[rows] = found
        for i, line in zip(rows, lines, strict=True):
            figures[i] = line
    return Scored(batch=batch, returns=returns, figures=np.array(figures))


def _fields(group: Metrics | BenchmarkMetrics) -> dict[str, float]:
    """The fields as they are; `asdict` copies each value, which is felt hundreds of times."""
    return {field.name: getattr(group, field.name) for field in fields(group)}


def metrics_row(
    returns: Floats, figures: Any, benchmark: Floats, baseline: Floats | None
) -> dict[str, float]:
    """Every metric of one combination; against buy-and-hold, and against the settings in force."""
    nothing = BenchmarkMetrics(alpha=np.nan, beta=np.nan, information_ratio=np.nan)
    metrics = _fields(metrics_of_row(returns, figures))
    del metrics["llm_cost"]  # nobody is asked in a sweep
    metrics["signals"] = int(figures["signals"])
    for name, other in (("buy_and_hold", benchmark), ("baseline", baseline)):
        found = nothing if other is None else against(returns, other)
        metrics |= {f"{field}_{name}": value for field, value in _fields(found).items()}
    return metrics


def trades_of(
    course: Course, chosen: Chosen, symbols: tuple[str, ...], start_equity: float
) -> list[Trade]:
    """Every trade of one combination, as a replay with its settings makes them."""
    book = run_through(
        course, premises(course, chosen.playbook), chosen.rules(), start_equity, chosen.multipliers
    )
    return trades_in(book.trades["event"], symbols)


def score_one(course: Course, chosen: Chosen, start_equity: float) -> tuple[Floats, Any]:
    """Daily returns (sessions,) and the row of figures of one combination."""
    book = run_through(
        course, premises(course, chosen.playbook), chosen.rules(), start_equity, chosen.multipliers
    )
    return book.returns, figures_of(course, book, start_equity)
