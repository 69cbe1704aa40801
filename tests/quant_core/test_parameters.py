"""The defaults of DOMAIN.md, and the ranges outside which a setting is refused by name."""

import math
from dataclasses import fields

import pytest

from quant_core.parameters import RULES, FillRules, RiskLimits, StdevParameters, pack


def test_stdev_defaults_are_those_of_the_domain():
    p = StdevParameters()
    assert (p.window, p.minimum_closes) == (120, 30)
    assert (p.mr_arm_z, p.mr_trigger_z, p.tc_arm_z, p.tc_trigger_z) == (1.2, 0.6, 1.8, 0.6)
    assert (p.atr_multiplier_sl, p.min_rr_ratio, p.atr_percentile_cap) == (1.4, 1.5, 85.0)
    assert (p.arm_expiry_bars, p.cooldown_bars) == (60, 10)
    assert (p.entry_from, p.entry_until, p.flat_from) == (570, 720, 950)
    assert p.flat_before_early_close == 15
    assert p.max_hold == math.inf


def test_risk_defaults_are_those_of_the_domain():
    r = RiskLimits()
    assert (r.max_risk_per_trade, r.max_position, r.max_open_risk) == (1.0, 10.0, 10.0)
    assert (r.max_symbol_exposure, r.max_total_exposure) == (10_000.0, 50_000.0)
    assert (r.max_positions, r.max_trades_per_day, r.max_trades_per_symbol) == (3, 10, 2)
    assert (r.max_orders_per_minute, r.min_reward_risk) == (5, 1.2)
    assert (r.max_daily_loss, r.max_daily_loss_percent) == (500.0, 5.0)
    assert (r.kill_loss_percent, r.max_drawdown_percent, r.trailing_stop) == (10.0, 10.0, 5.0)
    assert (r.min_average_volume, r.max_bar_age, r.max_z_age) == (500_000.0, 120.0, 300.0)
    assert r.max_cvar_95 == math.inf


def test_fill_defaults_are_those_of_the_domain():
    f = FillRules()
    assert (f.slippage_bps, f.max_participation, f.fee_per_share) == (1.0, 10.0, 0.0)


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        (RiskLimits, "max_risk_per_trade", 0.09),
        (RiskLimits, "max_risk_per_trade", 5.01),
        (RiskLimits, "max_position", 25.01),
        (RiskLimits, "max_position", 0.0),
        (RiskLimits, "max_symbol_exposure", -1.0),
        (RiskLimits, "trailing_stop", 100.1),
        (RiskLimits, "kill_loss_percent", 0.0),
        (RiskLimits, "max_daily_loss", math.nan),
        (RiskLimits, "max_positions", True),
        (RiskLimits, "max_positions", "3"),
        (StdevParameters, "window", 1),
        (StdevParameters, "minimum_closes", 121),
        (StdevParameters, "minimum_closes", 1),
        (StdevParameters, "mr_arm_z", 0.0),
        (StdevParameters, "mr_trigger_z", -0.1),
        (StdevParameters, "tc_arm_z", math.inf),
        (StdevParameters, "atr_multiplier_sl", 0.0),
        (StdevParameters, "min_rr_ratio", 0.0),
        (StdevParameters, "atr_percentile_cap", 101.0),
        (StdevParameters, "arm_expiry_bars", 0),
        (StdevParameters, "cooldown_bars", -1),
        (StdevParameters, "entry_until", 1441),
        (StdevParameters, "flat_before_early_close", 211),
        (StdevParameters, "max_hold", 0.5),
        (FillRules, "slippage_bps", -1.0),
        (FillRules, "max_participation", 0.0),
        (FillRules, "max_participation", 100.1),
        (FillRules, "fee_per_share", -0.01),
    ],
)
def test_a_value_outside_its_range_is_refused_by_name(group, name, value):
    with pytest.raises(ValueError, match=f"{name} is .*it must lie in"):
        group(**{name: value})


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        (RiskLimits, "max_risk_per_trade", 0.1),
        (RiskLimits, "max_risk_per_trade", 5.0),
        (RiskLimits, "max_position", 25.0),
        (RiskLimits, "max_symbol_exposure", math.inf),
        (RiskLimits, "max_total_exposure", math.inf),
        (RiskLimits, "max_daily_loss", math.inf),
        (StdevParameters, "cooldown_bars", 0),
        (StdevParameters, "mr_trigger_z", 0),
        (StdevParameters, "max_hold", 15),
        (FillRules, "slippage_bps", 0),
    ],
)
def test_the_ends_of_a_range_are_inside_and_caps_can_be_lifted(group, name, value):
    assert getattr(group(**{name: value}), name) == value


@pytest.mark.parametrize("group", [StdevParameters, RiskLimits, FillRules])
def test_every_field_has_a_range(group):
    """No number is taken on trust: NaN is refused everywhere."""
    for field in fields(group):
        with pytest.raises(ValueError, match=field.name):
            group(**{field.name: math.nan})


def test_pack_lays_every_field_side_by_side():
    playbook = StdevParameters(window=60, cooldown_bars=3)
    limits = RiskLimits(max_positions=7, max_total_exposure=math.inf)
    fills = FillRules(slippage_bps=2.5)
    rules = pack(playbook, limits, fills)
    assert rules.shape == (1,)
    for group in (playbook, limits, fills):
        for field in fields(group):
            assert rules[field.name][0] == getattr(group, field.name)
    names = [field.name for group in (playbook, limits, fills) for field in fields(group)]
    assert list(RULES.names or ()) == names
    assert len(set(names)) == len(names)
