"""Small rules and setups for conversations with the core."""

import pytest

from healer.core.core import Setup
from healer.model.decision import Outcome, Result
from healer.model.mode import Mode
from healer.model.target import Target
from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.rule import Position, Rule, RuleSet, Step, Verify
from healer.testing import Scenario

WEB = Target(kind="http", name="web", organ="lungs", startup_grace=0.0)
API = Target(kind="program", name="api", organ="heart", startup_grace=0.0)


class Talk:
    """Words for conversations: ``talk.rule()``, ``talk.with_rules(...)``."""

    web, api = WEB, API

    @staticmethod
    def parsed(text):
        return expression.parse(text, vocabulary=METRICS)

    def verify(self, text="program.up{target} == 1", **more):
        return Verify(when=self.parsed(text), source=text, within=more.pop("within", 10.0), **more)

    def rule(self, when="program.up{target} == 0", *, id="r", target="program:api", then=None, clear="", **more):  # noqa: A002 - the word of the field
        return Rule(
            id=id,
            position=Position(file="t.yaml", line=1, column=1),
            target="" if "each" in more else target,
            when=self.parsed(when),
            when_source=when,
            clear=self.parsed(clear) if clear else None,
            then=(Step(action="restart"),) if then is None else then,
            mode=more.pop("mode", Mode.AUTO),
            **more,
        )

    @staticmethod
    def setup(*rules, targets=(WEB, API), **more):
        return Setup(
            node="test", boot="boot-1", targets=targets, rules=RuleSet(rules=rules, hash="h", files=()), **more
        )

    def with_rules(self, *rules, targets=(WEB, API), memory=None, at=1000.0, world=None, **more):
        return Scenario(self.setup(*rules, targets=targets, **more), memory=memory, at=at, world=world)

    @staticmethod
    def up(scenario, value, target="program:api", **more):
        scenario.see("program.up", value, target=target, **more)

    def falls(self, scenario, target="program:api"):
        self.up(scenario, 1, target)
        scenario.wait(1)
        self.up(scenario, 0, target)

    @staticmethod
    def actions(scenario):
        return [(one.action, one.target) for one in scenario.acted if not one.incident.startswith("alert:")]

    @staticmethod
    def ends(scenario, result, *, because="so it is", generation=""):
        """A world in which every effect but an alert ends like this, at once."""

        def world(decision):
            if decision.action == "notify":
                return scenario().succeed(decision)
            now = scenario().now
            return Outcome(
                id=decision.id, result=Result(result), because=because, at=now, took=0.0, generation=generation
            )

        return world


@pytest.fixture
def talk():
    return Talk()
