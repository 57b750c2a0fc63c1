from healer.core.core import Setup
from healer.model.decision import Outcome, Result
from healer.model.event import Looked
from healer.model.observation import Observation, labels
from healer.model.unit import Unit
from healer.rehearsal.talk import Talk
from healer.rules.rule import RuleSet
from healer.testing import START, WALL

EMPTY = Setup(node="n", boot="b", rules=RuleSet(rules=(), hash="", files=()))


def talk():
    return Talk(EMPTY, memory=None, at=START, wall=WALL, world=lambda _: None)


def look(value):
    seen = Observation(metric="cpu.used", labels=labels(), value=value, unit=Unit.RATIO, at=START)
    return Looked(sensor="host", at=START, readings=(seen,))


def test_what_was_seen_before_is_not_told_again():
    one = talk()
    for value in (0.5, 0.5, 0.6):
        one.handle(look(value))
    assert [what for _, what in one.story if what.startswith("seen cpu")] == [
        "seen cpu.used: 0.5",
        "seen cpu.used: 0.6",
    ]


def test_the_end_of_an_effect_is_told():
    one = talk()
    one.finish(Outcome(id="a-1", result=Result.DONE, because="it was", at=START, took=0.0))
    assert (0.0, "ended done: it was") in one.story


def test_after_a_restart_the_log_and_the_story_go_on():
    one = talk()
    one.ask("stop-healing")
    after = one.again(EMPTY, 10.0, WALL + 10)
    assert after.core.desk.memory.kill_switch
    assert after.now == START + 10
    assert after.log.entries[: len(one.log.entries)] == one.log.entries
    assert (0.0, "the agent is down for 10 s") in after.story
