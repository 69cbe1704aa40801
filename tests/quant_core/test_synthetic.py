"""The synthetic market: its invariants, its statistics, and how they compare with recorded ones.

Tolerances are wide enough for the sampling error of some dozens of sessions and narrow enough
that a missing property (no smile, thin tails, no clustering, no reversion) fails.
"""

import hashlib
import os
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_core.bands import MINIMUM, WINDOW, band
from quant_core.bars import accept_days, accept_minutes, aggregate, gaps
from quant_core.calendar import NEW_YORK, Calendar, xnys
from quant_core.premarket import SymbolHistory
from quant_core.synthetic import (
    DEMO_DATE,
    DEMO_SEED,
    DEMO_SYMBOLS,
    HISTORY_SESSIONS,
    SyntheticMarket,
    synthetic_market,
)
from quant_core.synthetic_bars import KNOWN, traits
from quant_core.synthetic_factors import REGIMES

DATA = Path(os.environ.get("ADVISOR_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
recorded = pytest.mark.skipif(
    not (DATA / "bars").is_dir(), reason=f"needs recorded bars in {DATA} (ADVISOR_TEST_DATA)"
)
CALENDAR = xnys(2013, 2026)
COLUMNS = ("start", "open", "high", "low", "close", "volume")
THIN = "REED"


@lru_cache(maxsize=1)
def long_market() -> SyntheticMarket:
    """About 130 sessions of minutes."""
    first, last = date(2026, 4, 1), DEMO_DATE
    return synthetic_market((*DEMO_SYMBOLS, THIN), first, last, CALENDAR, 5)


def frame(market: SyntheticMarket, symbol: str) -> pd.DataFrame:
    raw = market.minutes[symbol]
    columns = {name: getattr(raw, name) for name in COLUMNS[1:]}
    return pd.DataFrame({"minute": raw.start // 60_000_000} | columns)


def same(left: object, right: object, where: slice = slice(None)) -> bool:
    return all(np.array_equal(getattr(left, name)[where], getattr(right, name)) for name in COLUMNS)


# --- same arguments, same arrays; what else may change without changing them ---------------------


def test_the_same_arguments_give_the_same_arrays() -> None:
    day = date(2026, 10, 13)
    one = synthetic_market(DEMO_SYMBOLS, day, day, CALENDAR, 3)
    two = synthetic_market(DEMO_SYMBOLS, day, day, CALENDAR, 3)
    other = synthetic_market(DEMO_SYMBOLS, day, day, CALENDAR, 4)
    for symbol in DEMO_SYMBOLS:
        assert same(one.minutes[symbol], two.minutes[symbol])
        assert same(one.daily[symbol], two.daily[symbol])
        assert np.array_equal(one.spread[symbol], two.spread[symbol])
        assert not same(one.minutes[symbol], other.minutes[symbol])


def test_the_demo_session_is_this_one_on_every_machine() -> None:
    market = synthetic_market(DEMO_SYMBOLS, DEMO_DATE, DEMO_DATE, CALENDAR, DEMO_SEED)
    digest = hashlib.sha256()
    for symbol in DEMO_SYMBOLS:
        for raw in (market.minutes[symbol], market.daily[symbol]):
            for name in COLUMNS:
                scale = 100.0 if name in COLUMNS[1:5] else 1.0
                whole = np.rint(getattr(raw, name) * scale).astype("<i8")
                digest.update(whole.tobytes())
        digest.update(np.rint(market.spread[symbol] * 100.0).astype("<i8").tobytes())
    assert digest.hexdigest()[:16] == "77bb02d67fab7446"


def test_a_session_is_the_same_whatever_else_is_asked_for() -> None:
    first, last = date(2026, 9, 28), DEMO_DATE
    wide = synthetic_market(("ABCD", "TSLA", "SPY"), first, last, xnys(2022, 2026), 8)
    for day in (date(2026, 9, 30), DEMO_DATE):
        alone = synthetic_market(("SPY",), day, day, xnys(2025, 2026), 8)
        start = alone.minutes["SPY"].start[0]
        low = int(np.searchsorted(wide.minutes["SPY"].start, start))
        where = slice(low, low + 390)
        assert same(wide.minutes["SPY"], alone.minutes["SPY"], where)
        assert np.array_equal(wide.spread["SPY"][where], alone.spread["SPY"])
        days, theirs = wide.daily["SPY"], alone.daily["SPY"]
        common = np.intersect1d(days.start, theirs.start)
        for name in COLUMNS:
            assert np.array_equal(
                getattr(days, name)[np.isin(days.start, common)],
                getattr(theirs, name)[np.isin(theirs.start, common)],
            )


def test_a_new_year_breaks_nothing() -> None:
    across = synthetic_market(("SPY",), date(2025, 12, 29), date(2026, 1, 5), CALENDAR, 2)
    before = synthetic_market(("SPY",), date(2025, 12, 29), date(2025, 12, 31), CALENDAR, 2)
    assert same(across.minutes["SPY"], before.minutes["SPY"], slice(0, 3 * 390))
    steps = np.abs(np.diff(np.log(across.daily["SPY"].close)))
    assert steps[-5:].max() < 0.05


def test_a_range_without_a_session_is_refused() -> None:
    with pytest.raises(ValueError, match="no session from 2026-10-10 to 2026-10-11"):
        synthetic_market(("SPY",), date(2026, 10, 10), date(2026, 10, 11), CALENDAR, 1)


def test_a_calendar_without_the_history_is_refused() -> None:
    with pytest.raises(ValueError, match="sessions before 2026-10-14"):
        synthetic_market(("SPY",), DEMO_DATE, DEMO_DATE, xnys(2026, 2026), 1)


# --- rows that pass every check, minutes that add up to days -------------------------------------


@pytest.mark.parametrize("symbol", [*DEMO_SYMBOLS, THIN])
def test_every_row_passes_the_checks_of_real_rows(symbol: str) -> None:
    market = long_market()
    _, minute_codes = accept_minutes(market.minutes[symbol], CALENDAR)
    days, day_codes = accept_days(market.daily[symbol], CALENDAR)
    assert not minute_codes.any()
    assert not day_codes.any()
    sessions = len(CALENDAR.between(date(2026, 4, 1), DEMO_DATE))
    assert len(days) == HISTORY_SESSIONS + sessions
    assert np.all(np.diff(days.session) == 1)
    assert {market.minutes[symbol].feed, market.daily[symbol].feed} == {"synthetic"}


@pytest.mark.parametrize("symbol", [*DEMO_SYMBOLS, THIN])
def test_prices_are_cents_and_volumes_whole(symbol: str) -> None:
    market = long_market()
    for raw in (market.minutes[symbol], market.daily[symbol]):
        for name in COLUMNS[1:5]:
            prices = getattr(raw, name)
            assert np.array_equal(prices, np.rint(prices * 100.0) / 100.0)
        assert np.array_equal(raw.volume, np.rint(raw.volume))
        assert raw.volume.min() >= 1.0


@pytest.mark.parametrize("symbol", [*DEMO_SYMBOLS, THIN])
def test_a_daily_bar_is_the_sum_of_its_minutes(symbol: str) -> None:
    market = long_market()
    minutes, _ = accept_minutes(market.minutes[symbol], CALENDAR)
    days, _ = accept_days(market.daily[symbol], CALENDAR)
    summed = aggregate(minutes, CALENDAR, 390)
    shown = days.part(slice(len(days) - len(summed), None))
    for name in ("session", *COLUMNS):
        assert np.array_equal(getattr(summed, name), getattr(shown, name)), name


def test_daily_rows_are_stamped_with_midnight_in_new_york() -> None:
    start = long_market().daily["SPY"].start
    local = pd.DatetimeIndex(start.astype("datetime64[us]"), tz="UTC").tz_convert(NEW_YORK)
    assert set(local.hour) == {0}
    assert set(local.minute) == {0}


def test_a_half_day_has_210_minutes_and_fewer_shares() -> None:
    market = synthetic_market(("SPY",), date(2025, 11, 26), date(2025, 11, 28), CALENDAR, 1)
    minutes, codes = accept_minutes(market.minutes["SPY"], CALENDAR)
    assert not codes.any()
    assert np.bincount(minutes.session - minutes.session[0]).tolist() == [390, 210]
    assert market.daily["SPY"].close[-1] == minutes.close[-1]
    assert market.daily["SPY"].volume[-1] < 0.8 * market.daily["SPY"].volume[-2]


def test_only_thin_symbols_miss_minutes() -> None:
    market = long_market()
    for symbol in DEMO_SYMBOLS:
        minutes, _ = accept_minutes(market.minutes[symbol], CALENDAR)
        assert gaps(minutes, CALENDAR) == []
    assert traits(THIN).daily_volume < 3e6
    thin, _ = accept_minutes(market.minutes[THIN], CALENDAR)
    missing = sum(gap.missing for gap in gaps(thin, CALENDAR))
    assert 0.005 < missing / (missing + len(thin)) < 0.15


def test_an_unknown_name_has_its_own_plausible_traits() -> None:
    names = [f"{a}{b}" for a in "ABCDEFGH" for b in "QRSTUVWX"]
    found = [traits(name) for name in names]
    assert len({one.price for one in found}) == len(names)
    assert traits("AQ") == found[0]
    for one in found:
        assert 15.0 <= one.price <= 375.0
        assert 0.5 <= one.beta <= 1.8
        assert 0.18 <= one.own_volatility <= 0.48
        assert 2e6 <= one.daily_volume <= 40e6


# --- spreads -------------------------------------------------------------------------------------


def test_spreads_are_wide_at_the_open_and_in_volatility_and_small_for_liquid_names() -> None:
    market = long_market()
    relative = {}
    for symbol in (*DEMO_SYMBOLS, THIN):
        raw, spread = market.minutes[symbol], market.spread[symbol]
        assert spread.shape == raw.close.shape
        assert np.array_equal(spread, np.rint(spread * 100.0) / 100.0)
        assert spread.min() >= 0.01
        relative[symbol] = float(np.mean(spread / raw.close))
        assert relative[symbol] < 1e-3
    assert relative["SPY"] < relative["NVDA"] < relative[THIN]
    minute = market.minutes["TSLA"].start // 60_000_000
    since = minute - CALENDAR.opens[CALENDAR.session_index(minute)]
    spread = market.spread["TSLA"]
    midday = spread[(since >= 120) & (since < 240)]
    assert 1.4 < spread[since < 5].mean() / midday.mean() < 4.0
    reach = market.minutes["TSLA"].high - market.minutes["TSLA"].low
    assert np.corrcoef(spread, reach)[0, 1] > 0.3


# --- what the minutes are like -------------------------------------------------------------------


class Look:
    """The statistics that a playbook feels, of full sessions of one symbol."""

    def __init__(self, bars: pd.DataFrame, calendar: Calendar = CALENDAR) -> None:
        bars = bars.assign(session=calendar.session_index(bars.minute.to_numpy()))
        bars = bars[bars.session >= 0].drop_duplicates("minute").sort_values("minute")
        full = calendar.closes[bars.session] - calendar.opens[bars.session] == 390
        self.bars = bars = bars[full]
        bars = bars.assign(since=bars.minute - calendar.opens[bars.session])
        grid = {
            name: bars.pivot(index="session", columns="since", values=name)
            .reindex(columns=range(390))
            .to_numpy(float)
            for name in COLUMNS[1:]
        }
        close = np.log(grid["close"])
        self.returns = np.diff(close, axis=1, prepend=np.log(grid["open"][:, :1]))
        self.volume = grid["volume"]
        smile = np.sqrt(np.nanmean(self.returns**2, axis=0))
        self.smile = np.convolve(np.pad(smile, 7, mode="edge"), np.ones(15) / 15, "valid")
        self.z = self.returns / self.smile
        level = np.sqrt(np.nanmean(self.z**2, axis=1, keepdims=True))
        self.scaled = self.z / level
        self.reach = float(np.nanmean(np.log(grid["high"] / grid["low"]) / self.smile))

    @property
    def minute_volatility(self) -> float:
        return float(np.sqrt(np.nanmean(self.returns**2)))

    def volatility_against_midday(self, low: int, high: int) -> float:
        part, midday = self.returns[:, low:high], self.returns[:, 180:270]
        return float(np.sqrt(np.nanmean(part**2) / np.nanmean(midday**2)))

    def volume_against_midday(self, low: int, high: int) -> float:
        return float(np.nanmean(self.volume[:, low:high]) / np.nanmean(self.volume[:, 180:270]))

    def kurtosis(self) -> float:
        """Of returns freed from the smile and from the level of the day."""
        return float(np.nanmean(self.scaled**4) / np.nanmean(self.scaled**2) ** 2)

    @staticmethod
    def _echo(values: np.ndarray, lag: int) -> float:
        values = values - np.nanmean(values)
        return float(np.nanmean(values[:, lag:] * values[:, :-lag]) / np.nanmean(values**2))

    def reversal(self) -> float:
        """First autocorrelation of returns."""
        return self._echo(self.z, 1)

    def clustering(self, lag: int) -> float:
        """Autocorrelation of absolute returns."""
        return self._echo(np.abs(self.z), lag)

    def variance_ratio(self, minutes: int) -> float:
        path = np.nancumsum(self.returns, axis=1)
        steps = path[:, minutes:] - path[:, :-minutes]
        return float(np.nanvar(steps) / (minutes * np.nanvar(self.returns[:, 1:])))

    def volume_follows_moves(self) -> float:
        with np.errstate(divide="ignore"):
            volume = np.log(self.volume) - np.nanmean(np.log(self.volume), axis=0)
        known = np.isfinite(volume) & np.isfinite(self.z)
        return float(np.corrcoef(np.abs(self.z[known]), volume[known])[0, 1])

    def beyond(self, threshold: float) -> float:
        """Share of the morning's closes with |z| of the playbook's band beyond a threshold."""
        _, _, z = band(self.bars.close.to_numpy(float), 0, WINDOW, MINIMUM)
        since = self.bars.minute - CALENDAR.opens[self.bars.session]
        morning = (since < 150).to_numpy() & (np.arange(len(z)) > 390)
        return float(np.mean(np.abs(z[morning]) >= threshold))


@lru_cache(maxsize=8)
def synthetic_look(symbol: str) -> Look:
    return Look(frame(long_market(), symbol))


@lru_cache(maxsize=8)
def recorded_bars(place: str) -> pd.DataFrame:
    bars = pd.read_parquet(DATA / "bars" / "1min" / f"{place}.parquet")
    stamps = bars["timestamp"].dt.tz_convert("UTC").dt.tz_localize(None)
    minute = stamps.to_numpy().astype("datetime64[m]").astype(np.int64)
    return bars[list(COLUMNS[1:])].astype(float).assign(minute=minute)


@lru_cache(maxsize=8)
def recorded_look(place: str) -> Look:
    return Look(recorded_bars(place))


@pytest.mark.parametrize("symbol", DEMO_SYMBOLS)
def test_volatility_and_volume_smile(symbol: str) -> None:
    look = synthetic_look(symbol)
    assert 1.4 < look.volatility_against_midday(0, 30) < 3.2
    assert 1.05 < look.volatility_against_midday(360, 390) < 1.6
    assert 1.8 < look.volume_against_midday(0, 30) < 4.5
    assert 1.8 < look.volume_against_midday(360, 390) < 4.5
    assert look.volume_against_midday(0, 1) > 4.0


@pytest.mark.parametrize("symbol", DEMO_SYMBOLS)
def test_fat_tails_and_rare_jumps(symbol: str) -> None:
    look = synthetic_look(symbol)
    assert 3.5 < look.kurtosis() < 6.0
    assert 2e-4 < np.nanmean(np.abs(look.scaled) > 4.0) < 4e-3
    assert 5.0 < np.nanmax(np.abs(look.scaled)) < 15.0


@pytest.mark.parametrize("symbol", DEMO_SYMBOLS)
def test_volatility_clusters_and_fades(symbol: str) -> None:
    look = synthetic_look(symbol)
    assert 0.10 < look.clustering(1) < 0.40
    assert look.clustering(1) > look.clustering(30) > 0.02


@pytest.mark.parametrize("symbol", DEMO_SYMBOLS)
def test_minutes_revert_a_little(symbol: str) -> None:
    look = synthetic_look(symbol)
    assert -0.05 < look.reversal() < 0.0
    assert 0.70 < look.variance_ratio(30) < 0.98


@pytest.mark.parametrize("symbol", DEMO_SYMBOLS)
def test_large_moves_bring_volume(symbol: str) -> None:
    assert 0.36 < synthetic_look(symbol).volume_follows_moves() < 0.55


@pytest.mark.parametrize("symbol", DEMO_SYMBOLS)
def test_bars_feed_both_setups(symbol: str) -> None:
    look = synthetic_look(symbol)
    assert 0.35 < look.beyond(1.2) < 0.55
    assert 0.13 < look.beyond(1.8) < 0.27


def test_symbols_move_together_by_their_beta() -> None:
    market = long_market()
    closes = pd.DataFrame({symbol: market.minutes[symbol].close for symbol in DEMO_SYMBOLS})
    returns = np.log(closes).diff().dropna()
    returns = returns[np.arange(1, len(returns) + 1) % 390 != 0]
    together = returns.corr()["SPY"]
    assert together["QQQ"] > 0.85
    assert together["IWM"] > 0.70
    assert 0.45 < together["NVDA"] < 0.80
    assert 0.45 < together["TSLA"] < 0.80
    assert 0.25 < returns.corr().loc["NVDA", "TSLA"] < 0.65
    for symbol in DEMO_SYMBOLS:
        beta = returns[symbol].cov(returns["SPY"]) / returns["SPY"].var()
        assert beta == pytest.approx(KNOWN[symbol].beta, rel=0.12)


@pytest.mark.parametrize("symbol", DEMO_SYMBOLS)
def test_levels_of_price_and_volume_are_the_known_ones(symbol: str) -> None:
    days = long_market().daily[symbol]
    assert 0.4 < np.median(days.close) / KNOWN[symbol].price < 2.0
    assert 0.7 < np.mean(days.volume) / KNOWN[symbol].daily_volume < 1.4


# --- what the days are like ----------------------------------------------------------------------


@lru_cache(maxsize=1)
def many_days() -> list[SyntheticMarket]:
    return [
        synthetic_market(("SPY", "NVDA"), DEMO_DATE, DEMO_DATE, CALENDAR, seed)
        for seed in range(20, 32)
    ]


def test_regimes_show_in_the_days() -> None:
    by_regime: dict[int, list[float]] = {index: [] for index in range(len(REGIMES))}
    for market in many_days():
        days = market.daily["SPY"]
        moves = np.log(days.close / days.open)
        for index, found in by_regime.items():
            found += moves[market.market_regime == index].tolist()
    up, down, calm, volatile = (np.array(by_regime[index]) for index in range(4))
    assert min(map(len, (up, down, calm, volatile))) > 300
    assert up.mean() - down.mean() > 0.15 * up.std()
    assert volatile.std() > 1.4 * calm.std()


def test_regimes_last_for_days_and_change() -> None:
    for market in many_days():
        for regime in (market.market_regime, market.regime["NVDA"]):
            changes = np.count_nonzero(np.diff(regime))
            assert 5 <= changes <= 40


def test_nights_gap_and_sometimes_jump() -> None:
    gaps_, moves = [], []
    for market in many_days():
        days = market.daily["NVDA"]
        gaps_.append(np.log(days.open[1:] / days.close[:-1]))
        moves.append(np.log(days.close / days.open))
    night, day = np.concatenate(gaps_), np.concatenate(moves)
    assert 0.5 < night.std() / day.std() < 1.0
    jumps = np.abs(night) > 5.0 * np.median(np.abs(night)) / 0.6745
    assert 0.003 < jumps.mean() < 0.05


def test_days_have_tails_and_clusters() -> None:
    returns = [np.diff(np.log(market.daily["SPY"].close)) for market in many_days()]
    together = np.concatenate(returns)
    assert 4.0 < np.mean(together**4) / np.mean(together**2) ** 2 < 25.0
    assert 0.11 < together.std() * np.sqrt(252.0) < 0.20
    echo = [np.corrcoef(np.abs(r[1:]), np.abs(r[:-1]))[0, 1] for r in returns]
    assert 0.03 < np.mean(echo) < 0.35


# --- against recorded sessions -------------------------------------------------------------------

PAIRS = [
    ("SPY", "us-2024/SPY"),
    ("SPY", "us-2025-11/SPY"),
    ("QQQ", "us-2025-05/QQQ"),
    ("QQQ", "us-2025-11/QQQ"),
    ("NVDA", "us-2018/NVDA"),
    ("NVDA", "us-2025-01/NVDA"),
    ("TSLA", "us-2018/TSLA"),
]


@recorded
@pytest.mark.parametrize(("symbol", "place"), PAIRS)
def test_minutes_look_like_recorded_ones(symbol: str, place: str) -> None:
    made, real = synthetic_look(symbol), recorded_look(place)

    def ratio(name: str, *arguments: float) -> float:
        one, other = getattr(made, name), getattr(real, name)
        return float(one(*arguments) / other(*arguments) if callable(one) else one / other)

    def difference(name: str, *arguments: float) -> float:
        return float(abs(getattr(made, name)(*arguments) - getattr(real, name)(*arguments)))

    assert 1 / 1.6 < ratio("minute_volatility") < 1.6
    assert 1 / 1.35 < ratio("volatility_against_midday", 0, 30) < 1.35
    assert 1 / 1.5 < ratio("volatility_against_midday", 360, 390) < 1.5
    assert 1 / 1.4 < ratio("volume_against_midday", 0, 30) < 1.4
    assert 1 / 2.0 < ratio("volume_against_midday", 360, 390) < 2.0
    assert 1 / 1.4 < ratio("kurtosis") < 1.4
    assert 1 / 1.2 < ratio("reach") < 1.2
    assert difference("reversal") < 0.07
    assert difference("clustering", 1) < 0.10
    assert difference("clustering", 15) < 0.10
    assert difference("variance_ratio", 30) < 0.20
    assert difference("volume_follows_moves") < 0.20
    assert difference("beyond", 1.2) < 0.16
    assert difference("beyond", 1.8) < 0.08


@recorded
@pytest.mark.parametrize(
    ("pair", "places", "tolerance"),
    [
        (("SPY", "QQQ"), ("us-2025-11/SPY", "us-2025-11/QQQ"), 0.10),
        (("SPY", "NVDA"), ("us-2025-01/SPY", "us-2025-01/NVDA"), 0.15),
        (("NVDA", "TSLA"), ("us-2018/NVDA", "us-2018/TSLA"), 0.15),
    ],
)
def test_correlation_looks_like_the_recorded_one(
    pair: tuple[str, str], places: tuple[str, str], tolerance: float
) -> None:
    def correlation(left: pd.DataFrame, right: pd.DataFrame) -> float:
        looks = [Look(bars).bars.set_index("minute").close for bars in (left, right)]
        returns = np.log(pd.concat(looks, axis=1, join="inner")).diff().dropna().to_numpy()
        calm = returns[(np.abs(returns) < 0.02).all(axis=1)]
        return float(np.corrcoef(calm.T)[0, 1])

    made = correlation(*(frame(long_market(), symbol) for symbol in pair))
    real = correlation(*(recorded_bars(place) for place in places))
    assert abs(made - real) < tolerance


@recorded
@pytest.mark.parametrize("symbol", ["SPY", "NVDA"])
def test_days_look_like_recorded_ones(symbol: str) -> None:
    bars = pd.read_parquet(DATA / "bars" / "1day" / "us-2024-2026" / f"{symbol}.parquet")
    real = np.diff(np.log(bars.close.to_numpy(float)))
    real_gap = np.log(bars.open.to_numpy(float)[1:] / bars.close.to_numpy(float)[:-1])
    made, gap, falls = [], [], []
    for market in many_days():
        days = market.daily[symbol]
        made.append(np.diff(np.log(days.close)))
        gap.append(np.log(days.open[1:] / days.close[:-1]))
        falls.append(np.min(days.close / np.maximum.accumulate(days.close)) - 1.0)
    together, gaps_ = np.concatenate(made), np.concatenate(gap)
    assert 1 / 1.4 < together.std() / real.std() < 1.4
    assert abs(gaps_.std() / together.std() - real_gap.std() / real.std()) < 0.15
    close = bars.close.to_numpy(float)
    real_fall = np.min(close / np.maximum.accumulate(close)) - 1.0
    assert 0.4 < np.median(falls) / real_fall < 2.0


# --- the demo ------------------------------------------------------------------------------------


def test_the_demo_is_lively() -> None:
    market = synthetic_market(
        DEMO_SYMBOLS, DEMO_DATE - timedelta(days=14), DEMO_DATE, CALENDAR, DEMO_SEED
    )
    session = CALENDAR.on(DEMO_DATE)
    assert session is not None
    index = int(np.searchsorted(CALENDAR.opens, session.open))
    trends, calm = set(), 0
    for symbol in DEMO_SYMBOLS:
        minutes, _ = accept_minutes(market.minutes[symbol], CALENDAR)
        daily, _ = accept_days(market.daily[symbol], CALENDAR)
        snapshot = SymbolHistory.of(symbol, minutes, daily, CALENDAR).snapshot(index, CALENDAR)
        assert snapshot.incomplete == ()
        assert snapshot.sessions == 252
        trends.add(snapshot.htf_trend)
        calm += snapshot.atr_percentile <= 85.0
        first = len(minutes) - 390
        _, _, z = band(minutes.close, first, WINDOW, MINIMUM)
        morning = np.abs(z[:150])
        assert np.count_nonzero(morning >= 1.2) >= 40
        assert np.count_nonzero(morning >= 1.8) >= 10
        assert np.count_nonzero(morning <= 0.6) >= 10
    assert {-1, 1} <= trends
    assert calm >= 4
