"""Alerts of charts: only a new table, no row is touched."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

MONEY = sa.Text().with_variant(sa.Numeric(), "postgresql")
MOMENT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    key = ["run", "lane", "seq"]
    op.create_table(
        "chart_alerts",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "symbol")),
        *(sa.Column(name, MOMENT, nullable=False) for name in ("time", "known_at")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("direction", "grade")),
        *(sa.Column(name, sa.Double()) for name in ("score", "confidence")),
        *(sa.Column(name, MONEY) for name in ("entry", "stop")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("targets", "components")),
        sa.PrimaryKeyConstraint(*key, name="pk_chart_alerts"),
        sa.UniqueConstraint("run", "id", name="uq_chart_alerts_run"),
        sa.ForeignKeyConstraint(
            key,
            [f"decisions.{name}" for name in key],
            "fk_chart_alerts_decisions",
            ondelete="CASCADE",
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_chart_alerts_known", "chart_alerts", ["run", "known_at"])
