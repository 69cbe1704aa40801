"""The rules analyst and the rules validator: deterministic opinions for when no model is asked.

They do what a model is asked to do (multipliers on the thresholds, a ruling on a signal) by a few
stated rules on breadth, volatility and trend, so that the loop around them is the same with and
without a model, and a model has something to be better than. They claim no edge: the lanes
measure what they are worth.

Analyst. *Breadth* is the mean sign of z over symbols with |z| ≥ 0.5: near ±1 the market moves as
one, near 0 it is mixed. *Volatility* is the median `range_ratio`. *Trend* is the mean `htf_trend`.
  one-way (|breadth| ≥ 0.6)  mean reversion is harder (arm × 1.25), and continuation easier
                              (arm × 0.85) when the trend agrees with the move
  mixed (|breadth| ≤ 0.2)     mean reversion is easier (arm × 0.90), continuation harder (× 1.15)
  volatile (ratio ≥ 1.3)      every arm × 1.15, reversion waits for a deeper return (trigger × 0.8)
  quiet (ratio ≤ 0.8)         every arm × 0.95
Confidence is 40 + 30·|breadth| + 30·(share of symbols with a ready band), 0 to 100.

Validator. A reversion against a one-way market in a volatile hour is vetoed; against a one-way
market alone it is halved; a continuation after |z| ≥ 3 is halved (late); the rest is approved.
Confidence is the chance of a profit: 30 for a veto, 40 for a reduction, 60 for an approval.
"""

from dataclasses import dataclass

import numpy as np

from quant_core.market_view import MarketView
from quant_core.types import Analysis, Multipliers, Setup, Signal, Verdict

ANALYST = "rules.v1"
VALIDATOR = "rules.v2"
ONE_WAY = 0.6
MIXED = 0.2
VOLATILE = 1.3
QUIET = 0.8
STRETCHED_Z = 3.0


@dataclass(frozen=True, slots=True)
class Conditions:
    """Breadth in [-1, 1], volatility ratio, mean trend, and the share of symbols with a z."""

    breadth: float
    volatility: float
    trend: float
    ready: float

    @classmethod
    def of(cls, view: MarketView) -> "Conditions":
        """Measure the market in a view; what cannot be measured yet is neutral."""
        z = np.array([symbol.z for symbol in view.symbols])
        ready = ~np.isnan(z)
        signs = np.where(np.abs(z[ready]) >= 0.5, np.sign(z[ready]), 0.0)
        ratios = np.array([symbol.range_ratio for symbol in view.symbols])
        ratios = ratios[np.isfinite(ratios)]
        return cls(
            breadth=float(np.mean(signs)) if len(signs) else 0.0,
            volatility=float(np.median(ratios)) if len(ratios) else 1.0,
            trend=float(np.mean([symbol.htf_trend for symbol in view.symbols])),
            ready=float(np.mean(ready)),
        )

    def in_words(self) -> str:
        """One sentence for people."""
        if abs(self.breadth) >= ONE_WAY:
            flow = f"one-way {'up' if self.breadth > 0 else 'down'}"
        else:
            flow = "mixed" if abs(self.breadth) <= MIXED else "leaning"
        mood = "normal"
        if self.volatility >= VOLATILE:
            mood = "volatile"
        elif self.volatility <= QUIET:
            mood = "quiet"
        return (
            f"Market {flow} (breadth {self.breadth:+.2f}), {mood} "
            f"(5-minute range {self.volatility:.2f}× its premarket value), "
            f"higher-timeframe trend {self.trend:+.2f}."
        )


def analyse(view: MarketView) -> Analysis:
    """The rules analyst's multipliers for a view, with its reasons."""
    market = Conditions.of(view)
    factors = {"mr_arm": 1.0, "mr_trigger": 1.0, "tc_arm": 1.0, "tc_trigger": 1.0}
    reasons = []
    if market.ready > 0 and abs(market.breadth) >= ONE_WAY:
        factors["mr_arm"] *= 1.25
        reasons.append("one-way market: mean reversion harder")
        if market.breadth * market.trend > 0:
            factors["tc_arm"] *= 0.85
            reasons.append("trend agrees: continuation easier")
    elif market.ready > 0 and abs(market.breadth) <= MIXED:
        factors["mr_arm"] *= 0.90
        factors["tc_arm"] *= 1.15
        reasons.append("mixed market: mean reversion easier, continuation harder")
    if market.volatility >= VOLATILE:
        factors["mr_arm"] *= 1.15
        factors["tc_arm"] *= 1.15
        factors["mr_trigger"] *= 0.80
        reasons.append("volatile: wider arms, deeper return")
    elif market.volatility <= QUIET:
        factors["mr_arm"] *= 0.95
        factors["tc_arm"] *= 0.95
        reasons.append("quiet: slightly narrower arms")
    return Analysis(
        as_of=view.as_of,
        analyst=ANALYST,
        multipliers=Multipliers.clamped(factors),
        confidence=round(40.0 + 30.0 * abs(market.breadth) + 30.0 * market.ready, 1),
        assessment=market.in_words(),
        opportunities=_opportunities(view),
        reasoning="; ".join(reasons) or "nothing unusual: base thresholds",
        evidence=tuple(
            f"{symbol.symbol}.{name}" for symbol in view.symbols for name in ("z", "range_ratio")
        ),
    )


def _opportunities(view: MarketView) -> tuple[str, ...]:
    """The most stretched symbols, the ones a setup may come from next."""
    stretched = [symbol for symbol in view.symbols if abs(symbol.z) >= 1.0]
    stretched.sort(key=lambda symbol: -abs(symbol.z))
    return tuple(f"{symbol.symbol} at z {symbol.z:+.2f}" for symbol in stretched[:3])


def validate(signal: Signal, view: MarketView) -> Verdict:
    """The rules validator's ruling on a signal."""
    market = Conditions.of(view)
    evidence = tuple(f"{symbol.symbol}.z" for symbol in view.symbols)
    against = abs(market.breadth) >= ONE_WAY and market.breadth * signal.side < 0
    if signal.setup is Setup.MEAN_REVERSION and against:
        if market.volatility >= VOLATILE:
            return Verdict(
                ruling="veto",
                confidence=30.0,
                evidence=evidence,
                validator=VALIDATOR,
                reasoning="reversion against a one-way, volatile market",
            )
        return Verdict(
            ruling="reduce",
            size_factor=0.5,
            confidence=40.0,
            evidence=evidence,
            validator=VALIDATOR,
            reasoning="reversion against a one-way market",
        )
    if signal.setup is Setup.TREND_CONTINUATION and abs(signal.z) >= STRETCHED_Z:
        return Verdict(
            ruling="reduce",
            size_factor=0.5,
            confidence=40.0,
            evidence=evidence,
            validator=VALIDATOR,
            reasoning=f"continuation is late at z {signal.z:+.2f}",
        )
    return Verdict(
        ruling="approve",
        confidence=60.0,
        evidence=evidence,
        validator=VALIDATOR,
        reasoning="no rule speaks against it",
    )
