import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import canonical
from healer.core.acting import PATIENCE, sealable
from healer.model.decision import Outcome, Result
from healer.model.effect import Cancel
from healer.model.event import Sealed
from healer.model.limit import Backoff, Limit
from healer.model.mode import Mode, Profile
from healer.model.vocabulary import METRICS
from healer.rules.rule import Approve, Step
from healer.testing import Scenario

QUICK = Backoff(initial=0.0, jitter=0.0)


class Slow(Scenario):
    """A scenario in which the log takes its time: what happens meanwhile is up to the test."""

    meanwhile = None

    def _act(self, effect):
        if self.meanwhile is not None:
            change, self.meanwhile = self.meanwhile, None
            change(self)
        super()._act(effect)


@pytest.fixture
def between(talk):
    """Play a restart during whose sealing something changes; returns the scenario."""

    def play(change, *, ask=False, **more):
        scenario = Slow(talk.setup(talk.rule(**more)))
        scenario.see("program.generation", "1.1", target="program:api")
        talk.up(scenario, 1)
        scenario.wait(1)
        scenario.meanwhile = change
        if ask:
            scenario.ask("act", "program:api", action="restart")
        else:
            talk.up(scenario, 0)
        return scenario

    return play


def test_what_nothing_changed_about_happens(talk, between):
    assert talk.actions(between(lambda _: None)) == [("restart", "program:api")]
    assert talk.actions(between(lambda _: None, ask=True)) == [("restart", "program:api")]


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize(
    ("change", "because"),
    [
        (lambda one: one.see("program.generation", "2.2", target="program:api"), "incarnation now (1.1 -> 2.2)"),
        (lambda one: one.see("program.generation", None, target="program:api"), "incarnation now (1.1 -> none)"),
        (lambda one: one.happen("kill-switch", on=True), "kill_switch: "),
        (lambda one: one.happen("safe-mode", because="3 of 4"), "mass_failure: safe mode: 3 of 4"),
        (lambda one: one.ask("pause", "agent"), "mode: mode is observe"),
        (lambda one: one.ask("pause", "organ:heart"), "mode: mode is observe"),
        (lambda one: one.ask("maintenance-add", selector={"all": True}, **{"for": 60}), "maintenance: "),
        (lambda one: one.wait(PATIENCE + 1), "s passed since the decision"),
        (lambda one: one.core.world.targets.pop("program:api"), "is not looked after any more"),
    ],
)  # fmt: skip
def test_what_changed_between_seal_and_effect_is_stale(between, change, because, asked):
    scenario = between(change, ask=asked)
    assert not [one for one in scenario.acted if one.action == "restart"]
    assert because in scenario.stale[0][1]
    assert [one["result"] for one in scenario.log.of("outcome") if one["id"] == scenario.stale[0][0]] == ["stale"]
    assert not scenario.core.desk.memory.acted, "what did not happen consumes nothing"


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (lambda one: one.see("program.up", 1, target="program:api"), "the condition is false now"),
        (lambda one: one.see("program.up", None, target="program:api"), "the condition is unknown now"),
        (lambda one: one.ask("disable-rule", "r"), "its rule is switched off now"),
    ],
)
def test_the_evidence_of_a_rule_has_to_hold_still(between, change, because):
    assert because in between(change).stale[0][1]


def test_evidence_that_grew_too_old_meanwhile_proves_nothing(talk):
    age = METRICS["program.up"].max_age
    scenario = Slow(talk.setup(talk.rule()))
    talk.up(scenario, 1)
    scenario.wait(1)

    def grow_old(one):
        one.now += age + 0.1  # no tick: the seal itself brings the time

    scenario.meanwhile = grow_old
    talk.up(scenario, 0)
    assert not scenario.acted
    assert scenario.stale


def test_a_seal_nobody_asked_for_is_cancelled(talk):
    scenario = talk.with_rules(talk.rule())
    effects = scenario.handle(Sealed(id="i-9", leaf="ab", at=scenario.now))
    assert [one.id for one in effects if isinstance(one, Cancel)] == ["i-9"]


def test_an_intent_says_everything_about_itself(talk):
    step = Step(action="run", params={"argv": ("true",), "grace": 2.5}, timeout=9.0)
    scenario = talk.with_rules(talk.rule(then=(step,), priority=7, why="it should run"))
    scenario.see("program.generation", "1.1", target="program:api")
    talk.falls(scenario)
    (entry,) = scenario.log.of("intent")
    assert entry["params"] == {"argv": ["true"], "grace": "2.5"}
    assert (entry["rule"], entry["rules_hash"], entry["actor"], entry["mode"]) == ("r", "h", "rule:r", "auto")
    assert (entry["step"], entry["attempt"], entry["priority"], entry["generation"]) == (0, 1, 7, "1.1")
    assert entry["because"] == "it should run"
    assert entry["evidence"] == [{"series": 'program.up{target="program:api"}', "value": "0", "age_us": 0}]
    assert entry["deadline_us"] == round((scenario.now + PATIENCE) * 1e6)
    assert scenario.acted[0].timeout == 9.0


# Modes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "gate"),
    [
        ({"mode": Mode.SUGGEST}, "mode"),
        ({"organ_modes": {"heart": Mode.OBSERVE}}, "mode"),
        ({"organ_modes": {"lungs": Mode.OBSERVE}}, ""),
        ({"profile": Profile.MAINTENANCE}, "mode"),
        ({"profile": Profile.ECONOMY}, "mode"),
        ({"profile": Profile.CORE}, ""),
        ({"mode": Mode.APPROVE}, "approval"),
        ({"mode": Mode.OFF}, "mode"),
    ],
)
def test_the_strictest_mode_of_all_that_apply_wins(talk, more, gate):
    scenario = talk.with_rules(talk.rule(), **more)
    talk.falls(scenario)
    assert [one.gate for one in scenario.withheld] == ([gate] if gate else [])
    assert bool(talk.actions(scenario)) is not bool(gate)


