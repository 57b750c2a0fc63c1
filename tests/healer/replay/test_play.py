"""What rules would have done, over recordings."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tuned
from hypothesis import strategies as st

from healer.model.limit import Brakes, Limit
from healer.model.mode import Mode
from healer.model.observation import Series, labels
from healer.replay import play as playing
from healer.replay import thin
from healer.replay.play import as_if_auto, play
from healer.replay.track import Track
from healer.rules.rule import Samples, Trigger
from tests.healer.replay.conftest import START, Tape, parsed, rule, setup

UP = Series("program.up", labels(target="program:api"))
CPU = Series("cpu.used", ())


def track(series, *values, start=START, step=10.0):
    kept = [(start + step * number, value) for number, value in enumerate(values) if value is not None]
    return Track(series=series, times=[at for at, _ in kept], values=[value for _, value in kept])


def down(*, before=5, for_=4, after=20):
    return track(UP, *[1.0] * before, *[0.0] * for_, *[1.0] * after)


def test_a_fault_in_the_record_is_an_action_that_would_have_been_taken():
    story = play(setup(rule("program.up{target} == 0", verify="program.up{target} == 1")), Tape([down()]))
    assert [(one[0], one[1], one[2] - START) for one in story.fired] == [("r", "program:api", 50.0)]
    (would,) = story.would
    assert (would.action, would.target, would.at - START, would.first) == ("restart", "program:api", 50.0, True)
    assert would.verdict == "verified", "the record shows that it was up again within the minute"


def test_what_rests_on_the_first_cure_not_having_helped_is_told_apart():
    proved = rule("program.up{target} == 0", verify="program.up{target} == 1", within=30.0).then
    steps = (*proved, *proved)
    story = play(setup(rule("program.up{target} == 0", then=steps)), Tape([down(for_=60)]))
    assert [would.first for would in story.would] == [True, False]
    assert [would.verdict for would in story.would] == ["unverified", "unverified"]


def test_each_trouble_of_the_record_counts_although_no_cure_could_be_proved():
    """What gave up waits ten minutes of health in life; a cure that was never tried has given up nothing."""
    outages = track(UP, *([1.0] * 24 + [0.0] * 12) * 4)
    one = rule("program.up{target} == 0", verify="program.up{target} == 1", within=30.0, cooldown=60.0)
    story = play(setup(one), Tape([outages]))
    assert len(story.fired) == 4
    assert [would.first for would in story.would] == [True] * 4
    assert {would.verdict for would in story.would} == {"unverified"}
    again = setup(one, brakes=Brakes(breaker_opens_after=1))
    assert len(play(again, Tape([outages])).would) == 4, "failures that nobody saw open no breaker"


def test_a_limit_withholds_in_the_record_as_in_life():
    flapping = track(UP, *([1.0] * 8 + [0.0] * 2) * 12)
    limited = rule("program.up{target} == 0", cooldown=0.0, limits=(Limit(max=2, per=3600.0),))
    story = play(setup(limited), Tape([flapping]))
    assert len(story.would) == 2
    assert {one.gate for one in story.withheld} >= {"limit"}


def test_rules_that_only_observe_are_shown_as_if_they_were_switched_on():
    watched = setup(rule("program.up{target} == 0", mode=Mode.OBSERVE))
    assert play(watched, Tape([down()])).would == []
    assert len(play(as_if_auto(watched), Tape([down()])).would) == 1


def test_what_no_series_of_the_record_shows_and_what_no_record_can_start_is_said():
    story = play(
        setup(
            rule("program.up{target} == 0 and cpu.used > 90%", id="a"),
            rule("program.up{target} == 0", id="b", trigger=Trigger(kind="event", topic="x.y")),
        ),
        Tape([down()]),
    )
    assert story.blind == {"a": ("cpu.used",)}
    assert "event" in story.apart["b"]
    assert story.would == []


def test_a_hole_is_unknown_and_neither_fires_nor_clears():
    holed = track(UP, *[1.0] * 5, *[None] * 30, *[1.0] * 5)
    negative = rule("not program.up{target} == 1")
    assert play(setup(negative), Tape([holed])).fired == []


def test_the_end_of_a_series_is_a_hole_too():
    short, long = track(CPU, *[0.99] * 10), track(UP, *[1.0] * 100)
    waiting = rule("cpu.used > 90%", for_=300.0)
    assert play(setup(waiting), Tape([short, long])).fired == []


def test_until_a_moment_the_core_can_be_asked_how_things_stood():
    seen = []
    play(
        setup(rule("program.up{target} == 0")),
        Tape([down(for_=30)]),
        judged=lambda core: seen.append(core.desk.now),
        until=START + 120,
    )
    assert seen == [START + 120]


VALUES = st.lists(st.sampled_from([0.0, 0.5, 0.8, 0.81, 0.9, 0.95, 1.0, None]), min_size=30, max_size=120)
FLAGS = st.lists(st.sampled_from([1.0, 1.0, 1.0, 0.0, None]), min_size=30, max_size=120)
CONDITIONS = st.sampled_from(
    [
        "program.up{target} == 0",
        "cpu.used > 80%",
        "cpu.used >= 80% and program.up{target} == 1",
        "not cpu.used < 90% or program.up{target} != 1",
        "max(cpu.used) > 90%",
        "avg_over(cpu.used, 1m) > 80%",
        "age(cpu.used) > 40s",
        "at_least(1, cpu.used == 95%, program.up{target} == 0)",
    ]
)
RULES = st.builds(
    lambda when, for_, samples, cooldown, verify: rule(
        when,
        for_=for_,
        samples=samples,
        cooldown=cooldown,
        verify=verify,
    ),
    CONDITIONS,
    st.sampled_from([0.0, 25.0, 60.0]),
    st.sampled_from([None, Samples(bad=2, of=3)]),
    st.sampled_from([0.0, 60.0]),
    st.sampled_from(["", "program.up{target} == 1", "cpu.used < 80%"]),
)


@tuned(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RULES, VALUES, FLAGS, st.sampled_from([7, 50, 1000]))
def test_leaving_out_what_makes_no_difference_makes_no_difference(one, values, flags, size):
    """The same story as when every sample is shown to the core."""
    if all(value is None for value in values) or all(value is None for value in flags):
        return
    # At moments of their own: of what comes at one moment, either may be weighed first.
    tracks = [track(CPU, *values), track(UP, *flags, start=START + 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(playing, "_gap", lambda _: 25.0)  # what a hole is, is guessed from the first stretch
        thinned = play(setup(one), Tape(tracks, size=size))
        patch.setattr(playing._Player, "_bounds", lambda _self, _series: thin.ALL)
        whole = play(setup(one), Tape(tracks, size=1000))
    assert thinned.fired == whole.fired
    assert [(w.action, w.at, w.first, w.verdict) for w in thinned.would] == [
        (w.action, w.at, w.first, w.verdict) for w in whole.would
    ]
    assert [(w.gate, w.at) for w in thinned.withheld] == [(w.gate, w.at) for w in whole.withheld]


def test_most_samples_of_a_quiet_day_make_none():
    quiet = Tape([track(CPU, *[0.1, 0.2, 0.3] * 300), track(UP, *[1.0] * 900)])
    assert play(setup(rule("cpu.used > 80%")), quiet).samples < 10


def test_a_condition_is_parsed_as_rules_are():
    assert parsed("cpu.used > 80%")
