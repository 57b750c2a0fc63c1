"""The one table of the log, for SQLAlchemy; nothing that verifies imports this."""

import sqlite3
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
_NO_DELETE: Final = "CREATE TRIGGER blocks_no_delete BEFORE DELETE ON blocks BEGIN SELECT RAISE(ABORT, 'sealed'); END"
_SEAT_BELTS: Final = {"blocks_no_update": NO_UPDATE, "blocks_no_delete": _NO_DELETE}


def create(connection: Connection) -> None:
    """Create the table in an empty database, within the caller's transaction."""
    metadata.create_all(connection)
    for statement in _SEAT_BELTS.values():
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")


def fasten(driver: sqlite3.Connection) -> list[str]:
    """Put the seat-belts that are missing on again; return their names. Raises ``sqlite3.Error``."""
    worn = {name for (name,) in driver.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")}
    missing = [name for name in _SEAT_BELTS if name not in worn]
    for name in missing:
        driver.execute(_SEAT_BELTS[name])
    return missing
