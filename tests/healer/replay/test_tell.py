"""Stories in numbers."""

from healer.replay.play import Story, Would
from healer.replay.tell import differences, events, said, summary
from tests.healer.replay.conftest import START, rule


def would(number, *, rule="r", target="program:api", first=True, verdict="verified"):
    return Would(rule=rule, target=target, action="restart", at=START + number, first=first, verdict=verdict)


def test_more_and_fewer_are_told_with_both_numbers():
    old = Story(would=[would(1)])
    new = Story(would=[would(number) for number in range(12)])
    (one,) = differences(old, new)
    assert said(one) == "11 more restarts of program:api (1 -> 12; r)"
    (one,) = differences(new, old)
    assert said(one).startswith("11 fewer restarts of program:api")


def test_what_rests_on_a_cure_that_was_never_tried_is_no_difference():
    assert differences(Story(would=[would(1)]), Story(would=[would(1), would(2, first=False)])) == []


def test_as_many_by_another_rule_is_a_difference():
    (one,) = differences(Story(would=[would(1)]), Story(would=[would(1, rule="s")]))
    assert said(one) == "as many restarts, by other rules of program:api (1 -> 1; r, s)"


def test_each_rule_has_its_line_and_what_is_not_sure_stands_apart():
    story = Story(
        fired=[("r", "program:api", START)],
        would=[would(1), would(2, first=False, verdict="unverified")],
        blind={"r": ("cpu.used",)},
    )
    (line,) = summary(story, [rule("cpu.used > 90%")])
    assert (line["fired"], line["would"], line["further"]) == (1, {"restart": 1}, {"restart": 1})
    assert (line["proved"], line["unproved"], line["never_recorded"]) == (1, 0, ["cpu.used"])
    assert [one["what"] for one in events(story)] == ["fired", "would", "would"]
