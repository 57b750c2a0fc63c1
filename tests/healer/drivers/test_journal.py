"""Entries reach journald by its native protocol, or the ordinary log, and never lie about fields."""

import logging
import socket

from hypothesis import given
from hypothesis import strategies as st

from healer.drivers import journal


def parsed(datagram):
    """Read the native protocol as systemd documents it."""
    fields = {}
    while datagram:
        name, _, rest = datagram.partition(b"\n")
        size = int.from_bytes(rest[:8], "little")
        fields[name.decode()] = rest[8 : 8 + size].decode()
        assert rest[8 + size : 9 + size] == b"\n"
        datagram = rest[9 + size :]
    return fields


def test_an_entry_arrives_with_its_fields(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        assert journal.write("down\nMESSAGE=forged", 2, {"target": "program:api", "rule": ""}, path)
        assert parsed(server.recv(65536)) == {
            "MESSAGE": "down\nMESSAGE=forged",
            "PRIORITY": "2",
            "SYSLOG_IDENTIFIER": "healer",
            "HEALER_TARGET": "program:api",
        }


def test_without_a_journal_the_ordinary_log_has_it(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        assert not journal.write("down", 4, {"target": "x"}, str(tmp_path / "none"))
    assert caplog.records[0].told == "down"


def test_a_full_journal_does_not_hold_the_agent(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        while journal.write("x" * 1000, 6, {}, path):
            pass  # nobody reads: at last it is full, and the call comes back at once


@given(st.text(), st.text())
def test_no_text_at_all_can_pass_for_another_field(one, other):
    assert parsed(journal.encoded("A", one) + journal.encoded("B", other)).keys() == {"A", "B"}
