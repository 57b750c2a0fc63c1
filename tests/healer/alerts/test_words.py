"""Messages say the worst first, in few words, however much there is."""

import pytest

from healer.alerts import words
from healer.alerts.case import Case, News
from healer.model.alert import Trouble


def item(name, news=News.OPENED, severity="warning", about="failure", since=0.0):
    trouble = Trouble(key=f"target:{name}", about=about, severity=severity, says=f"{name} is down", target=name)
    return news, Case(trouble=trouble, since=since, changed=since, ended=50.0 if news is News.RESOLVED else None)


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([item("a")], "a is down"),
        ([item("a", News.WORSE)], "worse: a is down"),
        ([item("a", News.REMINDER)], "still, for 2 min: a is down"),
        ([item("a", News.RESOLVED)], "over after 50 s: a is down"),
        ([item("a", News.FLAPS)], "it comes and goes: a is down"),
        ([item("a"), item("b", severity="critical")], "2 targets failed: b, a"),
        ([item("a"), item("b", about="exhaustion")], "2 troubles: a, b"),
        ([item(x) for x in "abcde"], "5 targets failed: a, b, c and 2 more"),
        ([item("a", News.RESOLVED), item("b")], "b is down; over after 50 s: a is down"),
        ([item("a", News.REMINDER), item("b", News.REMINDER)], "2 are still so: a, b"),
    ],
)
def test_one_line_says_it(items, says):
    assert words.headline(words.ordered(items), 130.0) == says


def test_the_particulars_of_many_are_few_and_say_of_what_the_rest_is():
    items = words.ordered([item(f"http:{number:04}") for number in range(500)] + [item("unit:x")])
    lines = words.lines(items, 60.0)
    assert len(lines) == words.MOST_LINES + 2
    assert lines[-2] == "and 481 more: 480 http, 1 unit"
    assert lines[-1] == "healer alerts; healer ack alerts"


def test_it_is_as_loud_as_its_loudest_and_what_is_over_is_no_alarm():
    assert words.severity_of([item("a", severity="critical", news=News.RESOLVED)]) == "info"
    assert words.severity_of([item("a", severity="critical"), item("b")]) == "critical"


def test_one_says_how_to_say_that_one_knows():
    assert words.lines([item("a")], 0.0) == ("healer ack a",)
    assert words.lines([item("a", News.RESOLVED)], 0.0) == ()


@pytest.mark.parametrize(
    ("seconds", "says"), [(-1, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172800, "2 d")]
)
def test_lengths_of_time_are_said_in_one_unit(seconds, says):
    assert words.lasted(seconds) == says


def test_a_line_has_an_end():
    trouble = Trouble(key="k", about="log", severity="warning", says="x" * 10_000)
    case = Case(trouble=trouble, since=0.0, changed=0.0)
    assert len(words.headline([(News.OPENED, case)], 0.0)) <= 2 * words.LONGEST_LINE
