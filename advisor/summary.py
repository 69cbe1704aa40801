"""`summary.json`: the figures of a replay, lane by lane. The same result gives the same bytes.

An undefined figure is null, never 0 (JSON has no NaN). Nothing here is measured by a clock.
"""

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow.compute as pc

from advisor.results import LaneResult, ReplayResult
from advisor.settings import Settings
from quant_core.bars import Floats
from quant_core.calendar import to_datetime
from quant_core.performance import equity_curve, measure, measure_against
from quant_core.bootstrap import paired_difference


def summarise(result: ReplayResult, settings: Settings) -> dict[str, Any]:
    """Everything that `summary.json` holds, as plain values."""
    baseline = result.lanes.get("baseline")
    summary = {
        "run_id": result.run_id,
        "config_hash": result.config_hash,
        "code_version": result.code_version,
        "feed": result.feed,
        "symbols": list(result.symbols),
        "sessions": [str(session.date) for session in result.sessions],
        "analyst": result.analyst,
        "validation": result.validation,
        "main_lane": result.main.name,
        "lanes": {
            name: _lane(lane, result, baseline, settings) for name, lane in result.lanes.items()
        },
        "advised_minus_baseline": _paired(result, settings),
        "bars": _bars(result),
        "gaps": [
            {
                "symbol": gap.symbol, "date": str(day), "missing_minutes": gap.missing,
                "longest": gap.longest, "first": to_datetime(gap.first).isoformat(),
            }
            for day, gap in result.gaps
        ],
        "chain_heads": result.chain_heads,
        "settings": settings.plain(),
        "notes": result.notes,
    }  # fmt: skip
    return plain(summary)


def plain(value: Any) -> Any:
    """Plain JSON values; NaN and infinities become null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value


def daily_results(lane: LaneResult) -> Floats:
    """Dollars won or lost in each session."""
    return np.array([day.end_equity - day.start_equity for day in lane.days])
