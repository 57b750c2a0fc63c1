from types import SimpleNamespace

import pytest

from healer.app.chores import Chores, watch_of
from healer.config import load_config
from healer.core.world import World
from healer.model.limit import Brakes
from healer.model.observation import Observation, labels
from healer.model.target import Target
from healer.model.unit import Unit
from healer.rules import load as rules_loader
from healer.runtime.bus import Bus
from healer.testing import FakeClock

PARENT = Target(kind="program", name="db", organ="heart")
CHILD = Target(kind="program", name="api", organ="heart", requires=("program:db",))
CRON = """\
version: 1
rules:
  - id: nightly
    why: it is night
    target: program:db
    when: program.up{target} == 1
    trigger: {schedule: "0 3 * * *"}
    then: [{restart: {}}]
"""


class Kit:
    def __init__(self):
        self.asked, self.bus, self.pruned = [], Bus(), []
        self.world = World((PARENT, CHILD), Brakes())
        self.waiting = ["db", "api"]
        nothing = lambda *_: None  # noqa: E731 - a duty that does nothing
        duties = SimpleNamespace(heartbeat=nothing, verify=nothing, reflect=nothing, harmony=nothing, economy=nothing)
        self.keeping = SimpleNamespace(prune=nothing, policy=None)
        self.chores = Chores(
            duties=duties,
            programs=SimpleNamespace(waiting=lambda: tuple(self.waiting)),
            history=SimpleNamespace(tidy=lambda now, keep: self.pruned.append((now, keep.raw))),
            loop=SimpleNamespace(core=SimpleNamespace(world=self.world)),
            bus=self.bus,
            clock=FakeClock(),
            ask=lambda *asked: self.asked.append(asked) or "r-1",
            snapshot=nothing,
            keeping=self.keeping,
        )

    def see(self, name, up, state, at):
        marks = labels(target=f"program:{name}")
        for metric, value, unit in (("program.state", state, Unit.WORD), ("program.up", up, Unit.FLAG)):
            self.world.observe(Observation(metric=metric, labels=marks, value=value, unit=unit, at=at))

    def started(self):
        self.chores.start_programs()
        return [subject for _, subject, _, _ in self.asked]


@pytest.fixture
def kit():
    return Kit()


def config(**more):
    return load_config({"version": 1, **more}, environ={})


EMPTY = rules_loader.load(())


@pytest.mark.parametrize(
    ("profile", "reflects"), [("full", True), ("economy", True), ("core", False), ("maintenance", False)]
)
def test_a_profile_says_whether_the_agent_reflects(kit, profile, reflects):
    kit.chores.schedule(config(profile="full"), EMPTY)
    kit.chores.schedule(config(profile=profile), EMPTY)
    names = kit.chores.calendar.names()
    own = {"own economy", "own harmony", "own reflection"}
    assert own & set(names) == (own if reflects else set())
    assert {"heartbeat", "verify the log", "snapshot", "prune history", "programs"} <= set(names)


def test_the_log_is_kept_as_the_newest_configuration_says(kit):
    kit.chores.schedule(config(audit={"retention": {"keep": "400d"}}), EMPTY)
    assert "retention of the log" in kit.chores.calendar.names()
    assert kit.keeping.policy.keep == 400 * 86400.0
    kit.chores.schedule(config(), EMPTY)
    assert kit.keeping.policy is None


def test_cron_rules_come_and_go_with_the_rules(kit, tmp_path):
    (tmp_path / "r.yaml").write_text(CRON, encoding="utf-8")
    rules = rules_loader.load([tmp_path / "r.yaml"])
    kit.chores.schedule(config(), rules)
    assert "cron nightly" in kit.chores.calendar.names()
    kit.chores.schedule(config(), EMPTY)
    assert "cron nightly" not in kit.chores.calendar.names()


def test_parents_start_first_and_children_when_they_are_ready(kit):
    assert kit.started() == ["program:db"]
    kit.waiting.remove("db")
    kit.see("db", 1, "starting", 1.0)
    assert kit.started() == ["program:db"]
    kit.see("db", 1, "running", 2.0)
    assert kit.started() == ["program:db", "program:api"]
    assert kit.asked[0] == ("act", "program:db", {"action": "start"}, "agent")


@pytest.mark.parametrize("topic", ["agent.kill-switch", "agent.safe-mode", "maintenance.ended", "mode.changed"])
def test_a_start_is_asked_for_once_and_again_after_a_brake_was_let_go(kit, topic):
    kit.started()
    assert kit.started() == ["program:db"]
    kit.bus.publish(topic, {}, 0.0)
    assert kit.started() == ["program:db", "program:db"]


def test_a_program_nobody_looks_after_is_not_started(kit):
    kit.waiting = ["ghost"]
    assert kit.started() == []


def test_history_is_pruned_to_what_is_to_be_kept(kit):
    kit.chores.schedule(config(store={"keep": "1d"}), EMPTY)
    kit.chores.prune()
    assert kit.pruned == [(FakeClock().wall(), 86400.0)]


def test_thresholds_of_harmony_come_from_the_configuration():
    made = watch_of(config(harmony={"warn": 60, "balance": 50, "recovered": 70}))
    assert (made.warn, made.balance, made.recovered) == (60, 50, 70)
