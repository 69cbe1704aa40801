"""What a replay stood on: premarket snapshots and opinions, and the quality of its bars.

A snapshot row carries, in words, every reason why its symbol did not arm that day. Rejected bar
rows are counted by kind, file, symbol and reason; the rows themselves are in `rejections.parquet`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from advisor.report.packing import Texts, number
from advisor.results import ReplayResult
from quant_core.types import DailyBias, MarketContext, Snapshot, Status


def why_not_armed(snapshot: Snapshot, atr_percentile_cap: float) -> list[str]:
    """Every reason why a symbol may not arm on this date; empty when it may."""
    reasons = [f"missing: {part}" for part in snapshot.incomplete]
    if snapshot.atr_percentile > atr_percentile_cap:
        reasons.append(
            f"too volatile: ATR percentile {snapshot.atr_percentile:.1f} is above the cap of "
            f"{atr_percentile_cap:g}"
        )
    return reasons


def snapshot_rows(result: ReplayResult, atr_percentile_cap: float, texts: Texts) -> list[list[Any]]:
    """One row per snapshot of a session and symbol of the run; read by `assets/js/model.js`."""
    dates = {session.date: position for position, session in enumerate(result.sessions)}
    symbols = {symbol: position for position, symbol in enumerate(result.symbols)}
    return [
        [
            dates[s.date],
            symbols[s.symbol],
            s.htf_trend,
            texts.add(s.hh_ll_tag),
            s.sessions,
            [
                number(value, 7)
                for value in (
                    s.ema_slope_daily, s.ema_slope_hourly, s.atr_percentile, s.atr_5m,
                    s.mean_5m, s.deviation_5m, s.average_volume, s.previous_close,
                )
            ],
            [texts.add(reason) for reason in why_not_armed(s, atr_percentile_cap)],
        ]
        for s in result.snapshots
        if s.date in dates and s.symbol in symbols
    ]  # fmt: skip


def context_rows(result: ReplayResult, texts: Texts) -> list[list[Any]]:
    """One row per market context of a session of the run; read by `assets/js/model.js`."""
    dates = {session.date: position for position, session in enumerate(result.sessions)}
    return [
        [dates[one.date], texts.add(one.summary), *_opinion(one, texts)]
        for one in result.contexts
        if one.date in dates
    ]


def bias_rows(result: ReplayResult, texts: Texts) -> list[list[Any]]:
    """One row per bias of a session and symbol of the run; read by `assets/js/model.js`."""
    dates = {session.date: position for position, session in enumerate(result.sessions)}
    symbols = {symbol: position for position, symbol in enumerate(result.symbols)}
    return [
        [dates[one.date], symbols[one.symbol], texts.add(one.reasoning),
         texts.add(one.news_summary), *_opinion(one, texts)]
        for one in result.biases
        if one.date in dates and one.symbol in symbols
    ]  # fmt: skip


def _opinion(one: DailyBias | MarketContext, texts: Texts) -> list[Any]:
    """What biases and contexts have in common, at the end of their rows."""
    said = texts.add(one.bias), number(one.confidence, 6), texts.add(one.analyst)
    return [*said, int(one.status is Status.DEGRADED), texts.add(one.degraded_reason)]


def data_quality(result: ReplayResult, texts: Texts) -> dict[str, Any]:
    """Rows read and accepted per symbol, refusals by file and reason, and gaps."""
    dates = {session.date: position for position, session in enumerate(result.sessions)}
    symbols = {symbol: position for position, symbol in enumerate(result.symbols)}
    return {
        "read": [result.bars_read.get(symbol, 0) for symbol in result.symbols],
        "accepted": [result.bars_accepted.get(symbol, 0) for symbol in result.symbols],
        "rejected": [
            [*(texts.add(row[name]) for name in _GROUPS), row["count"]]
            for row in rejection_counts(result.bar_rejections)
        ],
        "gaps": [
            [dates[day], symbols[gap.symbol], gap.missing, gap.first, gap.longest]
            for day, gap in result.gaps
            if day in dates and gap.symbol in symbols
        ],
    }


_GROUPS = ("kind", "file", "symbol", "reason")


def rejection_counts(table: pa.Table) -> Sequence[Mapping[str, Any]]:
    """Refused rows counted by kind, file, symbol and reason; the most frequent first."""
    if table.num_rows == 0:
        return []
    words = pa.table({name: pc.fill_null(table[name].cast(pa.string()), "") for name in _GROUPS})
    counted = words.group_by(list(_GROUPS), use_threads=False).aggregate([([], "count_all")])
    rows: list[dict[str, Any]] = counted.rename_columns([*_GROUPS, "count"]).to_pylist()
    return sorted(rows, key=lambda row: (-row["count"], *(row[name] for name in _GROUPS)))
