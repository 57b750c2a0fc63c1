"""What plugins print: figures with labels and units as the guidelines have them, and what only looks so."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.sensors.perfdata import LONGEST_LABEL, MOST_FIGURES, Figure, read


def figures(text):
    return {figure.label: figure.value for figure in read(f"OK|{text}").figures}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("time=0.02s;1;2;0;10", {"time": 0.02}),
        ("rta=12.5ms;100;200;0 pl=50%;20;60;;", {"rta": 0.0125, "pl": 0.5}),
        ("/=2MB;5;6;0;9 '/var lib'=1KiB", {"/": 2097152.0, "/var lib": 1024.0}),
        ("'it''s'=1c", {"it's": 1.0}),
        ("'a=b'=1", {"a=b": 1.0}),
        ("load1=0.5;@1:2;~:10", {"load1": 0.5}),
        ("gone=U;;;", {"gone": None}),
        ("t=-5 u=+.5 v=1e3us w=7 x=3furlong", {"t": -5.0, "u": 0.5, "v": 0.001, "w": 7.0, "x": 3.0}),
        ("a=1  b=2\t c=3", {"a": 1.0, "b": 2.0, "c": 3.0}),
        ("same=1 same=2", {"same": 2.0}),
    ],
)
def test_figures_are_read_in_base_units(text, expected):
    found = figures(text)
    assert found == {label: None if value is None else pytest.approx(value) for label, value in expected.items()}


@pytest.mark.parametrize(
    "text",
    [
        "nonsense", "=1", "a=", "a=1,5", "a=nan", "a=inf", "a=1e999", "a=0x10", "'open=1", "a=" + "9" * 400, "\x00=1",
        f"{'x' * (LONGEST_LABEL + 1)}=1", "a=1;2 and more words",
    ],
)  # fmt: skip
def test_what_is_no_figure_is_counted_and_not_guessed(text):
    said = read(f"OK|{text}")
    assert said.garbage
    assert all(figure.label == "a" and figure.value == 1.0 for figure in said.figures)


def test_figures_may_go_on_below_the_text_and_its_bar():
    said = read("DISK OK - fine | /=1MB;2\nroot is fine\nso is home | /home=2MB\n/boot=3B\n")
    assert said.message == "DISK OK - fine"
    assert [figure.label for figure in said.figures] == ["/", "/home", "/boot"]
    assert said.garbage == 0


def test_a_plugin_that_says_nothing_says_nothing():
    assert read("") == read("\n\n")
    assert read("").figures == ()


def test_no_more_figures_than_anybody_can_look_at():
    said = read("OK|" + " ".join(f"n{number}=1" for number in range(1000)))
    assert len(said.figures) == MOST_FIGURES
    assert said.garbage == 1000 - MOST_FIGURES


@given(st.text(max_size=300))
def test_nothing_that_is_printed_breaks_it(text):
    for figure in read(f"OK | {text}").figures:
        assert isinstance(figure, Figure)
        assert figure.label


@pytest.mark.parametrize("piece", ["'", "a", "=", "'a'='", "a b ", "''", "'' ", "x" * 200])
def test_hostile_text_costs_no_time(piece):
    start = time.process_time()
    read("OK|" + piece * (65536 // len(piece)))
    assert time.process_time() - start < 0.5
