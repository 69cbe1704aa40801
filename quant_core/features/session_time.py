"""Where in its session a bar closes. Read from the exchange calendar, so half-days are right."""

import math
from typing import Any

from quant_core.compiled import compiled
from quant_core.features.feature import COUNT, FLAG, MINUTES, RATIO, Feature

FAMILY = "time"
FEATURES = (
    Feature(
        "minutes_since_open",
        MINUTES,
        1,
        "minutes from the session's open to the bar's end",
        "XNYS calendar",
        low=1.0,
        high=390.0,
    ),
    Feature(
        "minutes_to_close",
        MINUTES,
        1,
        "minutes from the bar's end to the session's close, early closes included",
        "XNYS calendar",
        low=0.0,
        high=389.0,
    ),
    Feature(
        "session_progress",
        RATIO,
        1,
        "minutes_since_open / length of the session",
        "XNYS calendar",
        low=0.0,
        high=1.0,
    ),
    Feature(
        "time_sin", RATIO, 1, "sin(2 pi * session_progress)", "XNYS calendar", low=-1.0, high=1.0
    ),
    Feature(
        "time_cos", RATIO, 1, "cos(2 pi * session_progress)", "XNYS calendar", low=-1.0, high=1.0
    ),
    Feature("day_of_week", COUNT, 1, "0 Monday ... 4 Friday", "XNYS calendar", high=4.0),
    Feature(
        "opening_range", FLAG, 1, "1 when the bar ends in the first 30 minutes", "XNYS calendar"
    ),
    Feature("power_hour", FLAG, 1, "1 when the bar ends in the last 60 minutes", "XNYS calendar"),
)

_DAY = 24 * 60
_THURSDAY = 3  # 1 January 1970


@compiled
def step(window: Any, row: Any) -> None:
    """Fill the time features of the newest bar."""
    since = window.end - window.session_open
    length = window.session_close - window.session_open
    progress = since / length
    row.minutes_since_open = since
    row.minutes_to_close = window.session_close - window.end
    row.session_progress = progress
    row.time_sin = math.sin(2.0 * math.pi * progress)
    row.time_cos = math.cos(2.0 * math.pi * progress)
    row.day_of_week = (window.session_open // _DAY + _THURSDAY) % 7
    row.opening_range = 1.0 if since <= 30 else 0.0
    row.power_hour = 1.0 if window.session_close - window.end < 60 else 0.0
