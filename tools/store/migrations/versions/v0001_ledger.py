"""The first ledger."""

from typing import Any

import sqlalchemy as sa
from alembic import op

Column = sa.Column[Any]

revision = "0001"
down_revision = None

MONEY = sa.Text().with_variant(sa.Numeric(), "postgresql")
MOMENT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")
DAY = sa.Text().with_variant(sa.Date(), "postgresql")
IN_KEY = {"sqlite_with_rowid": False}


def required(name: str, kind: Any) -> Column:
    return sa.Column(name, kind, nullable=False)


def texts(*names: str) -> list[Column]:
    return [required(name, sa.Text()) for name in names]


def moments(*names: str) -> list[Column]:
    return [required(name, MOMENT) for name in names]


def whole(*names: str) -> list[Column]:
    return [required(name, sa.BigInteger()) for name in names]


def money(*names: str) -> list[Column]:
    return [sa.Column(name, MONEY) for name in names]


def reals(*names: str) -> list[Column]:
    return [sa.Column(name, sa.Double()) for name in names]


def create(table: str, owner: str, key: list[str], columns: list[Column], **options: bool) -> None:
    """A table whose rows go with the row of `owner` that has the same key."""
    kinds: dict[str, Any] = {"run": sa.Integer(), "seq": sa.BigInteger(), "minute": MOMENT}
    owned = {"runs": ["run"], "lanes": ["run", "lane"]}.get(owner, ["run", "lane", "seq"])
    there = [f"{owner}.{'id' if owner == 'runs' else name}" for name in owned]
    op.create_table(
        table,
        *(required(name, kinds.get(name, sa.Text())) for name in key),
        *columns,
        sa.PrimaryKeyConstraint(*key, name=f"pk_{table}"),
        sa.ForeignKeyConstraint(owned, there, f"fk_{table}_{owner}", ondelete="CASCADE"),
        **options,
    )


def record(table: str, *columns: list[Column]) -> None:
    flat = [column for group in columns for column in group]
    options = {} if table in ("market_analysis", "trade_signals") else IN_KEY
    create(table, "decisions", ["run", "lane", "seq"], flat, **options)


def upgrade() -> None:
    op.create_table(
        "runs",
        required("id", sa.Integer()),
        *texts("run_id", "kind", "config_hash", "code_version", "config_json", "status"),
        *moments("created_at"),
        *texts("seal"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.UniqueConstraint("run_id", name="uq_runs_run_id"),
    )
    create(
        "lanes",
        "runs",
        ["run", "lane"],
        [
            *texts("symbols"),
            *whole("seq"),
            *texts("hash"),
            *whole("open_rows"),
            *texts("open_digest"),
            sa.Column("checkpoint", sa.LargeBinary()),
        ],
    )
    create(
        "decisions",
        "lanes",
        ["run", "lane", "seq"],
        [*texts("kind"), *moments("at"), *texts("prev_hash", "hash")],
        **IN_KEY,
    )
    create(
        "cycles",
        "runs",
        ["run", "lane", "minute", "symbol"],
        [
            *reals("close", "mu", "sigma", "z"),
            required("ready", sa.Boolean()),
            required("htf_trend", sa.SmallInteger()),
            *texts("state"),
            required("side", sa.SmallInteger()),
        ],
        **IN_KEY,
    )
    create_opinions()
    create_executions()


def create_opinions() -> None:
    record(
        "premarket_snapshots",
        texts("symbol"),
        [required("date", DAY)],
        reals("ema_slope_daily", "ema_slope_hourly"),
        texts("hh_ll_tag"),
        reals("atr_percentile"),
        whole("sessions", "htf_trend"),
        money("mean_5m", "deviation_5m", "atr_5m"),
        reals("average_volume"),
        money("previous_close"),
        texts("incomplete"),
    )
    record(
        "market_analysis",
        moments("as_of"),
        texts("analyst"),
        reals("mr_arm", "mr_trigger", "tc_arm", "tc_trigger", "confidence"),
        texts("assessment", "opportunities", "reasoning", "evidence", "status", "degraded_reason"),
    )
    record(
        "trade_signals",
        texts("symbol"),
        moments("start"),
        texts("setup"),
        whole("side"),
        money("price", "stop", "target"),
        reals("z"),
        whole("quantity"),
        texts("blocked_by", "checks"),
        [sa.Column("ruling", sa.Text())],
        reals("size_factor", "verdict_confidence"),
        [
            sa.Column(name, sa.Text())
            for name in (
                "verdict_reasoning",
                "verdict_evidence",
                "validator",
                "verdict_status",
                "verdict_degraded_reason",
            )
        ],
    )


def create_executions() -> None:
    record(
        "orders",
        texts("client_order_id", "symbol"),
        whole("side", "quantity"),
        money("reference", "stop", "target"),
        moments("decided_at"),
    )
    record(
        "fills",
        texts("symbol"),
        moments("start"),
        whole("side", "quantity"),
        money("price", "fees"),
        texts("reason"),
    )
    record(
        "order_rejections",
        texts("symbol"),
        moments("start"),
        whole("quantity"),
        texts("reason"),
    )
    record(
        "trades",
        texts("symbol", "setup"),
        whole("side", "quantity"),
        moments("entry_time"),
        money("entry_price"),
        moments("exit_time"),
        money("exit_price"),
        texts("exit_reason"),
        money("pnl", "fees", "stop", "target"),
        moments("signal_start"),
    )
    record(
        "transitions",
        texts("symbol"),
        moments("start"),
        texts("state"),
        whole("side"),
        reals("z"),
        texts("reason"),
    )
    record("risk_changes", moments("start"), texts("state", "reason"), money("equity"))
    record(
        "lane_days",
        [required("date", DAY)],
        money("start_equity", "end_equity"),
        whole("trades", "signals"),
        texts("risk_state"),
        whole("multiplier_changes"),
        texts("notes"),
        whole("cycle_rows"),
        [sa.Column("cycles_through", MOMENT)],
        texts("cycle_digest"),
    )
