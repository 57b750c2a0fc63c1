"""The tables of state.db: everything in it can be rebuilt or missed, nothing in it is needed for safety."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text

REVISION = "0002"
"""The migration after which a file has the tables below: a change of them is another one in healer/migrations."""
PAST = ("0001",)
"""Revisions from which there is a way here."""

metadata = MetaData()

revision = Table("alembic_version", metadata, Column("version_num", String(32), primary_key=True))

snapshot = Table(
    "snapshot",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("height", Integer, nullable=False),  # of the last block folded into it
    Column("header", String(64), nullable=False),  # SHA-256 of that block's header: if it does not match, fold again
    Column("taken", Float, nullable=False),  # wall seconds
    Column("body", Text, nullable=False),  # JSON
    Column("digest", String(64), nullable=False),  # SHA-256 over the above: one flipped digit must not become a memory
)

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("metric", Text, nullable=False),
    Column("labels", Text, nullable=False),  # JSON object, keys sorted, no spaces: equal text is equal labels
    Index("series_name", "metric", "labels", unique=True),
)

# The last two or three hours, a row each: written every few seconds, and packed into chunks later.
sample = Table(
    "sample",
    metadata,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("at", Float, primary_key=True),  # wall seconds: history outlives a boot
    Column("value", Float),  # NULL where the value is a word
    Column("word", Text),
    Index("sample_at", "at"),
    sqlite_with_rowid=False,
)

# Everything older, a column of times and one of values for each series and slot.
chunk = Table(
    "chunk",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("series_id", ForeignKey("series.id"), nullable=False),
    Column("level", Integer, nullable=False),  # seconds of a bucket; 0: the samples themselves
    Column("slot", Integer, nullable=False),  # wall seconds at which its stretch begins: two hours, or a day of buckets
    Column("amount", Integer, nullable=False),
    Column("rolled", Integer, nullable=False),  # of samples: whether their buckets were made
    Column("times", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("chunk_place", "level", "slot", "series_id"),  # not unique: what comes late makes another chunk
)
# Where there is no such thing as an index of a part (the dialect of PostgreSQL alone takes 2 MB), it is one of all.
Index(
    "chunk_unrolled",
    chunk.c.series_id,
    chunk.c.slot,
    sqlite_where=chunk.c.rolled == 0,
)

incident = Table(
    "incident",
    metadata,
    Column("incident", Text, primary_key=True),  # RULE@TARGET
    Column("opened", Float, primary_key=True),  # wall seconds
    Column("rule", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("organ", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("closed", Float),  # wall seconds; NULL while it is open
    Column("actions", Integer, nullable=False),
    Column("verdict", Text, nullable=False),  # of the last verification; empty when there was none
    Column("because", Text, nullable=False),
    Index("incident_opened", "opened"),
)
