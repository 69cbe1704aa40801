"""Chart options for Apache ECharts: line, columns, candles with band, z and multipliers.

Colours are middle tones that hold on both grounds. Times on an axis are New York's, as text, since
a chart of the browser would show them in the zone of whoever looks.
"""

import math
from collections.abc import Sequence
from typing import Any

BLUE, ORANGE, GREEN, AMBER, VIOLET, GREY = (
    "#2b8cc9", "#d9701c", "#12936e", "#b98109", "#7a6fe0", "#8a94a0",
)  # fmt: skip
Option = dict[str, Any]
Numbers = Sequence[float | None]
_GRID = {"left": 8, "right": 14, "top": 14, "bottom": 4, "containLabel": True}


def tidy(values: Numbers, digits: int = 2) -> list[float | None]:
    """Values with no more digits than are drawn: most of what a chart weighs is digits."""
    return [None if value is None else round(value, digits) for value in values]


def categories(labels: Sequence[str], **more: Any) -> Option:
    """An axis of names, in order."""
    return {"type": "category", "data": list(labels), "boundaryGap": True,
            "axisTick": {"show": False}, **more}  # fmt: skip


def curve(labels: Sequence[str], values: Numbers, name: str) -> Option:
    """One line over time."""
    return {
        "animation": False, "grid": _GRID, "legend": {"show": False},
        "tooltip": {"trigger": "axis", "valueFormatter": "$%,.2f"},
        "xAxis": categories(labels, boundaryGap=False),
        "yAxis": {"type": "value", "scale": True, "splitNumber": 4, **_room(values)},
        "series": [{
            "type": "line", "name": name, "data": tidy(values), "showSymbol": False,
            "lineStyle": {"width": 1.8, "color": BLUE}, "itemStyle": {"color": BLUE},
        }],
    }  # fmt: skip


def _room(values: Numbers) -> Option:
    """Bounds for a line that hardly moves: left alone, its axis would begin far below it."""
    known = [value for value in values if value is not None]
    middle = abs(known[0]) if known else 0.0
    if middle < 1.0 or max(known) - min(known) > 1e-3 * middle:
        return {}
    step = 10.0 ** math.floor(math.log10(middle) - 2)
    return {
        "min": math.floor(min(known) / step - 0.2) * step,
        "max": math.ceil(max(known) / step + 0.2) * step,
    }


def equity(labels: Sequence[str], values: Numbers, falls: Numbers) -> Option:
    """Equity above, its drawdown in percent below."""
    percents = [None if fall is None else fall * 100 for fall in falls]
    axes = [categories(labels, boundaryGap=False, gridIndex=0, axisLabel={"show": False}),
            categories(labels, boundaryGap=False, gridIndex=1)]  # fmt: skip
    return {
        "animation": False, "legend": {"show": False},
        "tooltip": {"trigger": "axis"}, "axisPointer": {"link": [{"xAxisIndex": "all"}]},
        "grid": [{**_GRID, "right": 38, "bottom": "38%"}, {**_GRID, "right": 38, "top": "68%"}],
        "xAxis": axes,
        "yAxis": [
            {"type": "value", "scale": True, "splitNumber": 4, **_room(values)},
            {"type": "value", "gridIndex": 1, "splitNumber": 2, "max": 0,
             "axisLabel": {"formatter": "{value} %"}},
        ],
        "series": [
            {"type": "line", "name": "Equity", "data": tidy(values), "showSymbol": False,
             "tooltip": {"valueFormatter": "$%,.2f"},
             "lineStyle": {"width": 1.8, "color": BLUE}, "itemStyle": {"color": BLUE}},
            {"type": "line", "name": "Drawdown", "data": tidy(percents, 3), "showSymbol": False,
             "xAxisIndex": 1, "yAxisIndex": 1, "tooltip": {"valueFormatter": "%.2f %%"},
             "lineStyle": {"width": 1.2, "color": ORANGE}, "itemStyle": {"color": ORANGE},
             "areaStyle": {"opacity": 0.25, "color": ORANGE}},
        ],
    }  # fmt: skip


def columns(labels: Sequence[str], values: Numbers, name: str, *, money: bool = False) -> Option:
    """Columns; with `money` gains and losses differ in colour."""
    bars = [
        {"value": value,
         "itemStyle": {"color": ORANGE if money and value is not None and value < 0 else
                       GREEN if money else BLUE}}
        for value in tidy(values)
    ]  # fmt: skip
    shown = {"valueFormatter": "$%,.2f"} if money else {"valueFormatter": "%,d"}
    return {
        "animation": False, "grid": _GRID, "legend": {"show": False},
        "tooltip": {"trigger": "axis", **shown},
        "xAxis": categories(labels),
        "yAxis": {"type": "value", "splitNumber": 4},
        "series": [{"type": "bar", "name": name, "data": bars, "barMaxWidth": 34}],
    }  # fmt: skip


def reliability(labels: Sequence[str], won: Numbers, said: Numbers) -> Option:
    """Share of trades won against the confidence that was stated, both in percent."""
    return {
        "animation": False, "grid": {**_GRID, "top": 34},
        "legend": {"top": 0, "right": 8},
        "tooltip": {"trigger": "axis", "valueFormatter": "%.0f %%"},
        "xAxis": categories(labels),
        "yAxis": {"type": "value", "min": 0, "max": 100, "axisLabel": {"formatter": "{value} %"}},
        "series": [
            {"type": "bar", "name": "Trades won", "data": tidy(won, 1), "barMaxWidth": 40,
             "itemStyle": {"color": BLUE}},
            {"type": "line", "name": "Confidence stated", "data": tidy(said, 1), "symbolSize": 8,
             "lineStyle": {"type": "dashed", "color": ORANGE}, "itemStyle": {"color": ORANGE}},
        ],
    }  # fmt: skip
