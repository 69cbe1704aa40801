"""What the premarket found, and every call to a model: only new tables, no row is touched."""

from typing import Any

import sqlalchemy as sa
from alembic import op

Column = sa.Column[Any]

revision = "0002"
down_revision = "0001"

MONEY = sa.Text().with_variant(sa.Numeric(), "postgresql")
MOMENT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")
DAY = sa.Text().with_variant(sa.Date(), "postgresql")


def texts(*names: str) -> list[Column]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def moments(*names: str) -> list[Column]:
    return [sa.Column(name, MOMENT, nullable=False) for name in names]


def whole(*names: str) -> list[Column]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def reals(*names: str) -> list[Column]:
    return [sa.Column(name, sa.Double()) for name in names]


def record(table: str, *columns: list[Column], **options: bool) -> None:
    """A table of records under the key of their rows in `decisions`."""
    key = ["run", "lane", "seq"]
    op.create_table(
        table,
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        *(column for group in columns for column in group),
        sa.PrimaryKeyConstraint(*key, name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            key,
            [f"decisions.{name}" for name in key],
            f"fk_{table}_decisions",
            ondelete="CASCADE",
        ),
        **options,
    )


def upgrade() -> None:
    record(
        "news",
        texts("id"),
        moments("published_at", "received_at"),
        texts("source", "title", "summary", "symbols"),
    )
    record(
        "daily_bias",
        moments("as_of"),
        texts("symbol"),
        [sa.Column("date", DAY, nullable=False)],
        texts("bias"),
        reals("confidence"),
        texts("reasoning", "news_summary"),
        [sa.Column("premarket_price", MONEY), sa.Column("premarket_price_at", MOMENT)],
        texts("price_note", "evidence", "analyst", "status", "degraded_reason"),
    )
    record(
        "market_context",
        moments("as_of"),
        [sa.Column("date", DAY, nullable=False)],
        texts("bias", "volatility"),
        reals("vix"),
        [sa.Column("vix_date", DAY)],
        reals("confidence"),
        texts("summary", "evidence", "analyst", "status", "degraded_reason"),
    )
    record(
        "llm_calls",
        moments("as_of"),
        texts("machine", "about", "key"),
        whole("sequence"),
        texts("prompt", "schema_hash", "model", "outcome"),
        whole("tokens_in", "tokens_out"),
        [sa.Column("cost_usd", MONEY, nullable=False)],
        reals("latency"),
        moments("asked_at"),
        texts("call"),
    )
    record(
        "llm_findings",
        moments("as_of"),
        texts("machine", "about", "kind", "field", "detail"),
        sqlite_with_rowid=False,
    )
