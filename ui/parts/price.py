"""The chart of one symbol's session: candles with band and marks, z with arms, multipliers.

Three panels share the axis of time. The band is μ ± the MR arm's z as it was in force; the ledger
keeps closes, so a candle's high and low are those of its minute closes.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from advisor.api import schemas
from ui import words
from ui.parts.charts import AMBER, BLUE, GREEN, GREY, ORANGE, VIOLET, Option, categories, tidy

FACTORS = ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger")
_NAMES = {"mr_arm": "MR arm ×", "mr_trigger": "MR trigger ×", "tc_arm": "TC arm ×",
          "tc_trigger": "TC trigger ×"}  # fmt: skip
_HUES = {"mr_arm": AMBER, "mr_trigger": ORANGE, "tc_arm": VIOLET, "tc_trigger": BLUE}
_SPACE = (("7%", "52%"), ("64%", "15%"), ("84%", "8%"))


@dataclass(frozen=True, slots=True)
class Session:
    """What is drawn: one symbol's candles with what was decided about it."""

    candles: Sequence[schemas.Candle]
    log: Sequence[schemas.LogEntry]
    analyses: Sequence[schemas.Analysis]
    thresholds: Mapping[str, float]
    expiry_minutes: int = 30


def price_chart(session: Session) -> Option:
    """The options of the chart."""
    labels = [f"{words.local(one.time):%H:%M}" for one in session.candles]
    factors = [_in_force(one.time, session) for one in session.candles]
    arms = {
        name: [session.thresholds.get(f"{name}_z", 0.0) * one[name] for one in factors]
        for name in ("mr_arm", "tc_arm")
    }
    return {
        "animation": False,
        "legend": {"top": 0, "left": "center", "itemWidth": 14, "itemHeight": 9, "type": "scroll",
                   "data": ["Price", "μ", "Armed", "Signal", "Entry", "Exit"]},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "cross"}, "confine": True},
        "axisPointer": {"link": [{"xAxisIndex": "all"}]},
        "grid": [{"left": 52, "right": 16, "top": top, "height": height}
                 for top, height in _SPACE],
        "xAxis": [categories(labels, gridIndex=at, axisLabel={"show": at == 2}) for at in range(3)],
        "yAxis": [
            {"type": "value", "scale": True, "gridIndex": 0, "splitNumber": 5},
            {"type": "value", "gridIndex": 1, "name": "z", "nameGap": 4, "splitNumber": 3},
            {"type": "value", "gridIndex": 2, "name": "×", "nameGap": 4, "min": 0.5, "max": 2,
             "splitNumber": 2},
        ],
        "dataZoom": [{"type": "inside", "xAxisIndex": [0, 1, 2]}],
        "series": [
            *_candles(session.candles, arms["mr_arm"]),
            *_marks(labels, session),
            *_z(session.candles, arms),
            *(_step(name, [one[name] for one in factors]) for name in FACTORS),
        ],
    }  # fmt: skip


def _in_force(moment: datetime, session: Session) -> Mapping[str, float]:
    """The factors that scaled a bar; all one when nothing was in force."""
    times = [one.as_of for one in session.analyses]
    at = bisect_right(times, moment) - 1
    none = dict.fromkeys(FACTORS, 1.0)
    if at < 0:
        return none
    age = (moment - times[at]).total_seconds() / 60
    return session.analyses[at].multipliers.model_dump() if age < session.expiry_minutes else none


