"""What a terminal would obey is written out; what people read stays."""

from hypothesis import given
from hypothesis import strategies as some

from audit.visible import cut, visible


def test_letters_of_every_script_stay():
    assert visible("Grüße ✓ 日本語 ‘x’") == "Grüße ✓ 日本語 ‘x’"


def test_what_drives_a_terminal_is_written_out():
    assert visible("\x1b[2J\r\n\x07\x9b1m") == "\\u001b[2J\\u000d\\u000a\\u0007\\u009b1m"
    assert visible("safe\u202eexe.\u2066\u200b\u2028") == "safe\\u202eexe.\\u2066\\u200b\\u2028"
    assert visible("\U000e0041\ud800\ue000") == "\\U000e0041\\ud800\\ue000"


@given(some.text(some.characters()))
def test_whatever_comes_is_one_printable_line(text):
    assert visible(text).isprintable()
    assert visible(visible(text)) == visible(text)


@given(some.text(max_size=300), some.integers(1, 200))
def test_what_is_cut_says_how_much_and_fits(text, width):
    short = cut(text, width)
    assert len(short) <= width
    if short != text and width > 8:
        kept, _, gone = short.rpartition("… (+")
        assert text.startswith(kept)
        assert len(kept) + int(gone[:-1]) == len(text)


def test_what_fits_is_left_alone():
    assert cut("x" * 80, 80) == "x" * 80
    assert cut("x" * 81, 80) == "x" * 74 + "… (+7)"
    assert cut("xxxx", 2) == "xx"