def test_a_rule_that_says_nothing_has_the_default_mode(talk):
    quiet = talk.rule(mode=None)
    for mode, acts in ((Mode.OBSERVE, False), (Mode.AUTO, True)):
        scenario = talk.with_rules(quiet, default_mode=mode)
        talk.falls(scenario)
        assert bool(scenario.acted) is acts


def test_economy_runs_critical_rules_only(talk):
    scenario = talk.with_rules(talk.rule(priority=10), profile=Profile.ECONOMY)
    talk.falls(scenario)
    assert len(talk.actions(scenario)) == 1


def test_a_step_that_asks_for_approval_waits(talk):
    scenario = talk.with_rules(talk.rule(then=(Step(action="restart", approve=Approve()),)))
    talk.falls(scenario)
    assert [one.gate for one in scenario.withheld] == ["approval"]


def test_a_rule_lowered_by_command_is_lowered(talk):
    scenario = talk.with_rules(talk.rule())
    scenario.ask("set-mode", "rule:r", mode="observe")
    talk.falls(scenario)
    assert scenario.withheld[0].because.startswith("mode is observe (rule r, lowered)")


def test_one_actor_per_target_of_two_rules(talk):
    scenario = talk.with_rules(talk.rule(id="one"), talk.rule(id="two"), world=lambda _: None)
    talk.falls(scenario)
    assert len(talk.actions(scenario)) == 1
    assert scenario.withheld[0].gate == "conflict"


def test_limits_count_across_rules(talk):
    bound = {"cooldown": 0.0, "backoff": QUICK, "limits": (Limit(max=2, per=3600.0),)}
    scenario = talk.with_rules(talk.rule(id="one", **bound), talk.rule(id="two", **bound))
    for _ in range(6):
        talk.up(scenario, 0, conclusive=True)
        scenario.wait(2)
        talk.up(scenario, 1)
        scenario.wait(2)
    assert len(talk.actions(scenario)) == 2


# Telling -------------------------------------------------------------------------------------------------------


def test_an_alert_needs_no_mode_and_no_rule(talk):
    scenario = talk.with_rules(mode=Mode.OFF)
    scenario.core.desk.out = []
    scenario.happen("alert", message="look at this")
    assert [(one.action, one.actor, one.target) for one in scenario.acted] == [("notify", "agent", "host:")]


def test_an_outcome_keeps_what_it_left_behind(talk):
    scenario = talk.with_rules(talk.rule())
    scenario.world = lambda one: Outcome(
        id=one.id, result=Result.DONE, because="exited with 3", at=scenario.now, took=1.5, rc=3, output="x" * 5000,
        output_sha256="ab" * 32, generation="2.2",
    )  # fmt: skip
    talk.falls(scenario)
    (entry,) = scenario.log.of("outcome")
    assert (entry["rc"], len(entry["output"]), entry["took_us"], entry["generation"]) == (3, 2000, 1_500_000, "2.2")
    assert entry["of"] == f"{scenario.log.entries.index(scenario.log.of('intent')[0]) + 1:064x}"


# What the log can hold -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "sealed"),
    [
        (0.5, "0.5"), (math.nan, "nan"), (2**53, str(2**53)), (-(2**53), str(-(2**53))), (2**53 - 1, 2**53 - 1),
        (True, True), (None, None), ((1, 2.0), [1, "2.0"]), ({"a": {"b": 1.0}}, {"a": {"b": "1.0"}}),
        (b"x", "b'x'"), ({1: 2}, {"1": 2}),
    ],
)  # fmt: skip
def test_what_the_log_has_no_spelling_for_becomes_text(value, sealed):
    assert sealable(value) == sealed


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.from_regex(r"[ -~]*", fullmatch=True),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("k"), inner),
        max_leaves=10,
    )
)
def test_whatever_is_made_sealable_fits_the_profile(value):
    canonical.encode(sealable({"value": value}))


def test_an_alert_carries_what_the_agent_says_of_it_and_holds_nothing(talk):
    scenario = talk.with_rules(world=lambda _: None)  # a mail server that takes its time
    said = {"id": "m-1", "severity": "critical", "lines": ["a"], "thread": ["m-0"]}
    scenario.happen("alert", message="look", channel="oncall", incident="m-1", secret="x", **said)
    (told,) = scenario.acted
    assert dict(told.params) == {"channel": "oncall", "message": "look"} | said
    assert told.incident == "alert:m-1"
    memory = scenario.core.desk.memory
    assert memory.busy("host:") is None
    assert memory.running() == 0


def test_alerts_that_fail_open_no_breaker(talk):
    scenario = talk.with_rules()
    scenario.world = scenario.fail
    for _ in range(20):
        scenario.happen("alert", message="look")
    assert scenario.core.desk.memory.breakers == {}


def test_a_channel_is_proved_in_any_mode_but_not_under_the_kill_switch(talk):
    scenario = talk.with_rules(mode=Mode.OBSERVE)
    answer = scenario.ask("notify", "mail", message="hello", severity="warning")
    assert (answer["answer"], answer["because"]) == ("accepted", "telling mail")
    (told,) = scenario.acted
    assert (told.params["channel"], told.params["message"], told.request) == ("mail", "hello", "r1")
    assert told.actor == "operator:tester"
    scenario.core.kill_switch(on=True, because="the file")
    refused = scenario.ask("notify", "mail")
    assert (refused["answer"], "kill switch" in refused["because"]) == ("refused", True)
    assert len(scenario.acted) == 1
