import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.actions.hands.catalog import HandsOf, Services
from healer.actions.hands.sql import check_statement, quoted, refusal, update
from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.drivers.interface import DriverError
from healer.drivers.sql import SqlError
from healer.errors import ActionError, AmbiguousError, HealerError
from healer.model.target import Target


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as made:
        made.execute('CREATE TABLE "odd ""name" (id INTEGER PRIMARY KEY, state TEXT, "a%b" TEXT)')
        made.executemany('INSERT INTO "odd ""name" VALUES (?, ?, NULL)', [(number, "new") for number in range(5)])
    made.close()
    return path


@pytest.fixture
async def hands():
    drivers = Drivers(SystemClock())
    yield HandsOf(Services(drivers=drivers, programs=None, clock=SystemClock()))("sql")
    await drivers.close()


def order(path, **params):
    spec = {"path": str(path), "updates": {'odd "name': ("state", "a%b")}}
    target = Target(kind="sql", name="shop", organ="stomach", spec=spec)
    return Order(intent="aa", target=target, params=params, timeout=2.0, generation="")


def rows(path):
    connection = sqlite3.connect(path)
    found = connection.execute('SELECT * FROM "odd ""name" ORDER BY id').fetchall()
    connection.close()
    return found


async def test_a_declared_column_of_few_rows_is_set_whatever_it_is_called(hands, base):
    params = {"table": 'odd "name', "set": {"state": "x'; --", "a%b": 7}, "where": {"id": 1, "a%b": None}, "at_most": 1}
    done = await hands["update"].act(order(base, **params))
    assert done.facts == {"rows": 1}
    assert rows(base)[1] == (1, "x'; --", "7")
    assert "state, a%b" in hands["update"].would(order(base, **params))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"table": "other"}, "not declared"),
        ({"set": {"id": 3}}, "not declared"),
        ({"set": {}}, "columns to set"),
        ({"where": {}}, "columns that tell"),
        ({"where": {"id": 99}}, "no row fits"),
        ({"where": {"state": "new"}}, "of at most 1"),
        ({"where": {"x" * 64: 1}}, "no name"),
        ({"where": {"": 1}}, "no name"),
    ],
)
async def test_anything_else_is_refused_and_nothing_changes(hands, base, wrong, said):
    params = {"table": 'odd "name', "set": {"state": "x"}, "where": {"id": 1}, "at_most": 1}
    with pytest.raises(ActionError, match=said) as caught:
        await hands["update"].act(order(base, **params | wrong))
    assert not caught.value.transient
    assert {state for _, state, _ in rows(base)} == {"new"}


async def test_statements_run_together_or_not_at_all(hands, base):
    one = 'UPDATE "odd ""name" SET state = %(to)s WHERE id = 1'
    params = {"statements": [one, one.replace("= 1", "= 2")], "values": {"to": "seen"}, "at_most": 2}
    assert (await hands["sql"].act(order(base, **params))).facts == {"rows": 2}
    for wrong in ({"at_most": 1}, {"statements": [one, "DELETE FROM nothing"]}, {"statements": []},
                  {"values": {}}, {"statements": [one, "COMMIT"]}):  # fmt: skip
        with pytest.raises(ActionError):
            await hands["sql"].act(order(base, **params | {"values": {"to": "twice"}} | wrong))
    assert [state for _, state, _ in rows(base)] == ["new", "seen", "seen", "new", "new"]
    assert "2 statements" in hands["sql"].would(order(base, **params))


@pytest.mark.parametrize(
    "statement",
    ["COMMIT", "  begin;", "END", "Rollback", "SAVEPOINT x", "PREPARE TRANSACTION 'x'", "ATTACH 'x' AS y",
     "PRAGMA writable_schema=ON", "VACUUM", "COPY x FROM STDIN", "", "  ", "-- COMMIT\nSELECT 1", "/* */ COMMIT"],
)  # fmt: skip
def test_what_would_leave_the_transaction_is_refused(statement):
    with pytest.raises(ActionError) as caught:
        check_statement(statement)
    assert not caught.value.transient


@pytest.mark.parametrize("statement", ["UPDATE x SET y = 1", "\n (SELECT 1)", "WITH a AS (SELECT 1) DELETE FROM b"])
def test_what_stays_in_it_is_not(statement):
    check_statement(statement)


@given(st.text(min_size=1, max_size=63).filter(lambda name: "\0" not in name))
def test_no_name_gets_out_of_its_quotes(name):
    inner = quoted(name)[1:-1].replace("%%", "%")
    assert '"' not in inner.replace('""', "")
    assert inner.replace('""', '"') == name


def test_a_schema_is_quoted_by_itself():
    spec = {"updates": {"public.jobs": ("state",)}}
    target = Target(kind="postgres", name="main", organ="stomach", spec=spec)
    params = {"table": "public.jobs", "set": {"state": "x"}, "where": {"id": 1}}
    made = Order(intent="aa", target=target, params=params, timeout=2.0, generation="")
    assert update(made) == ('UPDATE "public"."jobs" SET "state" = %s WHERE "id" = %s', ("x", 1))


@pytest.mark.parametrize(
    ("error", "transient", "ambiguous"),
    [
        (SqlError("lost in COMMIT", fact=True, sent=True), False, True),
        (DriverError("lost", sent=True), False, True),
        (SqlError("deadlock", asked=True, again=True), True, False),
        (SqlError("no such column", asked=True), False, False),
        (DriverError("refused", fact=True), True, False),
        (HealerError("no driver"), False, False),
    ],
)
def test_a_databases_no_becomes_the_actions(error, transient, ambiguous):
    made = refusal(error)
    assert made.transient is transient
    assert isinstance(made, AmbiguousError) is ambiguous
