"""The catalogue's formulas, written a second time as plainly as possible, give the same values."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from quant_core.features import FeatureTable, compute
from tests.quant_core.features.worlds import CALENDAR, walk

Formula = Callable[[pd.DataFrame, FeatureTable], pd.Series]


def signed_runs(sides: np.ndarray) -> list[int]:
    runs: list[int] = []
    for side in sides:
        before = runs[-1] if runs else 0
        runs.append(0 if side == 0 else int(side) + (before if before * side > 0 else 0))
    return runs


def age_of_cross(fast: pd.Series, slow: pd.Series) -> pd.Series:
    ages = signed_runs(np.sign(fast - slow).fillna(0.0).to_numpy())
    return pd.Series(ages, fast.index).clip(-100, 100).where(slow.notna())


def late_ema(close: pd.Series, period: int) -> pd.Series:
    """EMA seeded by the mean of its first values, written as a loop."""
    values = np.full(len(close), np.nan)
    values[period - 1] = close[:period].mean()
    for k in range(period, len(close)):
        values[k] = values[k - 1] + (close[k] - values[k - 1]) * 2 / (period + 1)
    return pd.Series(values, close.index)


def slope(name: str) -> Formula:
    def formula(b: pd.DataFrame, t: FeatureTable) -> pd.Series:
        line = pd.Series(t[name])
        return (line - line.shift(3)) / t["atr_14"]

    return formula


def over(name: str) -> Formula:
    return lambda b, t: b.close / t[name] - 1


def share(signed: pd.Series, volume: pd.Series, period: int) -> pd.Series:
    total = volume.rolling(period).sum()
    return (signed.rolling(period).sum() / total).where(total > 0, 0.0).where(total.notna())


def session_vwap(b: pd.DataFrame, deviations: float) -> pd.Series:
    typical = (b.high + b.low + b.close) / 3
    values = []
    for k in range(len(b)):
        first = b.index[b.session == b.session[k]][0]
        price, weight = typical[first : k + 1].to_numpy(), b.volume[first : k + 1].to_numpy()
        if weight.sum() == 0:
            values.append(typical[k])
            continue
        mean = (price * weight).sum() / weight.sum()
        values.append(
            mean + deviations * np.sqrt((weight * (price - mean) ** 2).sum() / weight.sum())
        )
    return pd.Series(values)


def trend(b: pd.DataFrame, t: FeatureTable) -> pd.Series:
    up = (b.close > t["ema_20"]) & (t["ema_20"] > t["ema_50"])
    down = (b.close < t["ema_20"]) & (t["ema_20"] < t["ema_50"])
    return (up * 1.0 - down * 1.0).where(~np.isnan(t["ema_50"]))


def squeezed(t: FeatureTable) -> np.ndarray:
    return (t["bb_upper"] < t["kc_upper"]) & (t["bb_lower"] > t["kc_lower"])


def spread(b: pd.DataFrame) -> pd.Series:
    return (b.high - b.low).replace(0.0, np.nan)


EMAS = ("ema_5", "ema_10", "ema_20", "ema_50", "ema_100", "ema_200")
FORMULAS: dict[str, Formula] = {
    **{f"price_to_{n}": over(n) for n in ("sma_20", "sma_50", "sma_200", "ema_20", "vwma_20")},
    **{f"{name}_slope": slope(name) for name in ("sma_20", "sma_50", "ema_20")},
    "ribbon_count": lambda b, t: pd.Series(
        sum(np.sign(t[shorter] - t[longer]) for shorter, longer in pairwise(EMAS))
    ),
    "bb_width": lambda b, t: pd.Series((t["bb_upper"] - t["bb_lower"]) / t["sma_20"]),
    "bb_percent_b": lambda b, t: (b.close - t["bb_lower"]) / (t["bb_upper"] - t["bb_lower"]),
    "kc_position": lambda b, t: (
        (b.close - (t["kc_upper"] + t["kc_lower"]) / 2) / ((t["kc_upper"] - t["kc_lower"]) / 2)
    ),
    "squeeze": lambda b, t: pd.Series(np.where(np.isnan(t["kc_upper"]), np.nan, squeezed(t))),
    "squeeze_bars": lambda b, t: (
        pd.Series(signed_runs(squeezed(t))).clip(upper=100).where(~np.isnan(t["kc_upper"]))
    ),
    "volume_zscore_20": lambda b, t: (
        (b.volume - b.volume.rolling(20).mean()) / b.volume.rolling(20).std(ddof=0)
    ),
    "obv_slope_10": lambda b, t: share(
        b.volume * np.sign(b.close.diff()).fillna(1.0), b.volume, 10
    ).where(b.index >= 10),
    "volume_delta": lambda b, t: (b.volume * (b.close - b.open) / spread(b)).fillna(0.0),
    "volume_delta_20": lambda b, t: share(
        (b.volume * (b.close - b.open) / spread(b)).fillna(0.0), b.volume, 20
    ),
    "candle_dir": lambda b, t: np.sign(b.close - b.open),
    "body_ratio": lambda b, t: ((b.close - b.open).abs() / spread(b)).fillna(0.0),
    "upper_wick": lambda b, t: ((b.high - b[["open", "close"]].max(axis=1)) / spread(b)).fillna(
        0.0
    ),
    "lower_wick": lambda b, t: ((b[["open", "close"]].min(axis=1) - b.low) / spread(b)).fillna(0.0),
    "close_position": lambda b, t: ((b.close - b.low) / spread(b)).fillna(0.5),
    "inside_outside": lambda b, t: (
        ((b.high > b.high.shift()) & (b.low < b.low.shift())) * 1.0
        - ((b.high <= b.high.shift()) & (b.low >= b.low.shift())) * 1.0
    ).where(b.index >= 1),
    "run_length": lambda b, t: pd.Series(signed_runs(np.sign(b.close.diff().fillna(0.0)))).where(
        b.index >= 1
    ),
    "higher_highs_10": lambda b, t: (
        (b.high > b.high.shift()).rolling(10).sum().where(b.index >= 10)
    ),
    "lower_lows_10": lambda b, t: (b.low < b.low.shift()).rolling(10).sum().where(b.index >= 10),
    "breakout_20": lambda b, t: (
        (b.close > b.high.rolling(20).max().shift()) * 1.0
        - (b.close < b.low.rolling(20).min().shift()) * 1.0
    ).where(b.index >= 20),
    "gap": lambda b, t: b.open / b.close.shift() - 1,
    "session_gap": lambda b, t: (
        (b.groupby("session").open.first() / b.groupby("session").close.last().shift() - 1)
        .loc[b.session]
        .reset_index(drop=True)
    ),
    "vwap": lambda b, t: session_vwap(b, 0.0),
    **{
        f"vwap_{side}_{n}": lambda b, t, n=n, sign=sign: session_vwap(b, sign * n)
        for n in (1, 2)
        for side, sign in (("upper", 1), ("lower", -1))
    },
    "vwap_distance": over("vwap"),
    "vwap_position": lambda b, t: (
        (b.close - t["vwap"]) / pd.Series(t["vwap_upper_1"] - t["vwap"]).replace(0.0, np.nan)
    ).fillna(0.0),
    **{f"return_{n}": lambda b, t, n=n: b.close.pct_change(n) for n in (1, 5, 15)},
    "return_atr": lambda b, t: b.close.diff() / t["atr_14"],
    "macd_hist_slope": lambda b, t: pd.Series(t["macd_hist"]).diff(),
    "ema_cross_5_20": lambda b, t: age_of_cross(pd.Series(t["ema_5"]), pd.Series(t["ema_20"])),
    "ema_cross_12_26": lambda b, t: age_of_cross(late_ema(b.close, 12), late_ema(b.close, 26)),
    "trend": trend,
    "trend_adx": lambda b, t: trend(b, t) * t["adx_14"] / 100,
    "rsi_volume": lambda b, t: pd.Series((t["rsi_14"] - 50) / 50 * t["volume_ratio_20"]),
    "vwap_volume": lambda b, t: pd.Series(t["vwap_position"] * t["volume_ratio_20"]),
}


@pytest.fixture(scope="module")
def world() -> tuple[pd.DataFrame, FeatureTable]:
    bars = walk(99, 1100, missing=0.05, idle=0.15)
    table = pd.DataFrame(
        {
            name: getattr(bars, name)
            for name in ("open", "high", "low", "close", "volume", "session")
        }
    )
    return table, compute(bars, "1min", CALENDAR)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_value_is_the_formula(name: str, world: tuple[pd.DataFrame, FeatureTable]) -> None:
    bars, table = world
    with np.errstate(invalid="ignore", divide="ignore"):
        want = np.asarray(FORMULAS[name](bars, table), float)
    got = table[name]
    if name == "volume_zscore_20":  # 0 where all 20 volumes are equal
        want = np.where(bars.volume.rolling(20).std(ddof=0) < 1e-9, 0.0, want)
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)
