"""What retention took out, and orders found by their lane; no row is touched."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

MOMENT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "pruned",
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("archive", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("run", "lane", "seq", name="pk_pruned"),
        sa.ForeignKeyConstraint(
            ["run", "lane"], ["lanes.run", "lanes.lane"], "fk_pruned_lanes", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_outbox_lane", "outbox", ["run", "lane"])
