"""How values are written, and what is asked with them."""

import argparse
from pathlib import Path

import pytest

from audit.cli import options
from audit.cli.options import Parser


def asked(*words: str):
    parser = Parser()
    options.place(parser)
    options.proof(parser)
    return options.ask_of(parser.parse_args(words))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("2h", 7200), ("1d", 86400), ("2w", 1209600)]
)
def test_durations(text, seconds):
    assert options.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5h", "1y", "٣", "9" * 10])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        options.seconds(text)


@pytest.mark.parametrize("text", ["", "-1", "1.0", "٣", "9" * 16])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        options.natural(text)


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "\x1b[2J", "\udcff", "x" * 1001])
def test_what_says_nothing_is_no_reason(text):
    assert options.words("Schlüssel gestohlen, siehe Vorfall 12") == "Schlüssel gestohlen, siehe Vorfall 12"
    with pytest.raises(argparse.ArgumentTypeError, match="one line"):
        options.words(text)


def test_what_is_given_is_what_is_asked(tmp_path):
    ask = asked(
        "L", "--key", "K", "--anchor", "A", "--anchor", "B", "--since", "7", "--max-age", "1m", "--flat", "--deep"
    )
    assert (ask.log, ask.key, ask.anchors) == (Path("L"), Path("K"), (Path("A"), Path("B")))
    assert (ask.since, ask.max_age_s, ask.flat, ask.deep, ask.min_level) == (7, 60.0, True, True, "L1")
    assert asked("L", "--memory", str(tmp_path)).memory.folder == tmp_path
    assert asked("L", "--no-memory").memory is None


def test_the_width_is_what_the_terminal_says(monkeypatch):
    monkeypatch.setenv("COLUMNS", "123")
    assert options.columns() == 123
    monkeypatch.setenv("COLUMNS", "wide")
    assert options.columns() > 0


def test_options_are_written_out(capsys):
    with pytest.raises(SystemExit):
        asked("L", "--no-mem")
    assert "unrecognized arguments: --no-mem" in capsys.readouterr().err
