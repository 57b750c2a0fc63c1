from decimal import Decimal

import pytest

from healer.clock import SystemClock
from healer.drivers.interface import DriverError
from healer.drivers.sql import SqlError
from healer.errors import SensorError
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors.sql import SqlSensor


class Base:
    """A database that says what it was told to."""

    def __init__(self, **said):
        self.said, self.most = said, 0

    async def select(self, query, *, most):
        self.most = most
        found = self.said[query]
        if isinstance(found, Exception):
            raise found
        return found[:most]


async def look(base, rows=3):
    spec = {"queries": {name: name for name in base.said}, "rows": rows}
    target = Target(kind="sql", name="x", organ="stomach", spec=spec)
    seen = {}
    for reading in await SqlSensor(target, base, SystemClock()).look(1.0):
        marks = dict(reading.labels)
        value = f"?{reading.because}" if isinstance(reading, Unknown) else reading.value
        key = "/".join(part for part in (reading.metric, marks.get("name"), marks.get("row")) if part is not None)
        assert key not in seen
        seen[key] = value
    return seen


async def test_one_number_is_one_series_and_several_rows_are_named_by_what_comes_before():
    seen = await look(Base(one=[(42,)], several=[("a", 1, 2.5), ("b", None, Decimal(3))], none=[]))
    assert seen["sql.up"] == 1
    assert seen["sql.value/one/"] == 42
    assert seen["sql.value/several/a/1"] == 2.5
    assert seen["sql.value/several/b/"] == 3
    assert (seen["sql.rows/several"], seen["sql.rows/none"]) == (2, 0)
    assert 0 <= seen["sql.latency/one"] < 1


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "NULL"), ("12", "garbage"), (float("nan"), "garbage"), (float("inf"), "garbage"), (10**400, "garbage"),
     (b"\xff", "garbage"), (Decimal("NaN"), "garbage"), (Decimal("Infinity"), "garbage")],
)  # fmt: skip
async def test_what_is_no_number_is_unknown(value, said):
    assert said in (await look(Base(one=[(value,)])))["sql.value/one/"]


async def test_rows_of_one_name_and_too_many_rows_are_unknown():
    base = Base(twice=[("a", 1), ("a", 2)], many=[(str(number), number) for number in range(9)])
    seen = await look(base)
    assert base.most == 4
    assert "called 'a'" in seen["sql.value/twice/a"]
    assert "more than 3 rows" in seen["sql.value/many/"]
    assert "more than 3 rows" in seen["sql.rows/many"]


async def test_a_row_is_named_in_visible_letters_and_not_for_ever():
    seen = await look(Base(one=[("a\nb\x1b" + "c" * 10_000, 1)]))
    (name,) = (key for key in seen if key.startswith("sql.value"))
    assert name.startswith("sql.value/one/a?b?ccc")
    assert len(name) < 150


async def test_a_wrong_query_costs_its_own_series_and_no_other():
    seen = await look(Base(wrong=SqlError("no such table", asked=True), slow=SqlError("slow", asked=True), fine=[(1,)]))
    assert seen["sql.up"] == 1
    assert seen["sql.value/wrong/"] == "?no such table"
    assert seen["sql.value/slow/"] == "?slow"
    assert seen["sql.value/fine/"] == 1


async def test_a_database_that_is_down_is_a_fact_and_one_we_cannot_reach_is_not():
    seen = await look(Base(first=DriverError("refused", fact=True), second=[(1,)]))
    assert seen["sql.up"] == 0
    assert seen["sql.message"] == "refused"
    assert seen["sql.value/first/"] == seen["sql.value/second/"] == "?refused"
    with pytest.raises(SensorError, match="bad password"):
        await look(Base(first=DriverError("bad password")))
