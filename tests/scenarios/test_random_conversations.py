"""Whatever is said to the core, in whatever order, crashes included: the log folds to what the core remembers."""

import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from healer.core.core import Setup
from healer.model.decision import Outcome, Result
from healer.model.limit import Backoff, Brakes, Limit
from healer.model.memory import Memory
from healer.model.mode import Mode
from healer.model.target import Target
from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.rule import Position, Rule, RuleSet, Samples, Selector, Step, Trigger, Verify
from healer.testing import WALL, Scenario

NAMES = ("a", "b", "c", "d")
IDS = tuple(f"program:{name}" for name in NAMES)
COOLDOWN, MOST, PER = 5.0, 2, 900.0


def _rule(name, when, **more):
    return Rule(
        id=name,
        position=Position(file="t.yaml", line=1, column=1),
        when=expression.parse(when, vocabulary=METRICS),
        when_source=when,
        mode=more.pop("mode", Mode.AUTO),
        backoff=Backoff(initial=2.0, max=10.0, reset_after=60.0),
        cooldown=COOLDOWN,
        limits=(Limit(max=MOST, per=PER),),
        **more,
    )


ALIVE = Verify(
    when=expression.parse("program.up{target} == 1", vocabulary=METRICS), source="", within=8.0, stable_for=1.0
)
TARGETS = tuple(
    Target(
        kind="program", name=name, organ="heart", groups=("all",), requires=("program:a",) if name == "b" else (),
        startup_grace=1.0,
    )
    for name in NAMES
)  # fmt: skip
RULES = (
    _rule(
        "down", "program.up{target} == 0", each=Selector(kind="program"), clear_for=2.0,
        then=(Step(action="restart", verify=ALIVE),),
    ),
    _rule(
        "slow", "program.cpu{target} > 90%", each=Selector(name="[cd]"), samples=Samples(bad=2, of=3), clear_for=3.0,
        then=(Step(action="capture"), Step(action="restart"), Step(action="stop")),
    ),
    _rule(
        "asked", "1 == 1", target="program:d", trigger=Trigger(kind="event", topic="user.*"),
        then=(Step(action="notify"),),
    ),
)  # fmt: skip
SETUP = Setup(
    node="test",
    boot="boot-1",
    targets=TARGETS,
    rules=RuleSet(rules=RULES, hash="h", files=()),
    # Wide enough that the rules come to act, and then act again: the gates themselves have tests of their own.
    brakes=Brakes(concurrent=2, breaker_opens_after=9, group_unavailable=9, mass_failure_count=99),
)


