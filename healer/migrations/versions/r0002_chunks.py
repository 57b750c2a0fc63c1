"""Samples older than a few hours are packed into chunks, and rolled up into buckets."""

import sqlalchemy as sa
from alembic import op

from healer.store import columns

revision = "0002"
down_revision = "0001"
since = "0.2.0"

MOST_ROWS = 5_000_000
"""Samples that become rows again on the way back: a month of them would be gigabytes. The newest come first."""


def upgrade() -> None:
    """Make room for chunks. The rows stay: the agent packs them little by little, and is not held up now."""
    op.create_table(
        "chunk",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("series_id", sa.Integer, sa.ForeignKey("series.id"), nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("amount", sa.Integer, nullable=False),
        sa.Column("rolled", sa.Integer, nullable=False),
        sa.Column("times", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("chunk_place", "chunk", ["level", "slot", "series_id"])
    unrolled = sa.text("rolled = 0")
    op.create_index("chunk_unrolled", "chunk", ["series_id", "slot"], sqlite_where=unrolled)
    op.drop_table("schema_version")


def downgrade() -> None:
    """Make rows of the newest samples again; buckets, and what is older, go."""
    table = op.create_table("schema_version", sa.Column("version", sa.Integer, nullable=False))
    op.bulk_insert(table, [{"version": 1}])
    _unpack(op.get_bind())
    op.drop_table("chunk")


def _unpack(connection: sa.Connection) -> None:
    left = MOST_ROWS
    newest = sa.text(
        "SELECT series_id, slot, amount, times, body FROM chunk WHERE level = 0 ORDER BY slot DESC, id DESC"
    )
    row_of = sa.text("INSERT OR IGNORE INTO sample (series_id, at, value, word) VALUES (:series, :at, :value, :word)")
    for chunk in connection.execute(newest):
        left -= chunk.amount
        if left < 0:
            return
        try:
            times = columns.unpack_times(chunk.times, chunk.amount, chunk.slot)
            values = columns.unpack_values(chunk.body, chunk.amount)
        except (columns.ColumnError, TypeError):
            continue  # a chunk that is damaged is lost here as there
        words = bool(values) and isinstance(values[0], str)
        rows = [
            {"series": chunk.series_id, "at": at, "value": None if words else value, "word": value if words else None}
            for at, value in zip(times, values, strict=True)
        ]
        connection.execute(row_of, rows)
