"""A change keeps the sign it was written with: YAML alone would make +1 a plain one."""

import pytest

from healer.rules.amounts import Amount
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Bad


def read(text):
    problems = Problems()
    return document.text(text, Amount(), problems)


@pytest.mark.parametrize("text", ["+1", "-1", "3", "+20%", "512MiB", "0.5"])
def test_the_text_is_kept(text):
    assert read(text) == text
    assert read(f'"{text}"') == text


@pytest.mark.parametrize("text", ["much", "[1]", "true", "~", "1e3", "+"])
def test_what_is_no_change_is_told(text):
    with pytest.raises(Bad):
        read(text)
