"""Patterns that logs and journals declare: when a match is true, when silence is an answer, and what was taken."""

import pytest

from healer.model.observation import Observation, Unknown, labels
from healer.model.truth import Truth
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.rules.evaluate import Evaluator
from healer.rules.expression import bind, parse

TRUE, FALSE, UNKNOWN = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN


class Auth:
    """The sensor of ``log:auth``, looking every ten seconds."""

    def __init__(self, text='matched(log:auth, "failed")', target=""):
        self.made = Evaluator(METRICS)
        tree = parse(text, vocabulary=METRICS)
        self.made.add("rule", bind(tree, target) if target else tree)
        self.now, self.count = 1000.0, 0

    def look(self, found=0, times=1, **taken):
        for _ in range(times):
            self.now += 10.0
            self.count += found
            self.see("log.count", float(self.count), Unit.COUNT)
            for name, word in taken.items():
                self.see("log.capture", word, Unit.WORD, name=name)
            self.made.evaluate(self.now)
        return self.made.truth("rule")

    def see(self, metric, value, unit, **more):
        marks = labels(target="log:auth", pattern="failed", **more)
        if value is None:
            self.made.observe(Unknown(metric=metric, labels=marks, because="skipped", at=self.now))
        else:
            self.made.observe(Observation(metric=metric, labels=marks, value=value, unit=unit, at=self.now))


def test_a_match_is_true_at_once_and_for_its_time():
    auth = Auth()
    assert auth.look() is UNKNOWN
    assert auth.look(found=1) is TRUE
    assert auth.look(times=29) is TRUE
    assert auth.look(times=2) is FALSE


def test_what_matched_before_the_first_look_is_no_news():
    auth = Auth()
    auth.count = 40
    assert auth.look() is UNKNOWN
    assert auth.look(times=31) is FALSE


def test_silence_is_an_answer_only_after_the_whole_time():
    auth = Auth()
    assert auth.look(times=26) is UNKNOWN
    assert auth.look(times=5) is FALSE


def test_after_a_rearm_only_a_new_match_counts():
    auth = Auth()
    auth.look()
    assert auth.look(found=1) is TRUE
    auth.made.rearm("rule", auth.now)
    assert auth.look(times=3) is UNKNOWN
    assert auth.look(found=1) is TRUE
    auth.made.rearm("rule", auth.now)
    assert auth.look(times=31) is FALSE


def test_a_log_that_cannot_be_read_is_unknown():
    auth = Auth()
    auth.look(times=40)
    auth.now += 10
    auth.see("log.count", None, Unit.COUNT)
    auth.made.evaluate(auth.now)
    assert auth.made.truth("rule") is UNKNOWN


def test_what_the_pattern_took_last_is_bound_while_it_is_true():
    auth = Auth()
    auth.look()
    assert auth.made.captures("rule") == {}
    auth.look(found=1, user="alice", host="10.0.0.1")
    assert auth.made.captures("rule") == {"user": "alice", "host": "10.0.0.1"}
    auth.look(found=1, user="bob", host=None)
    assert auth.made.captures("rule") == {"user": "bob"}
    auth.look(times=31, user="bob")
    assert auth.made.captures("rule") == {}


@pytest.mark.parametrize("text", ['matched(log{target}, "failed")', 'matched(log:auth, "failed", 20s)'])
def test_the_log_may_be_the_target_a_rule_is_bound_to(text):
    auth = Auth(text, target="log:auth")
    auth.look()
    assert auth.look(found=1, user="eve") is TRUE
    assert auth.made.captures("rule") == {"user": "eve"}


def test_another_pattern_and_another_target_are_not_meant():
    for text in ('matched(log:auth, "other")', 'matched(log:other, "failed")', 'matched(journal:auth, "failed")'):
        auth = Auth(text)
        auth.look()
        assert auth.look(found=1, user="eve") is UNKNOWN
        assert auth.made.captures("rule") == {}


def test_captures_of_another_count_are_none():
    auth = Auth('grew(log.lines{target="log:auth"}, 5m) == 1 or matched(log:auth, "failed")')
    auth.look(user="eve")
    assert auth.made.captures("rule") == {}
