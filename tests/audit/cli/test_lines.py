"""Lines for people and for programs, whatever an attacker wrote."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as some

from audit.cli.lines import Page
from audit.cli.select import Found
from audit.reader import Sealed

SEALED = Sealed(12, 3, "ab" * 32, b"{}")
EVENT = {"v": 1, "kind": "event", "seq": 12, "ts": 1_795_162_812_000_000, "mono": 1, "boot": "b", "node": "n"}


def line(width: int | None = None, *, as_json: bool = False, **fields: object) -> str:
    page = Page(log=Path("none"), as_json=as_json, reveal=False, width=width)
    return page.line(Found(SEALED, EVENT | fields))


def test_what_a_reader_looks_for_comes_first():
    assert line(params={}, because="it hung", target="unit:x", action="restart", zoo=1) == (
        '      12 2026-11-20 08:20:12+00:00 event       action=restart target=unit:x because="it hung" params={} zoo=1'
    )


def test_texts_that_could_be_taken_for_something_else_are_quoted():
    assert 'a="x rule=web"' in line(a="x rule=web")
    assert 'a=""' in line(a="")
    assert 'a="[1]"' in line(a="[1]")
    assert "a=[1]" in line(a=[1])
    assert 'a="back\\\\slash"' in line(a="back\\slash")


def test_nothing_drives_the_terminal():
    shown = line(type="\x1b]0;owned\x07\x1b[2J", target="a\u202eb", because="\r\nPROVEN: L4", kind="\x9bevent")
    assert shown.isprintable()
    assert "\\u202e" in shown


VALUES = some.text(max_size=9) | some.integers() | some.lists(some.text(max_size=9), max_size=3)


@given_any(some.dictionaries(some.text(max_size=9), VALUES, max_size=4))
def test_whatever_is_in_an_entry_it_is_one_printable_line_that_fits(fields):
    fields = {str(name): value for name, value in fields.items()}
    assert line(**{"kind": "event"} | {f"x{name}": value for name, value in fields.items()}).isprintable()
    assert len(line(80, **{f"x{name}": value for name, value in fields.items()})) <= 80
    told = json.loads(line(as_json=True, data=fields))
    assert told["entry"]["data"] == json.loads(json.dumps(fields))


def test_a_narrow_terminal_still_shows_what_happened():
    assert line(80, because="x" * 500)[:60] == line(40, because="x" * 500)[:60]
    assert "because=xxx" in line(1, because="x" * 500)


def test_a_long_line_says_how_much_was_cut():
    assert line(80, because="x" * 500).endswith("… (+483)")


def test_an_entry_that_is_none_has_a_line_all_the_same():
    page = Page(log=Path("none"), as_json=False, reveal=False, width=None)
    assert page.line(Found(SEALED, {})).split() == ["12", "?", "?"]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_terminal_gets_a_heading_and_lines_that_fit(honest, options):
    reading, writing = pty.openpty()
    command = [sys.executable, "-m", "audit", "show", str(honest.db), "--no-memory", "--kind", "intent", *options]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.DEVNULL,
        check=False,
        env={**os.environ, "COLUMNS": "100", "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
    )
    os.close(writing)
    out = b""
    while chunk := _read(reading):
        out += chunk
    os.close(reading)
    lines = out.decode().splitlines()
    assert done.returncode == 2
    if options:
        assert [json.loads(one)["entry"]["kind"] for one in lines] == ["intent"] * 4
        return
    assert lines[0].split() == ["seq", "when", "kind", "what"]
    assert len(lines) == 5
    assert all(len(one) <= 100 and one.endswith(")") for one in lines[1:])
    assert lines[0].index("kind") == lines[1].index("intent")


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65_536)
    except OSError:  # what Linux says when nobody holds the other end any more
        return b""
