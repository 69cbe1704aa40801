"""The names of the risk checks, in the order in which they are made and written.

They stand apart from the kernel that makes them, because a question about a refusal needs the
names and not the compiler.
"""

CHECKS = (
    "risk_state",
    "session_window",
    "atr_5m_known",
    "bar_age",
    "z_age",
    "average_volume",
    "spread",
    "earnings_blackout",
    "reward_risk",
    "daily_loss",
    "daily_loss_percent",
    "positions",
    "trades_per_day",
    "trades_per_symbol",
    "orders_per_minute",
    "cvar_95",
    "risk_per_trade",
    "position_size",
    "symbol_exposure",
    "sector_exposure",
    "total_exposure",
    "open_risk",
    "validation",
    "quantity",
)
