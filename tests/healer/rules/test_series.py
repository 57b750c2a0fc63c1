import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.model.observation import Series
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules.series import MAX_VALUES, Mark, check_words, name, values
from healer.yamldoc.shape import Mistake

GAP, STALE = Mark.MISSING, Mark.STALE


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1+0x6 0x8 _ stale", (*[1.0] * 7, *[0.0] * 9, GAP, STALE)),
        ("1", (1.0,)),
        ("3x2", (3.0, 3.0, 3.0)),
        ("1+2x3", (1.0, 3.0, 5.0, 7.0)),
        ("5-1x2", (5.0, 4.0, 3.0)),
        ("-5+5x1", (-5.0, 0.0)),
        ("_x3 1", (GAP, GAP, GAP, 1.0)),
        ("80% 64MiB 2m 0.5", (0.8, 67108864.0, 120.0, 0.5)),
        ("1m+30sx1", (60.0, 90.0)),
    ],
)
def test_the_notation_is_promtools_with_units(text, found):
    assert values(text, words=False) == pytest.approx(found) if GAP not in found else values(text, words=False) == found


def test_words_are_bare_or_in_quotes():
    assert values('running "a b"x1 _ stale', words=True) == ("running", "a b", "a b", GAP, STALE)


@pytest.mark.parametrize(
    ("text", "words", "offset"),
    [("1 0x x", False, 2), ("1 running", False, 2), ("running 5", True, 8), ("1 1e5", False, 2), ("1 inf", False, 2)],
)
def test_what_is_no_value_has_its_character(text, words, offset):
    with pytest.raises(Mistake) as told:
        values(text, words=words)
    assert told.value.offset == offset


@pytest.mark.parametrize("text", ["", "   ", f"1x{MAX_VALUES + 5}", " ".join(["1x9000"] * 3), "1x99999999"])
def test_nothing_and_too_much_are_refused(text):
    with pytest.raises(Mistake):
        values(text, words=False)


@given(st.text(max_size=60), st.booleans())
def test_no_text_whatever_is_more_than_a_mistake(text, words):
    try:
        assert values(text, words=words)
    except Mistake as mistake:
        assert mistake.what  # noqa: PT017 - either is fine, a traceback is not


def test_a_series_has_all_its_labels_and_a_unit():
    assert name('http.ok{target="http:front"}', METRICS) == (Series("http.ok", (("target", "http:front"),)), Unit.FLAG)
    assert name("cpu.used", METRICS)[1] is Unit.RATIO


@pytest.mark.parametrize(
    "text",
    [
        "http.ok",
        "http.ok{target}",
        'disk.used{mount=~"/*"}',
        "cpu.used > 1%",
        "max(disk.used)",
        "nothing.known",
        "",
        "1",
    ],
)
def test_what_is_not_one_series_is_refused(text):
    with pytest.raises(Mistake):
        name(text, METRICS)


def test_words_a_metric_never_holds_are_refused():
    series, _ = name('container.state{target="container:c"}', METRICS)
    check_words(("running", STALE), series, METRICS)
    with pytest.raises(Mistake, match="never 'runing'"):
        check_words(("runing",), series, METRICS)
