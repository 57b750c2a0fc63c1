"""A question nothing speaks against, to be changed in the one thing a test is about."""

from dataclasses import dataclass, field, replace

import pytest

from healer.gates.interface import Question
from healer.model.limit import Backoff, Brakes
from healer.model.memory import Memory, OpenIntent
from healer.model.mode import Mode
from healer.model.organism import Health
from healer.model.target import Target


@dataclass
class View:
    """What gates see of the organism, written down."""

    healths: dict = field(default_factory=dict)
    recovers: dict = field(default_factory=dict)
    groups: dict = field(default_factory=dict)
    pressures: dict = field(default_factory=dict)
    strains: dict = field(default_factory=dict)
    words: dict = field(default_factory=dict)

    def health(self, target):
        return self.healths.get(target, Health.UNKNOWN)

    def recovered(self, target):
        return self.recovers.get(target)

    def members(self, group):
        return self.groups.get(group, ())

    def pressure(self):
        return self.pressures

    def strain(self, target):
        return self.strains.get(target, {})

    def word(self, metric, target):
        return self.words.get((metric, target), "")


NOW = 1000.0


@pytest.fixture
def view():
    return View()


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def target():
    """Make a target: ``target(groups=("web",))``."""
    return lambda name="unit:nginx", **more: Target(
        kind=name.partition(":")[0], name=name.partition(":")[2], organ="heart", **more
    )


@pytest.fixture
def question(view, memory, target):
    """Make a question: ``question(disruptive=False)``."""
    plain = Question(
        rule="r",
        incident="r@unit:nginx",
        action="restart",
        target=target(),
        disruptive=True,
        modes=(("organism", Mode.AUTO),),
        cooldown=60.0,
        limits=(),
        backoff=Backoff(initial=0.0),
        settle=0.0,
        spelled_out=False,
        opened=NOW - 10,
        now=NOW,
        wall_us=1_000_000_000_000_000,
        memory=memory,
        brakes=Brakes(),
        view=view,
    )
    return lambda **more: replace(plain, **more)


@pytest.fixture
def intent():
    """Make an intent that is not closed yet."""

    def make(target="unit:nginx", *, id="i-1", action="restart", rule="other", request="", ended=None):  # noqa: A002 - the word of the field
        return OpenIntent(
            id=id, leaf="", incident="x", rule=rule, target=target, action=action, step=0, attempt=1, at=NOW - 1,
            request=request, ended=ended,
        )  # fmt: skip

    return make
