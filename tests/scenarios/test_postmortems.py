"""Nine outages of others, told again to our core: it does no harm in any of them."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from healer.core.core import Core, Setup
from healer.errors import ConfigError
from healer.model.mode import Mode
from healer.model.target import Target
from healer.rules import load
from healer.testing import Scenario

STORIES = sorted(Path(__file__).parent.glob("*.yaml"))


class Told(Scenario):
    """A scenario that can keep the seal waiting, as a slow disk does, and leave effects unfinished."""

    held = None
    open_ended = False

    def _act(self, effect):
        if self.held is None:
            super()._act(effect)
        else:
            self.held.append(effect)

    def release(self):
        effects, self.held = self.held, None
        for effect in effects:
            super()._act(effect)

    def succeed(self, decision):
        return None if self.open_ended else super().succeed(decision)


class Teller:
    """Goes through the steps of a story."""

    def __init__(self, told, folder):
        self.folder = folder
        self.targets = tuple(
            Target(
                kind=one["kind"],
                name=one["name"],
                organ="heart",
                groups=tuple(one.get("groups", ())),
                startup_grace=0.0,
            )
            for one in told["targets"]
        )
        self.rules = self.load(told["rules"])
        self.scenario = Told(self.setup())
        self.acted = self.scenario.acted
        self.withheld = self.scenario.withheld

    def load(self, text):
        path = self.folder / "rules.yaml"
        path.write_text(text)
        return load.load([path])

    def setup(self):
        return Setup(node="past", boot="boot-1", targets=self.targets, rules=self.rules, default_mode=Mode.OBSERVE)

    def see(self, values):
        for metric, value in values.items():
            kind = metric.partition(".")[0]
            of_kind = [target.id for target in self.targets if target.kind == kind]
            for marks in [{"target": name} for name in of_kind] or [{}]:
                self.scenario.see(metric, value, **marks)

    def wait(self, seconds):
        self.scenario.wait(seconds)

    def blind(self, what):
        for sensor in what["sensors"]:
            self.scenario.blind(sensor)

    def ask(self, request):
        answer = self.scenario.ask(request["verb"], **request.get("args", {}))
        assert answer["answer"] == "accepted", answer["because"]

    def hold(self, on):
        if on:
            self.scenario.held = []
        else:
            self.scenario.release()

    def open_ended(self, on):
        self.scenario.open_ended = on

    def jump(self, seconds):
        self.scenario.jump(seconds)

    def reload(self, _):
        scenario, old = self.scenario, self.scenario.core
        scenario.core = Core(self.setup(), old.desk.memory, now=scenario.now, wall=scenario.now + old.desk.wall_offset)
        scenario.take(scenario.core.succeed(old))

    def restart(self, _):
        offset = self.scenario.core.desk.wall_offset
        now = self.scenario.now + 5
        self.scenario = Told(self.setup(), memory=self.scenario.folded(), at=now, wall=now + offset)
        self.scenario.acted, self.scenario.withheld = self.acted, self.withheld

    def loop(self, what):
        for _ in range(what["times"]):
            self.tell(what["steps"])

    def expect(self, wanted):
        memory = self.scenario.core.desk.memory
        acted = [f"{one.action} {one.target}" for one in self.acted if one.action != "notify"]
        kinds = self.scenario.log.kinds()
        facts = {
            "acted": lambda want: acted == want,
            "at_most": lambda want: 0 < len(acted) <= want,
            "withheld": lambda want: want in {one.gate for one in self.withheld},
            "stale": lambda want: want in self.scenario.stale[-1][1],
            "safe_mode": lambda want: bool(memory.safe_mode) is want,
            "kill_switch": lambda want: memory.kill_switch is want,
            "maintenance": lambda want: len(memory.maintenance) == want,
            "log_has": lambda want: set(want) <= set(kinds),
            "log_has_no": lambda want: not set(want) & set(kinds),
        }
        for fact, want in wanted.items():
            assert facts[fact](want), (fact, want, acted, [(one.gate, one.because) for one in self.withheld])

    def tell(self, steps):
        for step in steps:
            ((verb, what),) = step.items()
            getattr(self, verb)(what)


def told(path):
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_it_does_no_harm(path, tmp_path):
    Teller(told(path), tmp_path).tell(told(path)["story"])


@pytest.mark.parametrize(
    ("path", "number"),
    [(path, number) for path in STORIES for number in range(len(told(path).get("refused", ())))],
    ids=lambda value: value.stem if isinstance(value, Path) else str(value),
)
def test_what_would_have_done_it_does_not_load(path, number, tmp_path):
    wrong = told(path)["refused"][number]
    teller = Teller(told(path), tmp_path)
    before = replace(teller.rules)
    with pytest.raises(ConfigError) as refused:
        teller.load(wrong["rules"])
    assert any(wrong["because"] in problem for problem in refused.value.problems), refused.value.problems
    assert teller.rules == before


def test_every_story_says_what_it_is_about():
    assert len(STORIES) == 9
    for path in STORIES:
        story = told(path)
        assert story["incident"]
        assert story["happened"]
        assert story["pattern"]
        assert any("expect" in step for step in story["story"])
