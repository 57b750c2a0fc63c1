import threading

import pytest

from audit.clock import SystemClock
from audit.writer import Writer
from healer.api.healings import Healings, sealed_event, summary, top
from healer.errors import HealerError

COMMON = {"v": 1, "mono": 1, "boot": "b", "node": "here"}


def intent(number: int, action: str = "restart", rule: str = "r", target: str = "program:api") -> dict:
    return {
        **COMMON, "ts": number * 1_000_000, "kind": "intent", "id": f"i-{number}", "corr": f"{rule}@{target}",
        "action": action, "target": target, "generation": "g", "params": {}, "rule": rule, "rules_hash": "h", "step": 0,
        "attempt": 1, "actor": f"rule:{rule}", "because": "it is down", "evidence": [], "deadline_us": 1,
        "mode": "auto", "request": "", "priority": 4,
    }  # fmt: skip


def outcome(number: int, leaf: str, result: str = "done") -> dict:
    return {
        **COMMON, "ts": 2, "kind": "outcome", "of": leaf, "id": f"i-{number}", "result": result, "because": "ended",
        "took_us": 1500, "generation": "g2",
    }  # fmt: skip


def verdict(number: int, leaf: str, result: str = "verified") -> dict:
    return {
        **COMMON, "ts": 3, "kind": "verdict", "of": leaf, "id": f"i-{number}", "result": result, "because": "seen",
        "took_us": 2_500_000, "harmony_before": 5000, "harmony_after": 9050,
    }  # fmt: skip


@pytest.fixture
def writer(tmp_path):
    with Writer.open(tmp_path, node="here", clock=SystemClock()) as writer:
        yield writer


def seal(writer, *entries):
    return writer.submit(list(entries)).result()


def test_an_intent_is_told_with_its_outcome_verdict_and_impact(writer, tmp_path):
    healings = Healings(tmp_path)
    leaf = seal(writer, intent(1))[0].leaf
    healings.update()
    assert healings.last(9)[0]["outcome"] is None  # open: neither good nor bad yet
    seal(writer, outcome(1, leaf))
    seal(writer, verdict(1, leaf))
    healings.update()  # goes on where it stopped
    found = healings.last(9)
    assert len(found) == 1
    assert (found[0]["verdict"], found[0]["took_ms"], found[0]["healed_ms"]) == ("verified", 1.5, 2500.0)
    assert found[0]["impact"] == 40.5
    assert (found[0]["leaf"], found[0]["seq"], found[0]["at"]) == (leaf, 0, 1.0)
    healings.update()  # nothing is counted twice
    assert healings.by_rule == {"r": {"verified": 1}}


def test_the_newest_come_first_and_globs_choose(writer, tmp_path):
    seal(writer, intent(1), intent(2, rule="s"), intent(3, target="program:db"), intent(4, action="notify"))
    healings = Healings(tmp_path)
    healings.update()
    assert [one["id"] for one in healings.last(9)] == ["i-3", "i-2", "i-1"]  # telling somebody cures nothing
    assert healings.last(9, quiet=True)[0]["id"] == "i-4"
    assert [one["id"] for one in healings.last(9, rule="s*")] == ["i-2"]
    assert [one["id"] for one in healings.last(9, target="*:db")] == ["i-3"]
    assert [one["id"] for one in healings.last(2)] == ["i-3", "i-2"]
    assert healings.last(0) == []


def test_what_is_remembered_is_bounded(writer, tmp_path):
    seal(writer, *(intent(number) for number in range(1, 8)))
    healings = Healings(tmp_path, kept=3)
    healings.update()
    assert [one["id"] for one in healings.last(9)] == ["i-7", "i-6", "i-5"]


def test_an_outcome_of_an_intent_long_forgotten_is_left_alone(writer, tmp_path):
    leaf = seal(writer, intent(1), intent(2))[0].leaf
    healings = Healings(tmp_path, kept=1)
    healings.update()
    seal(writer, outcome(1, leaf), verdict(1, leaf))
    healings.update()
    assert [one["outcome"] for one in healings.last(9)] == [None]


