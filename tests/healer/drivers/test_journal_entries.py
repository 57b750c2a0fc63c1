"""What journalctl writes: every shape a field can have, cursors, and filters that say no less than they mean."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers.journal_entries import Entry, Filter, Place, matches, place, read

CURSOR = (
    "s=a07b9a0f72744d91ab29bc36c00be3ff;i=19a;b=b40043f969954f9482f90684d6d8c32a;m=88c743389;"
    "t=660bb246b2094;x=e68d907709858d4a"
)


def line(**fields):
    return json.dumps({"__CURSOR": CURSOR, "MESSAGE": "hello", "PRIORITY": "4", **fields}).encode()


def test_an_entry_is_read():
    entry = read(line(SYSLOG_IDENTIFIER="sshd", _SYSTEMD_UNIT="ssh.service", _PID="12"))
    assert entry == Entry(
        cursor=CURSOR, place=Place(source="a07b9a0f72744d91ab29bc36c00be3ff", number=0x19A, at=0x660BB246B2094 / 1e6),
        message="hello", priority=4, identifier="sshd", unit="ssh.service",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"), ("", ""), (None, None), ([104, 105, 255], "hi\ufffd"), (["first", "second"], "first"),
        ([[104, 105], "x"], "hi"), ([], None), (7, None), ([300], None), ({"a": 1}, None), ([None], None),
    ],
)  # fmt: skip
def test_a_field_is_text_octets_or_a_list_of_either(value, expected):
    assert read(line(MESSAGE=value)).message == expected


@pytest.mark.parametrize(
    ("given", "expected"), [("0", 0), ("7", 7), ("8", 6), ("x", 6), (None, 6), ("-1", 6), ("٣", 6)]
)
def test_a_priority_that_is_none_is_that_of_ordinary_talk(given, expected):
    assert read(line(PRIORITY=given)).priority == expected


def test_only_systemd_speaks_of_other_units():
    assert read(line(UNIT="nginx.service", _PID="1", _SYSTEMD_UNIT="init.scope")).unit == "nginx.service"
    assert read(line(UNIT="nginx.service", _PID="99", _SYSTEMD_UNIT="evil.service")).unit == "evil.service"


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"MESSAGE": "x"}', b'{"__CURSOR": "x"}', b'{"__CURSOR": 1}', b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_entry_is_none(text):
    assert read(text) is None


@given(st.binary(max_size=200))
def test_no_octets_break_it(octets):
    assert read(octets) is None


def test_places_are_compared_by_number_and_between_journals_by_time():
    first = place(CURSOR)
    assert place(CURSOR.replace("i=19a", "i=19b")).is_past(first)
    assert not place(CURSOR).is_past(first)
    other = CURSOR.replace("s=a07b", "s=b07b").replace("i=19a", "i=1")
    assert not place(other).is_past(first)
    assert place(other.replace("t=660", "t=661")).is_past(first)
    assert place("s=1;i=2") is None


def test_a_filter_passes_what_all_its_parts_pass():
    entry = read(line(SYSLOG_IDENTIFIER="sshd", _SYSTEMD_UNIT="ssh.service"))
    assert Filter().passes(entry)
    assert Filter(units=frozenset({"ssh.service"}), identifiers=frozenset({"sshd"}), priority=4).passes(entry)
    assert not Filter(priority=3).passes(entry)
    assert not Filter(units=frozenset({"web.service"})).passes(entry)
    assert not Filter(units=frozenset({"ssh.service"}), identifiers=frozenset({"x"})).passes(entry)


def test_journalctl_is_asked_for_no_less_than_anybody_wants():
    unit, name = Filter(units=frozenset({"a.service"})), Filter(identifiers=frozenset({"b", "c"}))
    assert matches([unit]) == ("_PID=1", "UNIT=a.service", "+", "_SYSTEMD_UNIT=a.service")
    assert matches([unit, name]) == (
        "SYSLOG_IDENTIFIER=b", "+", "SYSLOG_IDENTIFIER=c", "+", *matches([unit])
    )  # fmt: skip
    assert matches([unit, Filter()]) == ()
    assert matches([]) == ()
