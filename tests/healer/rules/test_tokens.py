"""Text to tokens."""

import contextlib
import time

import pytest

from healer.model.unit import Unit
from healer.rules.syntax import ExpressionError
from healer.rules.tokens import MAX_LENGTH, Cursor, tokens, unquote


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [("80%", 0.8, Unit.RATIO), ("99.9%", 0.999, Unit.RATIO), ("7%", 0.07, Unit.RATIO),
     ("200ms", 0.2, Unit.SECONDS), ("5m", 300, Unit.SECONDS),
     ("1h30m", 5400, Unit.SECONDS),
     ("1d", 86400, Unit.SECONDS), ("10B", 10, Unit.BYTES), ("1kB", 1000, Unit.BYTES), ("1KiB", 1024, Unit.BYTES),
     ("1.5MB", 1.5e6, Unit.BYTES), ("2TiB", 2 * 1024**4, Unit.BYTES), ("1e3", 1000, None), ("0", 0, None)],
)  # fmt: skip
def test_numbers_in_base_units(text, value, unit):
    (token, end) = tokens(text)
    assert (token.value, token.unit, token.text, end.kind) == (value, unit, text, "end")


@pytest.mark.parametrize(
    ("text", "at"), [("1x", 1), ("1h5", 2), ("1h5MiB", 3), ("a # b", 2), ('"abc', 0), ("'a\nb'", 0),
     ("9" * 400, 0), ("9" * 400 + "%", 0), ("1e9999", 1), ("a;b", 1), ("é", 0)]
)  # fmt: skip
def test_what_is_no_token_is_pointed_at(text, at):
    with pytest.raises(ExpressionError) as caught:
        tokens(text)
    assert caught.value.offset == at


def test_words_keep_their_escapes():
    assert unquote(tokens(r'"a\"b\\c"')[0].text) == 'a"b\\c'
    assert unquote(tokens("'it\\'s'")[0].text) == "it's"


def test_length_is_bounded_before_anything_is_read():
    with pytest.raises(ExpressionError, match="4096"):
        tokens("1" * (MAX_LENGTH + 1))


@pytest.mark.parametrize("piece", ["(", "a", "a.", '"', "1", "1e", "%", "\\", " ", "=~"])
def test_time_is_linear_in_the_text(piece):
    text = (piece * MAX_LENGTH)[:MAX_LENGTH]
    start = time.perf_counter()
    with contextlib.suppress(ExpressionError):
        tokens(text)
    assert time.perf_counter() - start < 1.0


def test_a_cursor_never_passes_the_end():
    cursor = Cursor("a")
    assert [cursor.take().kind for _ in range(3)] == ["name", "end", "end"]
    assert cursor.ahead.kind == "end"
