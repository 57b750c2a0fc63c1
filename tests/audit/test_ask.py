"""A question asks for no more than its defaults say."""

from pathlib import Path

from audit.ask import Ask


def test_a_bare_question_asks_for_l1_of_the_whole_log():
    ask = Ask(log=Path("log"))
    assert (ask.min_level, ask.since, ask.flat, ask.tail_s) == ("L1", 0, False, 60.0)
    assert (ask.key, ask.policy, ask.tsa, ask.anchors, ask.archives) == (None, None, None, (), ())
