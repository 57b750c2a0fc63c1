"""What the timeline makes of a log: what is written there, since the blow, and nothing that was not proved."""

import pytest

from healer.demo import timeline
from healer.demo.timeline import Line
from healer.demo.victims import VICTIMS

DIES, HANGS, _ = VICTIMS
BROKEN = 1_000_000


def line(kind, mono, leaf="", **fields):
    return Line(leaf or f"{kind}-{mono}", {"kind": kind, "mono": mono, **fields})


def intent(leaf, mono, victim=DIES, **fields):
    evidence = [{"series": "up", "value": "0", "age_us": 200}, {"series": "wanted", "value": "1", "age_us": 9_000_000}]
    said = {"rule": victim.rule, "target": victim.target, "action": "restart", "evidence": evidence} | fields
    return line("intent", mono, leaf, **said)


def healed(victim=DIES, leaf="a", at=BROKEN, verdict="verified"):
    return [
        intent(leaf, at + 1000, victim),
        line("outcome", at + 5000, of=leaf, result="done", took_us=2000),
        line("verdict", at + 8000, of=leaf, result=verdict),
    ]


def test_each_step_is_told_in_milliseconds_since_the_blow():
    told = timeline.healing(healed(), DIES, BROKEN)
    assert (told.seen_ms, told.decided_ms, told.sealed_ms, told.acted_ms, told.healed_ms) == (0.8, 1.0, 3.0, 5.0, 8.0)
    assert (told.intent, told.attempts, told.verified, told.fault) == ("a", 1, True, "killed")
    assert told.evidence == "up = 0, wanted = 1"


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_without_any_one_of_its_entries_nothing_was_healed(left_out):
    lines = healed()
    del lines[left_out]
    assert timeline.healing(lines, DIES, BROKEN) is None


def test_a_cure_that_was_not_seen_to_work_is_none_and_the_attempts_are_counted():
    lines = healed(verdict="unverified")
    assert timeline.healing(lines, DIES, BROKEN) is None
    told = timeline.healing([*lines, *healed(leaf="b", at=BROKEN + 10_000)], DIES, BROKEN)
    assert (told.intent, told.attempts, told.healed_ms) == ("b", 2, 18.0)


def test_what_happened_before_the_blow_heals_nothing():
    assert timeline.healing(healed(at=BROKEN - 100_000), DIES, BROKEN) is None


def test_another_rule_or_another_target_is_another_healing():
    assert timeline.healing(healed(victim=HANGS), DIES, BROKEN) is None
    lines = healed()
    lines[0] = intent("a", BROKEN + 1000, target="program:other")
    assert timeline.healing(lines, DIES, BROKEN) is None


def test_an_illness_is_seen_when_its_target_changed_and_not_only_when_it_was_confirmed():
    change = line("state", BROKEN + 300, subject="target:http:hangs", to="stopped")
    other = line("state", BROKEN + 100, subject="target:program:dies", to="stopped")
    late = line("state", BROKEN + 7000, subject="target:http:hangs", to="running")
    told = timeline.healing([other, change, *healed(HANGS), late], HANGS, BROKEN)
    assert told.seen_ms == 0.3


def test_evidence_older_than_the_blow_does_not_see_the_future():
    lines = healed()
    lines[0] = intent("a", BROKEN + 1000, evidence=[{"series": "up", "value": "0", "age_us": 5_000_000}])
    assert timeline.healing(lines, DIES, BROKEN).seen_ms == 0.0


def test_what_was_withheld_is_told_with_the_gate_that_said_no():
    said = {"target": "program:dies", "action": "restart", "gate": "mode", "because": "observe"}
    lines = [line("withheld", BROKEN - 1, rule="r", **said), line("withheld", BROKEN + 1, rule="other", **said)]
    assert timeline.withheld(lines, "r", BROKEN) is None
    found = timeline.withheld([*lines, line("withheld", BROKEN + 2, rule="r", **said)], "r", BROKEN)
    assert found == {"rule": "r", "target": "program:dies", "action": "restart", "because": "mode: observe"}
