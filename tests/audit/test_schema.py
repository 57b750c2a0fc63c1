"""The table is the one of the specification, and slips of the hand are caught."""

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import IntegrityError

from audit import schema
from audit.block import APPLICATION_ID


@pytest.fixture
def connection():
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        schema.create(connection)
        yield connection
    engine.dispose()


def test_columns_are_those_of_the_specification(connection):
    columns = connection.exec_driver_sql("SELECT name FROM pragma_table_info('blocks')").scalars().all()
    assert columns == ["height", "first", "n", "hdr", "sig", "rsig", "body"]
    (sql,) = connection.exec_driver_sql("SELECT sql FROM sqlite_schema WHERE name = 'blocks'").scalars()
    assert sql.rstrip().endswith("STRICT")
    assert connection.exec_driver_sql("PRAGMA application_id").scalar() == APPLICATION_ID


def test_update_and_delete_are_refused(connection):
    connection.exec_driver_sql("INSERT INTO blocks VALUES (0, 0, 1, x'00', x'00', x'', x'00')")
    for statement in ("UPDATE blocks SET n = 2", "DELETE FROM blocks"):
        with pytest.raises(IntegrityError, match="sealed"):
            connection.exec_driver_sql(statement)