class Conversation(RuleBasedStateMachine):
    """One agent, crash after crash, in one world."""

    @initialize()
    def begin(self):
        self.talk = Scenario(SETUP, world=self.effect)
        self.entries = self.talk.log.entries
        self.open = []
        self.effects = []
        """(when it began, decision) of everything that touched a target, over all lives."""
        self.result = Result.DONE

    def effect(self, decision):
        if decision.action in {"restart", "stop"}:
            self.effects.append((self.talk.now, decision))
        if self.result is None and decision.action != "notify":
            self.open.append(decision)
            return None
        return self.outcome(decision, Result.DONE if decision.action == "notify" else self.result)

    def outcome(self, decision, result):
        made = f"{decision.id}" if decision.action == "restart" and result is Result.DONE else ""
        return Outcome(id=decision.id, result=result, because="so", at=self.talk.now, took=0.1, generation=made)

    @rule(name=st.sampled_from(IDS), value=st.sampled_from([0, 0, 1, 1, None]), conclusive=st.booleans())
    def look(self, name, value, conclusive):
        self.talk.see("program.up", value, target=name, conclusive=conclusive and value == 0)

    @rule(name=st.sampled_from(IDS), again=st.booleans(), healed=st.booleans(), times=st.integers(1, 4))
    def die(self, name, again, healed, times):
        """What a program does that crashes, is started, and may crash again."""
        for _ in range(times if again else 1):
            self.talk.see("program.up", 1, target=name)
            self.talk.wait(1.0)
            self.talk.see("program.up", 0, target=name, conclusive=True)
            self.talk.wait(3.0)
            if healed:
                self.talk.see("program.up", 1, target=name)
                self.talk.wait(1.5)
                self.talk.see("program.up", 1, target=name)
                self.talk.wait(10.0)

    @rule(name=st.sampled_from(IDS), value=st.sampled_from([0.1, 0.95, None]))
    def feel(self, name, value):
        self.talk.see("program.cpu", value, target=name)

    @rule(name=st.sampled_from(IDS), word=st.sampled_from(["1.1", "2.2", "", None]))
    def reborn(self, name, word):
        self.talk.see("program.generation", word, target=name)

    @rule(name=st.sampled_from([*IDS, "host"]))
    def go_blind(self, name):
        self.talk.blind(name)

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 3.0, 12.0, 70.0, 400.0]))
    def wait(self, seconds):
        self.talk.wait(seconds)

    @rule(seconds=st.sampled_from([-3600.0, -1.0, 1.0, 3600.0]))
    def jump(self, seconds):
        self.talk.jump(seconds)

    @rule(
        result=st.sampled_from([Result.DONE, Result.DONE, Result.FAILED_TRANSIENT, Result.AMBIGUOUS, None, None, None])
    )
    def fate(self, result):
        self.result = result

    @precondition(lambda self: self.open)
    @rule(result=st.sampled_from([Result.DONE, Result.FAILED_PERMANENT, Result.INTERRUPTED]))
    def end(self, result):
        decision = self.open.pop(0)
        for one in (result, Result.DONE):  # an end that is told twice is one end
            self.talk.finish(self.outcome(decision, one))

    @rule(
        verb=st.sampled_from(
            ["pause", "resume", "ack", "restart", "run", "soft-stop", "stop-healing", "resume-healing", "rebalance"]
        ),
        subject=st.sampled_from([*IDS, "agent", "down", "rule:down"]),
    )
    def ask(self, verb, subject):
        self.talk.ask(verb, subject)

    @rule(on=st.booleans(), name=st.sampled_from(["down", "slow", "asked"]))
    def switch(self, on, name):
        self.talk.ask("enable-rule" if on else "disable-rule", name)

    @rule(kind=st.sampled_from(["program", "http"]))
    def maintain(self, kind):
        self.talk.ask("maintenance-add", selector={"kind": kind}, **{"for": 30})

    @rule(topic=st.sampled_from(["user.login", "nobody.hears", "action.outcome"]))
    def event(self, topic):
        self.talk.ask("event", topic=topic)

    @rule(through_a_snapshot=st.booleans())
    def crash(self, through_a_snapshot):
        memory = self.talk.folded()
        if through_a_snapshot:
            memory = Memory.from_json(json.loads(json.dumps(memory.to_json())))
        before, self.open = self.talk, []
        self.talk = Scenario(SETUP, memory=memory, at=before.now + 1.0, wall=WALL + before.now, world=self.effect)
        self.talk.log.entries[:0] = before.log.entries

    @invariant()
    def the_fold_of_the_log_is_the_memory_that_runs(self):
        live, folded = self.talk.core.desk.memory, self.talk.folded()
        left, right = live.to_json(), folded.to_json()
        for one in (left, right):
            del one["frame"]
            for intent in one["intents"].values():
                del intent["leaf"]
        assert left == right

    @invariant()
    def limits_and_cooldowns_hold_over_every_crash(self):
        restarts = {}
        for at, decision in self.effects:
            if decision.rule:
                restarts.setdefault((decision.rule, decision.action, decision.target), []).append(
                    (at, decision.incident)
                )
        for times in restarts.values():
            for index, (at, _) in enumerate(times):
                assert sum(at - PER < other <= at for other, _ in times[: index + 1]) <= MOST

    @invariant()
    def one_actor_per_target_and_no_more_at_once_than_allowed(self):
        holders = [intent.target for intent in self.talk.core.desk.memory.intents.values() if intent.action != "notify"]
        assert len(holders) == len(set(holders))
        assert self.talk.core.desk.memory.running() <= 2

    @invariant()
    def every_outcome_has_its_intent_before_it_and_only_one(self):
        seen, ended = set(), set()
        for entry in self.talk.log.entries:
            if entry["kind"] == "intent":
                assert entry["id"] not in seen
                seen.add(entry["id"])
            elif entry["kind"] == "outcome":
                assert entry["id"] in seen
                assert entry["id"] not in ended
                ended.add(entry["id"])


Conversation.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestConversation = Conversation.TestCase
