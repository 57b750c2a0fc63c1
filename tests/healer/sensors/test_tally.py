"""What patterns found in lines: counts, rates, ages and captures; unknown where nobody can say."""

import pytest

from healer.model.observation import Unknown
from healer.sensors.sane import Sieve
from healer.sensors.tally import Tally

PATTERNS = {"failed": "Failed password for {user} from {host}", "oom": "^Out of memory$"}


def told(tally, at, **keys):
    sieve = Sieve(at)
    tally.tell(sieve, "log", **keys)
    return {
        (one.metric, *(value for name, value in one.labels if name != "target")): one.because
        if isinstance(one, Unknown)
        else one.value
        for one in sieve.readings
    }


@pytest.fixture
def tally():
    return Tally("log:auth", PATTERNS)


def test_matches_are_counted_and_the_last_is_told(tally):
    tally.block("hello\nFailed password for bob from a\nFailed password for eve from b\nbye", 10.0)
    found = told(tally, 12.0)
    assert found["log.count", "failed"] == 2
    assert found["log.count", "oom"] == 0
    assert found["log.match_age", "failed"] == 2
    assert found["log.line", "failed"] == "Failed password for eve from b"
    assert found["log.capture", "user", "failed"] == "eve"
    assert found["log.capture", "host", "failed"] == "b"


def test_anchors_are_those_of_lines(tally):
    assert tally.block("a\nOut of memory\nb", 1.0)
    assert not tally.block("Out of memory: no", 1.0)
    assert told(tally, 1.0)["log.count", "oom"] == 1


def test_a_rate_needs_two_looks(tally):
    assert "two looks" in told(tally, 10.0)["log.rate", "oom"]
    tally.block("Out of memory", 11.0)
    assert told(tally, 12.0)["log.rate", "oom"] == 0.5
    assert told(tally, 14.0)["log.rate", "oom"] == 0.0
    assert "two looks" in told(tally, 14.0)["log.rate", "oom"]


def test_before_the_first_match_nothing_is_made_up(tally):
    found = told(tally, 1.0)
    assert found["log.match_age", "failed"] == "no line has matched"
    assert found["log.capture", "user", "failed"] == "no line has matched"


def test_where_lines_were_missed_only_a_match_is_an_answer(tally):
    told(tally, 1.0)
    tally.block("Out of memory", 2.0)
    found = told(tally, 3.0, unsure="64 octets were skipped unread")
    assert found["log.count", "oom"] == 1
    assert found["log.count", "failed"] == found["log.rate", "failed"] == "64 octets were skipped unread"
    assert told(tally, 4.0)["log.count", "failed"] == 0


@pytest.mark.parametrize("taken", ["-rf", "x" * 201, "x" * 300, "a\x1b[0m"])
def test_what_is_no_plain_word_is_left_out_whole(taken):
    tally = Tally("log:auth", {"user": "user=(?P<name>.*)$"})
    tally.block("user=bob", 1.0)
    tally.block(f"user={taken}", 2.0)
    assert told(tally, 3.0)["log.capture", "name", "user"] not in {taken, taken[:200], "bob"}
    assert told(tally, 3.0)["log.count", "user"] == 2


def test_between_looks_there_are_no_rates(tally):
    told(tally, 1.0)
    tally.block("Out of memory", 2.0)
    found = told(tally, 2.0, rates=False)
    assert found["log.count", "oom"] == 1
    assert ("log.rate", "oom") not in found
    assert told(tally, 3.0)["log.rate", "oom"] == 0.5


def test_counts_and_ages_are_kept_over_a_restart(tally):
    tally.block("Out of memory", 10.0)
    after = Tally("log:auth", PATTERNS)
    after.take_up(tally.state(20.0, 1020.0), 5.0, 1050.0)
    found = told(after, 5.0)
    assert found["log.count", "oom"] == 1
    assert found["log.match_age", "oom"] == pytest.approx(40.0)
    assert found["log.line", "oom"] == "no line has matched since the start"


@pytest.mark.parametrize("state", [None, [], {"oom": 1}, {"oom": {"count": -1, "at": 9e99}}, {"oom": {"count": True}}])
def test_what_is_kept_and_damaged_is_left_out(state):
    tally = Tally("log:auth", PATTERNS)
    tally.take_up(state, 5.0, 1000.0)
    assert told(tally, 5.0)["log.count", "oom"] == 0


def test_a_last_match_that_took_less_takes_back_what_was_taken():
    tally = Tally("log:auth", {"user": "login (?:of (?P<name>[a-z]+)|failed)"})
    tally.block("login of bob", 1.0)
    assert told(tally, 1.0)["log.capture", "name", "user"] == "bob"
    tally.block("login failed", 2.0)
    assert told(tally, 2.0)["log.capture", "name", "user"] == "the last match took no fit text"
