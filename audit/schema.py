"""The one table of the log, for SQLAlchemy; nothing that verifies imports this."""

from typing import Final

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table
from sqlalchemy.engine import Connection

from audit.block import APPLICATION_ID

metadata: Final = MetaData()

blocks: Final = Table(
    "blocks",
    metadata,
    Column("height", Integer, primary_key=True, autoincrement=False),
    Column("first", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("hdr", LargeBinary, nullable=False),
    Column("sig", LargeBinary, nullable=False),
    Column("rsig", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_strict=True,
)

# A seat-belt against a slip of the hand, not against an attacker: he drops them first.
NO_UPDATE: Final = "CREATE TRIGGER blocks_no_update BEFORE UPDATE ON blocks BEGIN SELECT RAISE(ABORT, 'sealed'); END"
_SEAT_BELTS: Final = (
    NO_UPDATE,
    "CREATE TRIGGER blocks_no_delete BEFORE DELETE ON blocks BEGIN SELECT RAISE(ABORT, 'sealed'); END",
)


def create(connection: Connection) -> None:
    """Create the table in an empty database, within the caller's transaction."""
    metadata.create_all(connection)
    for statement in _SEAT_BELTS:
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
