"""Pipelines that cheat on purpose, and how much cheating, or being late, would earn.

A check that has never failed proves nothing. `CANARIES` are markets whose preparation reads the
future in the two ways that happen in earnest: a band that knows the next minute, and a premarket
snapshot that knows today's daily bar. The check must catch each of them on the very data on which
it clears the pipeline.

Shifting what decides while the fills stay true also says what time is worth: decisions on a band
that is a minute late cost what a minute's delay costs; decisions on one that is a minute early
gain what no one can have. A pipeline that already peeks would lose that gain with the delay.
"""

from dataclasses import dataclass, replace

import numpy as np

from advisor.bootstrap import ReplayOptions
from advisor.lookahead.observing import Leak, observe
from advisor.market import Market
from advisor.settings import Settings
from quant_core.bars import BarSeries, Floats
from quant_core.bootstrap import PairedDifference, paired_difference
from quant_core.premarket import SymbolHistory
from quant_core.tracks import Track
from quant_core.types import LaneDay

BASELINE = ReplayOptions(analyst="none", validation="off")
_COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The baseline with its decisions `late` minutes late (negative: early) and true fills.

    `gain` is what it earned a day more than the true run, in dollars, with its interval.
    """

    late: int
    trades: int
    pnl: float
    gain: PairedDifference


def minutes_late(late: int) -> Leak:
    """What decides (band, z, ATR) comes a number of minutes late; negative: from the future."""

    def shift(values: Floats) -> Floats:
        moved = np.full(len(values), np.nan)
        if late >= 0:
            moved[late:] = values[: len(values) - late]
        else:
            moved[:late] = values[-late:]
        return moved

    def leak(market: Market) -> Market:
        tracks = tuple(
            Track(one.bars, shift(one.mean), shift(one.deviation), shift(one.z), shift(one.atr_5m))
            for one in market.tracks
        )
        return replace(market, tracks=tracks)

    return leak


def todays_daily_bar(market: Market) -> Market:
    """The premarket snapshot sees the daily bar of the session it is made for."""
    histories = tuple(
        SymbolHistory.of(one.symbol, bars, _a_day_early(one.daily), market.calendar)
        for one, bars in zip(market.histories, market.minutes, strict=True)
    )
    return replace(market, histories=histories)


def _a_day_early(daily: BarSeries | None) -> BarSeries | None:
    if daily is None or len(daily) == 0:
        return daily
    early = {name: getattr(daily, name)[1:] for name in _COLUMNS}
    return replace(daily.part(slice(0, len(daily) - 1)), **early)


CANARIES: dict[str, Leak] = {
    "a band that knows the next minute": minutes_late(-1),
    "a snapshot that knows today's daily bar": todays_daily_bar,
}


def timings(market: Market, settings: Settings, seed: int) -> list[Timing]:
    """The baseline a minute early, on time and a minute late."""
    close = [market.sessions[-1].close]
    runs = {
        late: observe(minutes_late(late)(market), BASELINE, settings, close)[0]
        for late in (-1, 0, 1)
    }
    profits = {late: _profits(said.rows["days"]) for late, said in runs.items()}
    return [
        Timing(
            late=late,
            trades=len(said.rows["trades"]),
            pnl=float(profits[late].sum()),
            gain=paired_difference(profits[late], profits[0], seed),
        )
        for late, said in runs.items()
    ]


def _profits(days: tuple[tuple[str, object], ...]) -> Floats:
    kept = [day for _, day in days if isinstance(day, LaneDay)]
    return np.array([day.end_equity - day.start_equity for day in kept])
