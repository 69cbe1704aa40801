"""The catalogue says what there is, in the order of DOMAIN.md section 4."""

from collections import Counter
from pathlib import Path

import pytest

from quant_core.features import TIMEFRAMES, catalogue
from quant_core.features.document import page

FAMILIES = {
    "moving averages": 22,
    "momentum": 18,
    "volatility": 12,
    "volume": 14,
    "price action": 20,
    "time": 8,
    "smart money": 22,
    "vwap": 8,
    "divergence": 4,
    "derived": 11,
}
COUNTS = {"1min": 163, "5min": 156, "15min": 149, "1hr": 139}
MULTI = {"1min": 24, "5min": 17, "15min": 10, "1hr": 0}


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_counts_per_family_and_timeframe_are_those_of_the_domain(timeframe: str) -> None:
    features = catalogue(timeframe).features
    families = Counter(feature.family for feature in features)
    assert len(features) == COUNTS[timeframe]
    assert families.pop("multi-timeframe", 0) == MULTI[timeframe]
    assert families == FAMILIES


def test_families_stand_together_in_the_order_of_the_domain() -> None:
    order = list(dict.fromkeys(feature.family for feature in catalogue("1min").features))
    assert order == [*FAMILIES, "multi-timeframe"]


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
def test_every_entry_is_complete(timeframe: str) -> None:
    entries = catalogue(timeframe)
    assert len(set(entries.names)) == len(entries.names)
    for feature in entries.features:
        assert feature.name.isidentifier()
        assert feature.name == feature.name.lower()
        assert feature.formula
        assert feature.source
        assert feature.unit
        assert feature.warm_up >= 1
        low, high = feature.range
        assert low < high


def test_each_longer_timeframe_has_the_same_seven() -> None:
    names = catalogue("1min").names
    for frame in ("5min", "15min", "1hr"):
        block = ("trend", "rsi", "adx", "squeeze", "macd_hist", "volume_ratio", "candle_dir")
        at = names.index(f"trend_{frame}")
        assert names[at : at + 7] == tuple(f"{name}_{frame}" for name in block)
    assert names[-3:] == ("align_trend", "align_macd", "align_rsi")
    assert catalogue("5min").names[139] == "trend_15min"
    assert catalogue("15min").names[139] == "trend_1hr"


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("rsi14", "rsi_14"),
        ("RSI_14", "rsi_14"),
        ("bb_uper", "bb_upper"),
        ("volumeratio20", "volume_ratio_20"),
    ],
)
def test_an_unknown_name_suggests_the_nearest(wrong: str, nearest: str) -> None:
    with pytest.raises(
        ValueError, match=f"no feature '{wrong}' on 1min; the nearest name is '{nearest}'"
    ):
        catalogue("1min").index(wrong)


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    with pytest.raises(ValueError, match="no feature 'qqq' on 1min \\(`advisor"):
        catalogue("1min").index("qqq")


def test_percentages_and_counts_are_labelled_as_such() -> None:
    entries = catalogue("1min")
    for name in ("roc_10", "roc_20", "natr_14", "willr_14"):
        assert entries[name].unit == "percent"
    for name in ("run_length", "vwap_run", "ema_cross_5_20", "ema_cross_12_26", "ribbon_count"):
        assert entries[name].unit == "count"
    assert entries["willr_14"].range == (-100.0, 0.0)


def test_an_unknown_timeframe_names_those_there_are() -> None:
    with pytest.raises(
        ValueError, match="timeframe is '2min'; it must be one of 1min, 5min, 15min, 1hr"
    ):
        catalogue("2min")


def test_the_documentation_is_the_catalogue() -> None:
    document = Path(__file__).resolve().parents[3] / "docs" / "features.md"
    assert document.read_text(encoding="utf-8") == page(), "run `advisor features docs`"
