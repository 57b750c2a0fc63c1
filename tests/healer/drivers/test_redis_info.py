"""INFO as it may come: figures are numbers or not there, whatever somebody wrote."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers.redis_info import number, read_info

RUN = "0123456789abcdef" * 2 + "01234567"


def info(*lines):
    return read_info("\r\n".join(lines).encode())


def test_lines_are_read_and_headlines_left_out():
    found = info("# Server", f"run_id:{RUN}", "redis_version:7.0.15", "used_memory:1024", "", "role:slave")
    assert (found.generation, found.version, found.major, found.role) == (RUN, "7.0.15", 7, "replica")
    assert found.number("used_memory") == 1024.0
    assert found.number("missing") is None
    assert found.flag("missing", "ok") is None


@pytest.mark.parametrize(
    "text", ["", "nan", "inf", "-inf", "1e5", "0x1f", " 7", "7 ", "7.", ".7", "1_000", "٣", "9" * 30, "--1", "1,5"]
)
def test_what_is_no_number_is_not_there(text):
    assert number(text) is None


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("-1", -1.0), ("13.79", 13.79), ("1795206328", 1795206328.0)])
def test_what_redis_writes_is(text, value):
    assert number(text) == value


def test_replicas_and_databases_are_found_by_their_names():
    found = info(
        "slave0:ip=10.0.0.2,port=6379,state=online,offset=90,lag=1", "slave1:ip=10.0.0.3,port=1,state=wait_bgsave",
        "slave_repl_offset:5", "db0:keys=7,expires=1,avg_ttl=0", "db12:keys=x", "dbase:keys=1",
    )  # fmt: skip
    first, second = found.replicas
    assert (first.name, first.online, first.offset, first.lag) == ("10.0.0.2:6379", True, 90.0, 1.0)
    assert (second.online, second.offset) == (False, None)
    assert found.databases == {"0": 7.0, "12": None}


def test_a_sentinel_is_one_whatever_else_it_says():
    assert info("redis_mode:sentinel", "role:master").role == "sentinel"
    assert info("role:king").role == ""


@pytest.mark.parametrize(
    "line", ["run_id:short", f"run_id:{RUN}0", "run_id:" + "G" * 40, "redis_version:7", "redis_version:x.y"]
)
def test_an_identity_that_is_none_is_empty(line):
    found = info(line)
    assert (found.generation, found.version, found.major) == ("", "", 0)


@given(st.one_of(st.binary(max_size=2000), st.none(), st.integers(), st.lists(st.binary(max_size=5))))
def test_nothing_that_comes_makes_it_fail(reply):
    found = read_info(reply)
    assert found.role in ("", "master", "replica", "sentinel")
    for name in found.lines:
        value = found.number(name)
        assert value is None or math.isfinite(value)
    assert list(found.replicas) is not None
    assert found.databases is not None


def test_the_first_of_two_lines_with_one_name_counts():
    assert info("loading:1", "loading:0").number("loading") == 1.0
