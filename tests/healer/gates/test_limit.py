import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.gates import limit
from healer.model.limit import Brakes, Limit
from healer.model.memory import Acted, Memory

NOW = 1000.0


def took(memory, *ages, rule="r", target="unit:nginx", action="restart"):
    for age in ages:
        name = f"i-{len(memory.acted)}"
        memory.acted.append(Acted(id=name, at=NOW - age, rule=rule, target=target, action=action))


def test_one_more_than_the_window_allows_is_refused_until_the_oldest_leaves_it(question, memory):
    took(memory, 500.0, 100.0, 50.0)
    bound = (Limit(max=3, per=600.0),)
    refused = limit.ask(question(limits=bound))
    assert refused.because == "3 of at most 3 actions per 600 s taken (action+target)"
    assert refused.until == 1100.0
    memory.acted.pop()
    assert limit.ask(question(limits=bound)) is None


def test_what_left_the_window_does_not_count(question, memory):
    took(memory, 601.0, 600.0)
    assert limit.ask(question(limits=(Limit(max=1, per=600.0),))) is None
    took(memory, 599.9)
    assert limit.ask(question(limits=(Limit(max=1, per=600.0),))) is not None


def test_every_window_has_to_have_room(question, memory):
    took(memory, 5000.0, 4000.0)
    limits = (Limit(max=1, per=600.0), Limit(max=2, per=86400.0))
    assert "2 of at most 2" in limit.ask(question(limits=limits)).because


def test_zero_allows_nothing_and_names_no_end(question):
    refused = limit.ask(question(limits=(Limit(max=0, per=600.0),)))
    assert refused is not None
    assert refused.until is None


@pytest.mark.parametrize(
    ("scope", "other", "counts"),
    [
        ("action+target", {"rule": "other"}, True),
        ("action+target", {"action": "stop"}, False),
        ("action+target", {"target": "unit:apache"}, False),
        ("target", {"action": "stop", "rule": "other"}, True),
        ("target", {"target": "unit:apache"}, False),
        ("rule", {"target": "unit:apache", "action": "stop"}, True),
        ("rule", {"rule": "other"}, False),
        ("action", {"target": "unit:apache", "rule": "other"}, True),
        ("action", {"action": "stop"}, False),
        ("host", {"target": "unit:apache", "rule": "other", "action": "stop"}, True),
    ],
)
def test_a_scope_says_what_counts(question, memory, scope, other, counts):
    took(memory, 10.0, **other)
    refused = limit.ask(question(limits=(Limit(max=1, per=600.0, scope=scope),)))
    assert (refused is not None) is counts


def test_until_is_right_for_the_scope_that_is_full(question, memory):
    took(memory, 500.0, target="unit:apache")
    took(memory, 100.0)
    assert limit.ask(question(limits=(Limit(max=1, per=600.0),))).until == NOW - 100.0 + 600.0


def test_until_waits_for_as_many_as_are_too_many(question, memory):
    took(memory, 500.0, 400.0, 100.0)  # a limit that was lowered by a reload
    assert limit.ask(question(limits=(Limit(max=1, per=600.0),))).until == NOW - 100.0 + 600.0


def test_the_host_has_a_ceiling_of_its_own(question, memory):
    took(memory, *range(1, 61), target="unit:apache", rule="other", action="run")
    refused = limit.ask(question())
    assert refused.because == "60 of at most 60 actions per 3600 s taken (host)"
    assert refused.until == NOW - 60 + 3600


def test_too_many_at_once_wait(question, memory, intent):
    for number in range(4):
        memory.intents[f"i-{number}"] = intent(f"unit:u{number}", id=f"i-{number}")
    assert "4 actions are running" in limit.ask(question()).because
    memory.intents["i-0"].ended = NOW
    assert limit.ask(question()) is None, "an effect that ended and is only verified runs no more"


def test_a_sealed_intent_is_not_in_its_own_way(question, memory, intent):
    memory.intents["i-1"] = intent()
    assert limit.ask(question(intent="i-1", brakes=Brakes(concurrent=1))) is None
    assert limit.ask(question(brakes=Brakes(concurrent=1))) is not None


@given(st.lists(st.floats(0, 2000), max_size=30), st.integers(1, 8), st.floats(1, 1500))
def test_until_is_the_first_moment_at_which_it_passes(ages, most, per):
    from healer.gates.interface import Question
    from healer.model.limit import Backoff
    from healer.model.target import Target

    memory = Memory()
    took(memory, *sorted(ages, reverse=True))

    def at(now):
        return limit.ask(
            Question(
                rule="r", incident="x", action="restart", target=Target(kind="unit", name="nginx", organ="heart"),
                disruptive=True, modes=(), cooldown=0.0, limits=(Limit(max=most, per=per),), backoff=Backoff(),
                settle=0.0, spelled_out=False, opened=0.0, now=now, wall_us=0, memory=memory,
                brakes=Brakes(actions_per_hour=10_000), view=None,
            )
        )  # fmt: skip

    refused = at(NOW)
    if refused is not None:
        assert at(refused.until + 0.001) is None
        assert at(refused.until - 0.001) is not None
        assert at(refused.until + 1e-6) is None
