"""From which bar an analysis applied, where it came late: a new column, empty for every row."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

MOMENT = sa.Text().with_variant(sa.DateTime(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column("market_analysis", sa.Column("applies_from", MOMENT))
