import os
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.clock import SystemClock
from healer.drivers.link import LinkState
from healer.drivers.sql import SqlError
from healer.drivers.sqlite import Sqlite, translated
from healer.model.target import Target


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, state TEXT)")
        made.executemany("INSERT INTO orders VALUES (?, ?)", [(number, "new") for number in range(50)])
    made.close()
    return path


def driver(path, timeout=1.0):
    spec = {"path": str(path), "timeout": timeout}
    return Sqlite(Target(kind="sql", name="shop", organ="stomach", spec=spec), SystemClock())


def states(path):
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT state, count(*) FROM orders GROUP BY state ORDER BY state").fetchall()
    connection.close()
    return found


async def test_rows_come_back_and_no_more_than_asked_for(base):
    one = driver(base)
    assert one.status().state is LinkState.IDLE
    assert await one.select("SELECT count(*), max(id) FROM orders", most=5) == [(50, 49)]
    assert len(await one.select("SELECT id FROM orders", most=7)) == 7
    assert one.status().state is LinkState.CONNECTED
    await one.health()
    await one.close()


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM orders",
        "DELETE FROM orders RETURNING id",
        "UPDATE orders SET state = 'x'",
        "CREATE TABLE more (id)",
        "ATTACH 'other.db' AS other",
        "PRAGMA query_only=OFF",
        "SELECT 1; DELETE FROM orders",
        "VACUUM INTO 'copy.db'",
        "SELECT nope FROM orders",
        "SELECT load_extension('x')",
        "\0",
    ],
)
async def test_what_is_no_plain_select_is_the_querys_fault_and_changes_nothing(base, query):
    one = driver(base)
    before = base.read_bytes()
    with pytest.raises(SqlError) as caught:
        await one.select(query, most=5) or pytest.fail("it had an answer")
    assert caught.value.asked, caught.value
    assert not caught.value.fact
    assert base.read_bytes() == before
    assert sorted(path.name for path in base.parent.iterdir()) == ["shop.db"]


async def test_a_query_without_an_end_is_stopped_in_time(base):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(SqlError, match=r"within 0\.1 s") as caught:
        await driver(base, timeout=0.1).select(endless, most=1)
    assert caught.value.asked
    assert caught.value.again


async def test_a_value_of_a_gigabyte_is_refused(base):
    with pytest.raises(SqlError, match="too big"):
        await driver(base).select("SELECT zeroblob(1000000000)", most=1)


async def test_missing_and_broken_files_are_facts_about_them(base, tmp_path):
    base.write_bytes(base.read_bytes()[:4096] + b"\xff" * 4096)
    (tmp_path / "text.db").write_text("this is no database at all" * 10)
    for name, said in (("none.db", "there is no"), ("text.db", "not an SQLite"), ("shop.db", "malformed|disk image")):
        one = driver(tmp_path / name)
        with pytest.raises(SqlError, match=said) as caught:
            await one.select("SELECT count(*) FROM orders", most=1)
        assert caught.value.fact, name
        assert not caught.value.asked
        assert one.status().state is LinkState.LOST
    assert not (tmp_path / "none.db").exists()


async def test_a_pipe_is_no_database_and_keeps_nobody(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SqlError, match="no regular file") as caught:
        await driver(tmp_path / "pipe").select("SELECT 1", most=1)
    assert caught.value.fact


async def test_a_file_that_somebody_holds_is_busy_and_may_be_tried_again(base):
    holder = sqlite3.connect(base, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    for call in (
        driver(base, timeout=0.05).select("SELECT 1 FROM orders", most=1),
        driver(base).change([("DELETE FROM orders", None)], at_most=99, timeout=0.05),
    ):
        with pytest.raises(SqlError, match="locked") as caught:
            await call
        assert caught.value.again
    holder.close()


async def test_the_agents_own_files_are_left_alone(tmp_path):
    (tmp_path / "keys").mkdir()
    (tmp_path / "audit.db").touch()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for path, setup in ((tmp_path / "state.db", ""), (moved / "copy.db", "PRAGMA application_id = 0x48454C31")):
        with sqlite3.connect(path) as made:
            made.execute(setup or "SELECT 1")
            made.execute("CREATE TABLE blocks (id)")
        made.close()
        for call in (
            driver(path).select("SELECT 1", most=1),
            driver(path).change([("DELETE FROM blocks", None)], at_most=9, timeout=1.0),
        ):
            with pytest.raises(SqlError, match="belongs to the agent itself"):
                await call


async def test_changes_are_one_transaction_within_their_bound(base):
    one = driver(base)
    first = ("UPDATE orders SET state = %(to)s WHERE id < %(most)s", {"to": "100%'; --", "most": 3})
    second = ("UPDATE orders SET state = 'gone' WHERE id = 10", None)
    assert await one.change([first, second], at_most=4, timeout=1.0) == 4
    assert states(base) == [("100%'; --", 3), ("gone", 1), ("new", 46)]
    for statements, said in (
        ([("UPDATE orders SET state = 'x'", None)], "50 rows or more of at most 10"),
        ([("UPDATE orders SET state = 'x' WHERE id = 1", None), ("UPDATE nope SET x = 1", None)], "no such table"),
        ([("UPDATE orders SET state = 'x' WHERE id = 1; DELETE FROM orders", None)], "one statement"),
        ([("UPDATE orders SET state = %(missing)s", {"to": 1})], "did not supply|missing"),
        ([("ATTACH ':memory:' AS m", None)], "attached"),
    ):
        with pytest.raises(SqlError, match=said) as caught:
            await one.change(statements, at_most=10, timeout=1.0)
        assert not caught.value.sent
        assert not caught.value.again
    assert states(base) == [("100%'; --", 3), ("gone", 1), ("new", 46)]


def test_placeholders_are_translated_and_percent_signs_kept():
    assert translated("a = %(x)s AND b LIKE '5%%' AND c = %s") == "a = :x AND b LIKE '5%' AND c = ?"


@given(st.text())
def test_any_text_can_be_translated(text):
    assert isinstance(translated(text), str)
