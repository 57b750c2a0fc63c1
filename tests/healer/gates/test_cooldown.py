import pytest

from healer.gates import cooldown
from healer.model.memory import Incident, Streak


def after(memory, last_end, *, key="r@unit:nginx"):
    memory.streaks[key] = Streak(actions=1, last_end=last_end)


@pytest.mark.parametrize(("last_end", "until"), [(989.0, 1049.0), (941.0, 1001.0), (940.0, None), (100.0, None)])
def test_the_pause_runs_from_the_end_of_the_last_action(question, memory, last_end, until):
    after(memory, last_end)
    refused = cooldown.ask(question())
    assert (refused.until if refused else None) == until
    if refused:
        assert refused.because == "cooldown of 60 s since the last action ended"


def test_without_an_action_before_there_is_none(question, memory):
    assert cooldown.ask(question()) is None
    memory.streaks["r@unit:nginx"] = Streak()
    assert cooldown.ask(question()) is None


def test_another_rule_and_another_target_cool_down_by_themselves(question, memory):
    after(memory, 989.0, key="other@unit:nginx")
    after(memory, 989.0, key="r@unit:apache")
    assert cooldown.ask(question()) is None


def test_the_next_rung_of_the_same_ladder_does_not_wait(question, memory):
    after(memory, 995.0)  # the incident opened at 990
    assert cooldown.ask(question()) is None


def test_an_incident_that_opens_in_the_moment_another_ends_waits_all_the_same(question, memory):
    after(memory, 990.0)
    known = memory.incidents
    known["r@unit:nginx"] = Incident(rule="r", target="unit:nginx", phase="firing", opened=990.0, since=990.0)
    assert cooldown.ask(question()).until == 1050.0
    known["r@unit:nginx"].attempt = 1
    assert cooldown.ask(question()) is None


def test_a_cooldown_of_nothing_is_none(question, memory):
    after(memory, 990.0)
    assert cooldown.ask(question(cooldown=0.0)) is None
