"""The premarket without a model: a bias for each symbol and the market, by a few stated rules.

A symbol is bullish or bearish as its higher-timeframe trend says, choppy without one. Confidence
is 55, + 10 when the swings agree, ± 10 as the premarket gap (at least 0.3 %) agrees or not. A
symbol whose snapshot is incomplete is choppy with confidence 0: nothing is claimed. The market's
bias is SPY's. Volatility by VIX: low under 15, high over 25, normal between or when not known.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from quant_core.types import Bias, DailyBias, MarketContext, Snapshot, Status

RULES = "rules.v1"
MARKET = "SPY"
GAP_PERCENT = 0.3
CALM_VIX, ALARMED_VIX = 15.0, 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Premarket:
    """A prepared day: biases, context, and a summary for people."""

    as_of: datetime
    date: date
    biases: tuple[DailyBias, ...]
    context: MarketContext
    summary: str
    status: Status = Status.OK
    degraded_reason: str = ""


def gap(snapshot: Snapshot, price: float) -> float:
    """Premarket price against the previous close, in percent; NaN when either is unknown."""
    return 100.0 * (price / snapshot.previous_close - 1.0)


def bias_of(snapshot: Snapshot, price: float) -> dict[str, Any]:
    """The rules' bias for a symbol, as plain values."""
    words: Mapping[int, Bias] = {1: "bullish", -1: "bearish", 0: "choppy"}
    trend = 0 if snapshot.incomplete else snapshot.htf_trend
    confidence, reasons = 55.0, [f"higher-timeframe trend {trend:+d}"]
    if snapshot.incomplete:
        confidence, reasons = 0.0, [f"incomplete: {', '.join(snapshot.incomplete)}"[:200]]
    elif trend:
        if snapshot.hh_ll_tag == ("HH" if trend > 0 else "LL"):
            confidence, reasons = confidence + 10.0, [*reasons, f"swings {snapshot.hh_ll_tag}"]
        move = gap(snapshot, price)
        if math.isfinite(move) and abs(move) >= GAP_PERCENT:
            agrees = move * trend > 0
            confidence += 10.0 if agrees else -10.0
            reasons.append(f"gap {move:+.2f} % {'agrees' if agrees else 'disagrees'}")
    return {
        "bias": words[trend],
        "confidence": confidence,
        "reasoning": "; ".join(reasons),
        "news_summary": "",
        "evidence": [f"{snapshot.symbol}.htf_trend"],
        "analyst": RULES,
    }


def context_of(biases: Mapping[str, Mapping[str, Any]], vix: float) -> dict[str, Any]:
    """The rules' market context, as plain values."""
    spy = biases.get(MARKET, {"bias": "choppy", "confidence": 0.0})
    volatility = "low" if vix < CALM_VIX else "high" if vix > ALARMED_VIX else "normal"
    known = f"VIX {vix:.2f} ({volatility})" if math.isfinite(vix) else "VIX is not known"
    said = f"{MARKET} {spy['bias']}" if MARKET in biases else f"{MARKET} is not on the watchlist"
    return {
        "bias": spy["bias"],
        "volatility": volatility,
        "confidence": spy["confidence"],
        "summary": f"{said}; {known}.",
        "evidence": [f"{MARKET}.htf_trend"] if MARKET in biases else [],
        "analyst": RULES,
    }


def summary_of(
    biases: Mapping[str, Mapping[str, Any]], context: Mapping[str, Any], vix: float
) -> str:
    """What people read: the context, then one line a symbol."""
    known = f", VIX {vix:.2f}" if math.isfinite(vix) else ""
    head = f"Market {context['bias']} ({context['confidence']:.0f} %), volatility "
    lines = [f"{head}{context['volatility']}{known}. {context['summary']}"]
    for symbol, one in biases.items():
        why = one["news_summary"] or one["reasoning"]
        lines.append(f"{symbol}: {one['bias']} ({one['confidence']:.0f} %) {why}".strip())
    return "\n".join(lines)
