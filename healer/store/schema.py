"""The tables of state.db: everything in it can be rebuilt or missed, nothing in it is needed for safety."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, MetaData, String, Table, Text

VERSION = 1
"""Grows by one with every change of the tables below; a file of another version is not touched, but set aside."""

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, nullable=False))

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

sample = Table(
    "sample",
    metadata,
    Column("series_id", ForeignKey("series.id"), primary_key=True),
    Column("at", Float, primary_key=True),  # wall seconds: history outlives a boot
    Column("value", Float),  # NULL where the value is a word
    Column("word", Text),
    Index("sample_at", "at"),  # for retention
    sqlite_with_rowid=False,
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