def test_a_log_that_is_none_is_told(tmp_path):
    with pytest.raises(HealerError, match="no log"):
        Healings(tmp_path).update()
    (tmp_path / "audit.db").write_bytes(b"garbage" * 1000)
    for work in (Healings(tmp_path).update, lambda: top(tmp_path), lambda: sealed_event(tmp_path, "r", 0)):
        with pytest.raises(HealerError):
            work()


def test_the_place_of_an_event_is_right_before_its_request(writer, tmp_path):
    event = {**COMMON, "ts": 1, "kind": "event", "type": "a.b", "data": {}, "who": "uid:0"}
    request = {
        **COMMON, "ts": 1, "kind": "request", "id": "r-1", "verb": "log-event", "who": "uid:0", "args": {},
        "answer": "accepted", "because": "sealed",
    }  # fmt: skip
    seal(writer, intent(1))
    since = top(tmp_path)
    assert sealed_event(tmp_path, "r-1", since) is None  # not durable yet
    place = seal(writer, event, request)[0]
    assert sealed_event(tmp_path, "r-1", since) == {"seq": place.seq, "leaf": place.leaf, "height": place.height}
    seal(writer, {**request, "id": "r-2"})
    assert sealed_event(tmp_path, "r-2", 0) == {}  # a request that had nothing sealed


def test_what_it_rested_on_and_harmony_are_told(writer, tmp_path):
    evidence = [{"series": 'program.up{target="program:api"}', "value": "0", "age_us": 5}]
    leaf = seal(writer, {**intent(1), "evidence": evidence})[0].leaf
    seal(writer, outcome(1, leaf), verdict(1, leaf))
    healings = Healings(tmp_path)
    healings.update()
    (found,) = healings.last(1)
    assert found["before"] == [{"series": 'program.up{target="program:api"}', "value": "0"}]
    assert (found["harmony_before"], found["harmony_after"], found["impact"]) == (50.0, 90.5, 40.5)
    assert found["ended_at"] == 3e-6


def test_success_counts_what_was_seen_and_not_what_was_tried(writer, tmp_path):
    results = ["verified", "verified", "unverified", "failed-transient", "stale", "refused"]
    for number, result in enumerate(results):
        leaf = seal(writer, intent(number, target=f"program:{number % 2}"))[0].leaf
        seal(writer, outcome(number, leaf), verdict(number, leaf, result))
    seal(writer, intent(90))  # still open: neither
    leaf = seal(writer, intent(91, action="notify"))[0].leaf
    seal(writer, outcome(91, leaf), verdict(91, leaf))  # telling somebody cures nothing
    healings = Healings(tmp_path, kept=2)  # counting outlives what is remembered
    healings.update()
    (row,) = summary(healings.ended, "rule")
    assert (row["rule"], row["began"], row["verified"], row["success"]) == ("r", 4, 2, 0.5)
    assert row["results"]["stale"] == 1
    assert [one["target"] for one in summary(healings.ended, "target")] == ["program:0", "program:1"]
    assert healings.cured == {"restart": (2, 5.0)}
    assert summary({}, "action") == []


def test_of_what_never_began_there_is_no_rate(writer, tmp_path):
    leaf = seal(writer, intent(1))[0].leaf
    seal(writer, outcome(1, leaf, "stale"), verdict(1, leaf, "stale"))
    healings = Healings(tmp_path)
    healings.update()
    assert summary(healings.ended, "action")[0]["success"] is None


def test_two_who_ask_at_once_count_once(writer, tmp_path):
    for number in range(40):
        leaf = seal(writer, intent(number))[0].leaf
        seal(writer, outcome(number, leaf), verdict(number, leaf))
    healings = Healings(tmp_path)
    askers = [threading.Thread(target=healings.update) for _ in range(4)]
    for one in askers:
        one.start()
    for one in askers:
        one.join()
    assert sum(healings.ended.values()) == 40
