"""Orders on their way to a broker: only a new table, no row is touched."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

MONEY = sa.Text().with_variant(sa.Numeric(), "postgresql")
MOMENT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "outbox",
        sa.Column("client_order_id", sa.Text(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("lane", "kind", "symbol")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("side", "quantity")),
        *(sa.Column(name, MOMENT, nullable=False) for name in ("decided_at", "changed_at")),
        *(sa.Column(name, MONEY) for name in ("reference", "stop", "target")),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in ("parent", "state", "broker_id", "reason")
        ),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("attempts", "filled")),
        sa.Column("value", sa.Double()),
        sa.PrimaryKeyConstraint("client_order_id", name="pk_outbox"),
        sa.ForeignKeyConstraint(
            ["run", "lane"], ["lanes.run", "lanes.lane"], "fk_outbox_lanes", ondelete="CASCADE"
        ),
    )
