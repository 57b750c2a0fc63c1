"""Which entries are meant."""

import argparse
import json

import pytest

from audit.cli import select
from audit.cli.options import Parser
from audit.clock import SystemClock

ENTRY = {
    "kind": "intent",
    "id": "a1",
    "rule": "web",
    "target": "program:api",
    "corr": "web@program:api/1",
    "actor": "rule:web",
    "ts": 1_795_162_812_000_000,
    "because": "http.ok == 0",
    "params": {"deep": [{"er": "Straße"}], "n": 1500},
}


def wants(*options: str, seq: int = 7, **changes: object) -> bool:
    parser = Parser()
    select.add(parser)
    return select.of(parser.parse_args(options)).wants(seq, ENTRY | changes)


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--kind", "intent"],
        ["--kind", "outcome", "--kind", "in*"],
        ["--rule", "web", "--target", "program:*", "--corr", "web@*", "--id", "a?", "--actor", "rule:*"],
        ["--seq", "7"],
        ["--seq", "5-7"],
        ["--grep", "STRASSE"],
        ["--grep", "1500"],
        ["--grep", "params"],
        ["--after", "2026-11-20"],
        ["--after", "2026-11-20T07:20:12", "--before", "2026-11-21"],
        ["--after", "2026-11-20T09:20:12+01:00"],
    ],
)
def test_what_passes_every_filter_is_meant(options):
    assert wants(*options)


@pytest.mark.parametrize(
    "options",
    [
        ["--kind", "int"],
        ["--kind", "intent", "--rule", "db"],
        ["--type", "x"],
        ["--result", "?*"],
        ["--seq", "8"],
        ["--seq", "8-9"],
        ["--seq", "9-5"],
        ["--grep", "no such"],
        ["--before", "2026-11-20"],
        ["--after", "2026-11-20T09:20:12"],
    ],
)
def test_what_fails_one_is_not(options):
    assert not wants(*options)


def test_a_duration_counts_back_from_now():
    now = SystemClock().wall_us()
    assert wants("--after", "2h", ts=now - 3_600_000_000)
    assert not wants("--after", "2h", ts=now - 3 * 3_600_000_000)
    assert wants("--before", "1w", ts=now - 8 * 86_400_000_000)


@pytest.mark.parametrize("ts", [None, "soon", [], 1.5])
def test_an_entry_without_a_time_is_in_no_time(ts):
    assert wants(ts=ts)
    assert not wants("--after", "1970-01-01", ts=ts)


@pytest.mark.parametrize(
    "options",
    [["--seq", "-1"], ["--seq", "a"], ["--seq", "1-"], ["--seq", "1" * 16], ["--after", "soon"], ["--after", ""]],
)
def test_nonsense_is_refused(options, capsys):
    with pytest.raises(SystemExit) as ended:
        wants(*options)
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_every_filter_holds_in_every_command_that_has_them(run, honest, given):
    filters = ("--kind", "outcome", "--id", "a1")
    assert run("show", *given(honest), *filters)[1].count("\n") == 1
    assert run("tail", *given(honest), *filters)[1].count("\n") == 1
    assert json.loads(run("stats", *given(honest), *filters, "--json")[1])["kinds"] == {"outcome": 1}


def test_what_is_no_entry_has_no_fields():
    found: list[select.Found] = []
    sink = select.everything(found.append)
    sink(argparse.Namespace(octets=b"\xff", seq=3))  # type: ignore[arg-type] # a double
    assert found[0].fields == {}
