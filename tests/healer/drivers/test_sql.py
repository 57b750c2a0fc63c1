from healer.drivers.interface import DriverError
from healer.drivers.postgres import Postgres
from healer.drivers.sql import Database, SqlError
from healer.drivers.sqlite import Sqlite


def test_a_databases_no_is_a_drivers_no_that_also_says_whose_and_whether_to_try_again():
    error = SqlError("no", asked=True, again=True)
    assert isinstance(error, DriverError)
    assert (error.fact, error.sent, error.asked, error.again) == (False, False, True, True)


def test_both_databases_can_be_asked_and_told_the_same():
    for name in ("select", "change"):
        for kind in (Postgres, Sqlite):
            assert hasattr(Database, name)
            assert getattr(kind, name).__annotations__ == getattr(Database, name).__annotations__
