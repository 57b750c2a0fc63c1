import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from healer.yamldoc.scalar import AmbiguousScalar, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("NULL", None), ("true", True), ("False", False), ("0", 0), ("-7", -7),
        ("+3", 3), ("1.50", 1.5), ("-0.25", -0.25), ("80%", "80%"), ("30s", "30s"), ("1.2.3", "1.2.3"), (".", "."),
        ("..", ".."), ("22:00-06:00", "22:00-06:00"), ("mon-fri", "mon-fri"), ("a_b", "a_b"), ("onward", "onward"),
        ("nobody", "nobody"), ("-", "-"),
        ("n", "n"), ("Y", "Y"), ("127.0.0.1", "127.0.0.1"), ("10.0.0.0/8", "10.0.0.0/8"), ("::1", "::1"),
    ],
)  # fmt: skip
def test_what_everybody_reads_alike_is_read(text, value):
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "on", "off", "yes", "no", "On", "YES", "12:30:45", "1:30", "190:20:30", "0777", "08", "0o7", "0b101",
        "0x1f", "1_000", "1e3", "1E-3", "1.5e3", "1.", ".5", "2024-01-01", "2024-1-1", "2024-01-01T10:00:00Z", "=",
        "2024-01-01 10:00:00", ".inf", "-.INF", ".nan", "00", "+08",
    ],
)  # fmt: skip
def test_what_readers_disagree_about_is_an_error_that_says_how_to_write_it(text):
    with pytest.raises(AmbiguousScalar) as told:
        resolve(text)
    assert told.value.hint


@pytest.mark.parametrize("text", ["9" * 21, "9" * 5000, "0." + "1" * 30, "-" + "9" * 400])
def test_endless_numbers_are_refused_before_they_are_computed(text):
    with pytest.raises(AmbiguousScalar):
        resolve(text)


@given(st.from_regex(r"[-+0-9a-zA-Z_.:~%=]{0,12}", fullmatch=True))
def test_no_scalar_is_read_otherwise_than_stock_pyyaml_would_have_without_an_error(text):
    try:
        ours = resolve(text)
    except AmbiguousScalar:
        return
    try:
        theirs = yaml.safe_load(f"k: {text}\n")["k"]
    except (yaml.YAMLError, ValueError):
        return
    assert ours == theirs
    assert type(ours) is type(theirs)
