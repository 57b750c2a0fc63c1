"""The tables of 0.1: each sample is a row."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
since = "0.1.0"


def upgrade() -> None:
    """Make them."""
    table = op.create_table("schema_version", sa.Column("version", sa.Integer, nullable=False))
    op.bulk_insert(table, [{"version": 1}])
    op.create_table(
        "snapshot",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("header", sa.String(64), nullable=False),
        sa.Column("taken", sa.Float, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
    )
    op.create_index("series_name", "series", ["metric", "labels"], unique=True)
    op.create_table(
        "sample",
        sa.Column("series_id", sa.Integer, sa.ForeignKey("series.id"), primary_key=True),
        sa.Column("at", sa.Float, primary_key=True),
        sa.Column("value", sa.Float),
        sa.Column("word", sa.Text),
        sqlite_with_rowid=False,
    )
    op.create_index("sample_at", "sample", ["at"])
    op.create_table(
        "incident",
        sa.Column("incident", sa.Text, primary_key=True),
        sa.Column("opened", sa.Float, primary_key=True),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("organ", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False),
        sa.Column("closed", sa.Float),
        sa.Column("actions", sa.Integer, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("because", sa.Text, nullable=False),
    )
    op.create_index("incident_opened", "incident", ["opened"])


def downgrade() -> None:
    """There is nothing before."""
    for name in ("incident", "sample", "series", "snapshot", "schema_version"):
        op.drop_table(name)
