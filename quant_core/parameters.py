"""Every number a user can set in the deterministic core, with its default and its range.

Each group is a frozen dataclass checked when it is made; `pack` lays the numbers of several groups
side by side in one record that kernels read. Percent means percent: 1.0 is one percent.
`math.inf` lifts a cap that may be lifted.
"""

import math
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

HARD_POSITION_CAP = 25.0


def _within(group: object, name: str, low: float, high: float) -> None:
    value = getattr(group, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} is {value!r}; it must lie in [{low:g}, {high:g}]")


def _whole(group: object, *names: str) -> None:
    """Counts and minutes are whole numbers, or inf where a limit can be lifted."""
    for name in names:
        value = getattr(group, name)
        if math.isfinite(value) and value != int(value):
            raise ValueError(f"{name} is {value!r}; it must be a whole number")


@dataclass(frozen=True, slots=True, kw_only=True)
class StdevParameters:
    """Playbook `stdev`: band, thresholds (in z), bar counts, and the entry window.

    Times of day are minutes after midnight, New York. `max_hold` is in minutes, inf for none.
    """

    window: float = 120.0
    minimum_closes: float = 30.0
    mr_arm_z: float = 1.2
    mr_trigger_z: float = 0.6
    tc_arm_z: float = 1.8
    tc_trigger_z: float = 0.6
    atr_multiplier_sl: float = 1.4
    min_rr_ratio: float = 1.5
    atr_percentile_cap: float = 85.0
    arm_expiry_bars: float = 60.0
    cooldown_bars: float = 10.0
    entry_from: float = 9 * 60.0 + 30
    entry_until: float = 12 * 60.0
    flat_from: float = 15 * 60.0 + 50
    flat_before_early_close: float = 15.0
    max_hold: float = math.inf

    def __post_init__(self) -> None:
        """Refuse a value outside its range, by name."""
        _within(self, "window", 2, 10_000)
        _within(self, "minimum_closes", 2, self.window)
        for name in ("mr_arm_z", "tc_arm_z"):
            _within(self, name, 0.01, 20)
        for name in ("mr_trigger_z", "tc_trigger_z"):
            _within(self, name, 0, 20)
        _within(self, "atr_multiplier_sl", 0.01, 100)
        _within(self, "min_rr_ratio", 0.01, 100)
        _within(self, "atr_percentile_cap", 0, 100)
        _within(self, "arm_expiry_bars", 1, 10_000)
        _within(self, "cooldown_bars", 0, 10_000)
        for name in ("entry_from", "entry_until", "flat_from"):
            _within(self, name, 0, 24 * 60)
        _within(self, "flat_before_early_close", 0, 210)
        _within(self, "max_hold", 1, math.inf)
        _whole(self, "window", "minimum_closes", "arm_expiry_bars", "cooldown_bars", "max_hold")
        _whole(self, "entry_from", "entry_until", "flat_from", "flat_before_early_close")
        if self.entry_from > self.entry_until:
            raise ValueError(
                f"entry_from is {self.entry_from:g}, after entry_until {self.entry_until:g}; "
                "no entry would ever be allowed"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PremarketParameters:
    """What a snapshot is made of: periods in bars of their timeframe, sessions in daily bars.

    `fractal_width` is the number of lower highs (higher lows) a swing needs on each side.
    `atr_period` is that of every ATR: daily, hourly and the 5-minute one behind stops.
    """

    ema_period: int = 20
    slope_bars: int = 3
    atr_period: int = 14
    fractal_width: int = 2
    percentile_sessions: int = 252
    volume_sessions: int = 20

    def __post_init__(self) -> None:
        """Refuse a value outside its range, by name."""
        _within(self, "ema_period", 2, 1000)
        _within(self, "slope_bars", 1, 1000)
        _within(self, "atr_period", 2, 1000)
        _within(self, "fractal_width", 1, 100)
        _within(self, "percentile_sessions", 2, 10_000)
        _within(self, "volume_sessions", 1, 10_000)
        _whole(self, *(field.name for field in fields(self)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """Limits on entries and on the account. Money is dollars; a limit is reached strictly above it.

    `max_cvar_95` is percent of equity a day, inf when not configured. `max_sector_exposure` is
    percent of equity, `max_spread` percent of the middle.
    """

    max_risk_per_trade: float = 1.0
    max_position: float = 10.0
    max_symbol_exposure: float = 10_000.0
    max_total_exposure: float = 50_000.0
    max_open_risk: float = 10.0
    max_positions: float = 3.0
    max_trades_per_day: float = 10.0
    max_trades_per_symbol: float = 2.0
    max_orders_per_minute: float = 5.0
    min_reward_risk: float = 1.2
    max_daily_loss: float = 500.0
    max_daily_loss_percent: float = 5.0
    kill_loss_percent: float = 10.0
    max_drawdown_percent: float = 10.0
    min_average_volume: float = 500_000.0
    max_bar_age: float = 120.0
    max_z_age: float = 300.0
    max_cvar_95: float = math.inf
    max_sector_exposure: float = 30.0
    max_spread: float = 0.1
    trailing_stop: float = 5.0

    def __post_init__(self) -> None:
        """Refuse a value outside its range, by name."""
        _within(self, "max_risk_per_trade", 0.1, 5)
        _within(self, "max_position", 0.01, HARD_POSITION_CAP)
        for name in ("max_open_risk", "max_daily_loss_percent", "kill_loss_percent"):
            _within(self, name, 0.01, 100)
        for name in ("max_drawdown_percent", "trailing_stop"):
            _within(self, name, 0.01, 100)
        for name in (
            "max_symbol_exposure",
            "max_total_exposure",
            "max_positions",
            "max_trades_per_day",
            "max_trades_per_symbol",
            "max_orders_per_minute",
            "max_daily_loss",
            "max_cvar_95",
            "min_reward_risk",
            "min_average_volume",
            "max_bar_age",
            "max_z_age",
            "max_spread",
        ):
            _within(self, name, 0, math.inf)
        _whole(self, "max_positions", "max_trades_per_day", "max_trades_per_symbol")
        _within(self, "max_sector_exposure", 0.01, 100)
        _whole(self, "max_orders_per_minute")


@dataclass(frozen=True, slots=True, kw_only=True)
class FillRules:
    """The simulated exchange: adverse slippage, participation in a bar's volume, and fees."""

    slippage_bps: float = 1.0
    max_participation: float = 10.0
    fee_per_share: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a value outside its range, by name."""
        _within(self, "slippage_bps", 0, 1000)
        _within(self, "max_participation", 0.01, 100)
        _within(self, "fee_per_share", 0, 100)


RULES = np.dtype(
    [
        (field.name, np.float64)
        for group in (StdevParameters, RiskLimits, FillRules)
        for field in fields(group)
    ]
)


def pack(playbook: StdevParameters, limits: RiskLimits, fills: FillRules) -> np.ndarray:
    """The parameters as a record array of shape (1,) and dtype RULES."""
    rules = np.zeros(1, RULES)
    group: Any
    for group in (playbook, limits, fills):
        for field in fields(group):
            rules[field.name] = getattr(group, field.name)
    return rules