def _candles(found: Sequence[schemas.Candle], arms: Sequence[float]) -> list[Option]:
    prices = [tidy((one.open, one.close, one.low, one.high), 3) for one in found]
    band = [
        (one.mean - arm * one.deviation, 2 * arm * one.deviation)
        if one.mean is not None and one.deviation is not None
        else (None, None)
        for one, arm in zip(found, arms, strict=True)
    ]
    hidden: Option = {"type": "line", "stack": "band", "symbol": "none", "silent": True,
                      "lineStyle": {"opacity": 0}, "tooltip": {"show": False},
                      "stackStrategy": "all"}  # fmt: skip
    return [
        {"type": "candlestick", "name": "Price", "data": prices,
         "itemStyle": {"color": BLUE, "borderColor": BLUE, "color0": ORANGE,
                       "borderColor0": ORANGE}},
        {"type": "line", "name": "μ", "data": tidy([one.mean for one in found], 3),
         "symbol": "none", "lineStyle": {"width": 1, "color": GREY},
         "itemStyle": {"color": GREY}},
        {**hidden, "name": "band low", "data": tidy([low for low, _ in band], 3)},
        {**hidden, "name": "band", "data": tidy([width for _, width in band], 3),
         "areaStyle": {"color": GREY, "opacity": 0.14}},
    ]  # fmt: skip


def _marks(labels: Sequence[str], session: Session) -> list[Option]:
    """Arms, signals, entries and exits, each at the bar of its minute."""
    found: dict[str, list[Option]] = {"Armed": [], "Signal": [], "Entry": [], "Exit": []}
    times = [one.time for one in session.candles]
    for entry in session.log:
        record: Any = entry.record
        at = bisect_right(times, getattr(record, "time", entry.known_at)) - 1
        if at < 0:
            continue
        if isinstance(record, schemas.Transition) and record.reason == "armed":
            found["Armed"].append(_mark(labels[at], session.candles[at].close, "diamond", 9))
        elif isinstance(record, schemas.Signal):
            turn = 0 if record.side == "long" else 180
            found["Signal"].append(_mark(labels[at], record.price, "triangle", 12, turn))
        elif isinstance(record, schemas.Fill):
            name = "Entry" if record.reason == "entry" else "Exit"
            found[name].append(_mark(labels[at], record.price, "circle", 11))
    hues = {"Armed": AMBER, "Signal": VIOLET, "Entry": GREEN, "Exit": ORANGE}
    shapes = {"Armed": "diamond", "Signal": "triangle", "Entry": "circle", "Exit": "circle"}
    return [
        {"type": "scatter", "name": name, "data": data, "symbol": shapes[name], "z": 10,
         "itemStyle": {"color": hues[name] if name != "Exit" else "transparent",
                       "borderColor": hues[name], "borderWidth": 2}}
        for name, data in found.items()
    ]  # fmt: skip


def _mark(label: str, price: float | None, symbol: str, size: int, turn: int = 0) -> Option:
    return {"value": [label, None if price is None else round(price, 3)], "symbol": symbol,
            "symbolSize": size, "symbolRotate": turn}  # fmt: skip


def _z(found: Sequence[schemas.Candle], arms: Mapping[str, Sequence[float]]) -> list[Option]:
    where: Option = {"xAxisIndex": 1, "yAxisIndex": 1, "symbol": "none"}
    lines: list[Option] = [
        {**where, "type": "line", "name": "z", "data": tidy([one.z for one in found]),
         "lineStyle": {"width": 1.3, "color": BLUE}, "itemStyle": {"color": BLUE}}
    ]  # fmt: skip
    lines += [
        {**where, "type": "line", "name": f"{name} {sign}", "step": "end", "silent": True,
         "data": tidy([sign * one for one in arms[name]]), "tooltip": {"show": False},
         "lineStyle": {"width": 1, "type": "dashed", "color": hue}}
        for name, hue in (("mr_arm", AMBER), ("tc_arm", VIOLET))
        for sign in (1, -1)
    ]  # fmt: skip
    return lines


def _step(name: str, values: Sequence[float]) -> Option:
    return {
        "type": "line", "name": _NAMES[name], "data": tidy(values), "step": "end",
        "symbol": "none", "xAxisIndex": 2, "yAxisIndex": 2,
        "lineStyle": {"width": 1.4, "color": _HUES[name]}, "itemStyle": {"color": _HUES[name]},
    }  # fmt: skip
