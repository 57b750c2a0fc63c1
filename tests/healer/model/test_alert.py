"""Troubles and messages are values, and one severity is louder than another."""

import pytest

from healer.model.alert import ABOUT, Message, Policy, louder


@pytest.mark.parametrize(
    ("one", "other", "is_louder"),
    [("critical", "warning", True), ("warning", "critical", False), ("info", "info", False), ("warning", "info", True)],
)
def test_severities_have_an_order(one, other, is_louder):
    assert louder(one, other) is is_louder


def test_a_message_is_its_line_and_its_particulars():
    assert Message(id="1", severity="info", says="a", lines=("b", "c")).text == "a\nb\nc"


def test_a_channel_that_says_nothing_else_hears_of_everything_that_is_a_warning():
    assert Policy().about == tuple(ABOUT)
    assert Policy().least == "warning"
