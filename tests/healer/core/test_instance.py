import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.core.instance import Instance
from healer.model.truth import Truth
from healer.rules.rule import Samples, Step

T, F, U = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN
NEVER = float("inf")


@pytest.fixture
def bound(talk):
    return lambda **more: Instance(rule=talk.rule(**more), target=talk.api)


def feed(instance, *seen):
    for now, truth in seen:
        instance.saw(truth, now)
    return instance


def test_it_is_named_by_rule_and_target_and_knows_its_conditions(talk, bound):
    assert bound().key == "r@program:api"
    assert bound().roles == ("when",)
    ladder = (Step(action="capture"), Step(action="restart", verify=talk.verify()))
    assert bound(clear="program.up{target} == 1", then=ladder).roles == ("when", "clear", "1")


def test_for_counts_the_seconds_of_true(bound):
    instance = feed(bound(for_=10.0), (100.0, T))
    assert [instance.confirmed_in(now) for now in (100.0, 104.0, 110.0, 200.0)] == [10.0, 6.0, 0.0, 0.0]


def test_false_starts_it_again(bound):
    instance = feed(bound(for_=10.0), (100.0, T), (109.0, F), (110.0, T))
    assert instance.confirmed_in(111.0) == 9.0


@pytest.mark.parametrize("last", [F, U])
def test_only_what_is_true_now_is_confirmed(bound, last):
    assert feed(bound(), (100.0, T), (200.0, last)).confirmed_in(300.0) == NEVER


def test_a_short_gap_of_unknown_is_left_out_and_a_long_one_proves_nothing(bound):
    short = feed(bound(for_=10.0), (100.0, T), (104.0, U), (109.0, T))
    assert short.confirmed_in(109.0) == 6.0
    long = feed(bound(for_=10.0), (100.0, T), (104.0, U), (114.5, T))
    assert long.confirmed_in(114.5) == 10.0


def test_gaps_do_not_add_up_to_a_longer_one(bound):
    instance = feed(bound(for_=10.0), (100.0, T), (101.0, U), (110.0, T), (111.0, U), (120.0, T))
    assert instance.confirmed_in(120.0) == 8.0


@pytest.mark.parametrize(
    ("seen", "confirmed"),
    [((T, T, T), True), ((T, F, T, T), True), ((F, T, T, F, T), True), ((T, T), False), ((T, F, F, T), False),
     ((T, U, T, U, T), False), ((T, T, F, T, F), False)],
)  # fmt: skip
def test_samples_are_counted_over_the_last_ones(bound, seen, confirmed):
    instance = feed(bound(samples=Samples(bad=3, of=4)), *enumerate(seen))
    assert (instance.confirmed_in(10.0) == 0.0) is confirmed


def test_for_and_samples_have_both_to_be_satisfied(bound):
    instance = feed(bound(for_=5.0, samples=Samples(bad=2, of=3)), (0.0, T))
    assert instance.confirmed_in(6.0) == NEVER
    instance.saw(T, 3.0)
    assert instance.confirmed_in(3.0) == 2.0
    assert instance.confirmed_in(5.0) == 0.0


def test_without_a_clear_of_its_own_only_false_clears(bound):
    instance = bound()
    for truth, cleared in ((T, False), (U, False), (F, True)):
        assert feed(instance, (0.0, truth)).cleared is cleared


def test_a_clear_of_its_own_is_the_only_one_that_counts(bound):
    instance = feed(bound(clear="program.up{target} == 1"), (0.0, F))
    for truth, cleared in ((F, False), (U, False), (T, True)):
        instance.clear = truth
        assert instance.cleared is cleared


def test_a_rearm_forgets_all_that_was_gathered(bound):
    instance = feed(bound(for_=5.0, samples=Samples(bad=2, of=3)), (0.0, T), (3.0, T))
    instance.clear, instance.asked["0"], instance.clear_since = T, T, 1.0
    instance.rearm()
    assert (instance.truth, instance.clear, instance.asked, list(instance.samples)) == (U, U, {}, [])
    assert (instance.confirmed_so_far(99.0), instance.clear_since) == (0.0, None)
    assert feed(instance, (100.0, T)).confirmed_in(105.0) == NEVER, "one sample of two"


@given(st.lists(st.sampled_from(Truth), max_size=12), st.integers(1, 4))
def test_no_more_samples_are_kept_than_the_rule_counts(truths, of):
    from healer.rules import expression
    from healer.rules.rule import Position, Rule

    rule = Rule(
        id="r", position=Position(file="", line=1, column=1), when=expression.parse("1 == 1", vocabulary={}),
        when_source="", samples=Samples(bad=1, of=of),
    )  # fmt: skip
    instance = Instance(rule=rule, target=None)
    for at, truth in enumerate(truths):
        instance.saw(truth, float(at))
    assert instance.samples == truths[-of:]


@given(st.lists(st.tuples(st.floats(0.01, 20.0), st.sampled_from(Truth)), max_size=40), st.floats(0, 30))
def test_what_is_confirmed_was_seen_true_for_at_least_that_long(steps, wait):
    """Counted over again by somebody else: only seconds after the last FALSE, and only those that began TRUE."""
    from healer.rules import expression
    from healer.rules.rule import Position, Rule

    rule = Rule(
        id="r", position=Position(file="", line=1, column=1), when=expression.parse("1 == 1", vocabulary={}),
        when_source="", for_=wait,
    )  # fmt: skip
    instance, now, true_seconds, previous = Instance(rule=rule, target=None), 0.0, 0.0, None
    for gap, truth in steps:
        now += gap
        true_seconds = true_seconds + gap if previous is T else true_seconds
        true_seconds = 0.0 if truth is F else true_seconds
        instance.saw(truth, now)
        previous = truth
        assert instance.confirmed_so_far(now) <= true_seconds + 1e-6
        if instance.confirmed_in(now) <= 0:
            assert truth is T
            assert true_seconds >= wait - 1e-3
