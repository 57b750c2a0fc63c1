import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Count, Duration, Flag, Number, Ratio, Size, Text, Word
from healer.yamldoc.shape import Bad, Mistake

EVERY = (Text(), Word(("a", "b")), Flag(), Number(), Count(), Duration(), Size(), Ratio())


def told(text, shape):
    problems = Problems()
    with pytest.raises(Bad):
        document.text(text, shape, problems, name="f")
    return str(problems.found[0])


@pytest.mark.parametrize(
    ("text", "shape", "value"),
    [
        ("30s", Duration(), 30.0), ("1h30m", Duration(), 5400.0), ("250ms", Duration(), 0.25),
        ("1.5h", Duration(), 5400.0),
        ("2w", Duration(), 1209600.0), ("64MiB", Size(), 67108864.0), ("1.5 GB", Size(), 1.5e9), ("10B", Size(), 10.0),
        ("80%", Ratio(), 0.8), ("0.8", Ratio(), 0.8), ("1", Ratio(), 1.0), ("0", Ratio(), 0.0),
        ("12.5 %", Ratio(), 0.125),
        ("5", Count(), 5), ("-2.5", Number(), -2.5), ("3", Number(), 3.0), ("true", Flag(), True),
        ("b", Word("ab"), "b"),
        ("'5'", Text(), "5"), ("x y", Text(), "x y"), ("''", Text(empty=True), ""),
    ],
)  # fmt: skip
def test_values_are_read_into_base_units(text, shape, value):
    assert document.text(text, shape, Problems()) == value


@pytest.mark.parametrize(
    ("text", "shape", "says"),
    [
        ("30", Duration(), "f:1:1: 30 has no unit (write 30s or 30m or 30h)"),
        ("30x", Duration(), "f:1:1: '30x' is not a duration"),
        ("1h30", Duration(), "f:1:3: '1h30' is not a duration"),
        ("'-5s'", Duration(), "not a duration"),
        ("400d", Duration(), "out of bounds"),
        ("true", Duration(), "expected a duration such as 30s, found true"),
        ("[30s]", Duration(), "found a list"),
        ("64", Size(), "64 has no unit (write 64KiB or 64MiB or 64GiB)"),
        ("64Mb", Size(), "not a size"),
        ("80", Ratio(), "did you mean 80%?"),
        ("120%", Ratio(), "out of bounds"),
        ("'a%'", Ratio(), "not a ratio"),
        ("-0.1", Ratio(), "out of bounds"),
        ("5.5", Count(), "expected a whole number"),
        ("-1", Count(), "out of bounds"),
        ("'5'", Count(), "without unit or quotes"),
        ("true", Count(), "expected a whole number, found true"),
        ("5", Text(), 'quote it: "5"'),
        ("true", Text(), "expected text, found true"),
        ("' '", Text(), "empty text"),
        ("aa", Text(longest=1), "at most 1"),
        ("a b", Text(pattern="[a-z]+", called="a word"), "'a b' is not a word"),
        ("c", Word(("abc", "xyz")), "one of: abc, xyz"),
        ("abd", Word(("abc", "xyz")), "did you mean 'abc'?"),
        ("1", Flag(), "expected true or false"),
    ],
)
def test_mistakes_say_what_was_expected(text, shape, says):
    assert says in told(text, shape)


@pytest.mark.parametrize("shape", EVERY)
def test_nothing_is_never_a_value(shape):
    for text in ("", "~", "[]", "{}", "{a: 1}"):
        assert told(text, shape)


@pytest.mark.parametrize("shape", EVERY)
@given(text=st.text(max_size=40))
def test_no_text_whatever_is_more_than_a_problem(shape, text):
    problems = Problems()
    try:
        document.text(text, shape, problems)
    except Bad:
        assert problems


@given(st.integers(0, 10**6))
def test_a_duration_is_the_sum_of_its_parts(seconds):
    hours, rest = divmod(seconds, 3600)
    assert Duration.parse(f"{hours}h{rest // 60}m{rest % 60}s") == seconds


def test_a_parser_may_make_something_else_of_a_text():
    assert document.text("abc", Text(parse=str.upper), Problems()) == "ABC"

    def refuse(text):
        raise Mistake("no", "hint", 1)

    assert told("abc", Text(parse=refuse)) == "f:1:2: no (hint)"
    assert document.text("a", Word(("a",), means=ord), Problems()) == 97


@pytest.mark.parametrize("shape", EVERY)
def test_each_has_a_schema_and_says_what_it_expects(shape):
    assert shape.schema()
    assert shape.expected()
    assert Text(pattern="a+").schema()["pattern"] == "^(?:a+)$"


@pytest.mark.parametrize(
    ("text", "shape", "says"),
    [
        ("400d", Duration(1.0), "400d is out of bounds (from 1s to 366d)"),
        ("1ms", Duration(0.1, 86400.0), "1ms is out of bounds (from 100ms to 1d)"),
        ("2TiB", Size(1, 2**40), "2TiB is out of bounds (from 1B to 1TiB)"),
        ("0s", Duration(0.001, 90.0), "0s is out of bounds (from 1ms to 90s)"),
    ],
)
def test_bounds_are_told_as_people_write_them(text, shape, says):
    assert told(text, shape) == f"f:1:1: {says}"


def test_a_size_of_one_letter_is_told_both_its_meanings():
    assert "did you mean 600MB or 600MiB?" in told("600M", Size())
    assert "did you mean 6kB or 6KiB?" in told("6K", Size())


@pytest.mark.parametrize(
    ("text", "shape", "hint"),
    [
        ("yes", Word(("stop", "keep")), "(one of: stop, keep)"),
        ("on", Word(("on", "dim")), '(quote it: "on")'),
        ("yes", Flag(), "(write true)"),
        ("Off", Flag(), "(write false)"),
        ("no", Text(), '(quote it: "no")'),
        ("on", Duration(), "(expected a duration such as 30s, not on)"),
    ],
)
def test_a_truth_of_old_is_told_what_is_due_there(text, shape, hint):
    assert told(text, shape).endswith(hint)
