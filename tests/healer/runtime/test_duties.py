from types import SimpleNamespace

import pytest

from healer.core.core import Core, Setup
from healer.core.watch import STRETCH, HarmonyWatch
from healer.errors import HealerError
from healer.model.event import Asked, Happened
from healer.model.memory import Memory
from healer.model.mode import Profile
from healer.rules.rule import RuleSet
from healer.runtime import selfcheck
from healer.runtime.duties import WHOLE, Duties
from healer.runtime.selfcheck import Checked
from healer.testing import FakeClock


class Inbox:
    """Stands where the loop stands: a real core, and what was put and told."""

    def __init__(self, clock):
        setup = Setup(node="n", boot="b", rules=RuleSet(rules=(), hash="", files=()))
        self.core = Core(setup, Memory(), now=clock.at, wall=clock.wall())
        self.events, self.told = [], []

    def put(self, event):
        self.events.append(event)

    def tell(self, topic, data):
        self.told.append((topic, dict(data)))


class Kit:
    def __init__(self, folder, profile=Profile.FULL, **bounds):
        self.clock = FakeClock()
        self.loop, self.stretched = Inbox(self.clock), []
        self.duties = Duties(
            loop=self.loop,
            clock=self.clock,
            state_dir=folder,
            watch=HarmonyWatch(**bounds),
            stretch=self.stretched.append,
            blind=lambda: {"host": "", "http:x": "refused"},
            profile=profile,
        )

    def said(self):
        return [(event.topic, dict(event.data)) for event in self.loop.events if isinstance(event, Happened)]


@pytest.fixture
def kit(tmp_path):
    return Kit(tmp_path)


@pytest.fixture
def verifier(monkeypatch):
    """Answers as told; remembers whether all of the log was asked for."""
    asked = []
    answer = {"verified": True, "tampered": False, "summary": "proven", "report": {}}

    async def check(state_dir, *, now, whole, trust, before):
        asked.append(whole)
        if isinstance(answer.get("error"), Exception):
            raise answer["error"]
        return Checked(at=now, **answer)

    monkeypatch.setattr(selfcheck, "check", check)
    return SimpleNamespace(asked=asked, answer=answer)


def test_a_heartbeat_tells_harmony_where_it_is_known(kit):
    kit.duties.heartbeat()
    kit.loop.core.desk.harmony = 87.654
    kit.duties.heartbeat()
    assert kit.said() == [("heartbeat", {}), ("heartbeat", {"harmony": 8765})]
    assert kit.duties.heartbeat_at == kit.clock.at


async def test_all_of_the_log_is_verified_first_and_once_a_day_and_what_is_new_in_between(kit, verifier):
    for wait in (0.0, 300.0, 300.0, WHOLE):
        kit.clock.at += wait
        await kit.duties.verify()
    assert verifier.asked == [True, False, False, True]
    assert kit.duties.checked.verified
    assert kit.said() == []


async def test_tampering_means_safe_mode(kit, verifier, caplog):
    verifier.answer.update(verified=False, tampered=True, summary="block 3 was edited")
    await kit.duties.verify()
    ((topic, data),) = kit.said()
    assert topic == "safe-mode"
    assert "block 3 was edited" in data["because"]
    assert caplog.records[0].levelname == "CRITICAL"


async def test_not_proven_is_no_tampering(kit, verifier):
    verifier.answer.update(verified=False, tampered=False, summary="no anchor")
    await kit.duties.verify()
    assert kit.said() == []
    assert not kit.duties.checked.verified


@pytest.mark.parametrize("error", [HealerError("no python"), TimeoutError()])
async def test_a_verification_that_could_not_be_made_is_told_and_proves_nothing(kit, verifier, error):
    verifier.answer["error"] = error
    await kit.duties.verify()
    assert kit.duties.checked is None
    assert kit.duties.trouble
    del verifier.answer["error"]
    await kit.duties.verify()
    assert kit.duties.trouble == ""
    assert verifier.asked == [True, True]  # the whole of it is still owed


def test_what_went_over_the_bus_is_counted(kit):
    for topic, data in [
        ("action.intended", {"id": "i-1", "action": "restart"}),
        ("action.outcome", {"id": "i-1", "result": "done"}),
        ("action.verdict", {"id": "i-1", "result": "verified"}),
        ("action.withheld", {"gate": "mode"}),
    ]:
        kit.duties.count(topic, data)
    assert kit.duties.counts["action.intended"] == 1
    assert dict(kit.duties.outcomes) == {"done": 1}
    assert dict(kit.duties.verdicts) == {"verified": 1}
    assert dict(kit.duties.withheld) == {"mode": 1}
    assert kit.duties.notify_failed == 0


def test_alerts_that_did_not_arrive_are_counted_and_other_failures_are_not(kit):
    for number, (action, result) in enumerate(
        [("notify", "failed-transient"), ("notify", "done"), ("restart", "failed-permanent"), ("notify", "ambiguous")]
    ):
        kit.duties.count("action.intended", {"id": f"i-{number}", "action": action})
        kit.duties.count("action.outcome", {"id": f"i-{number}", "result": result})
    assert kit.duties.notify_failed == 2


def test_alerts_without_an_end_are_forgotten_at_last(kit):
    for number in range(1500):
        kit.duties.count("action.intended", {"id": f"i-{number}", "action": "notify"})
    assert len(kit.duties._telling) == 1000


def test_a_reflection_is_plain_values_and_a_word_on_the_bus(kit):
    found = kit.duties.reflect()
    assert set(found) >= {"score", "trend", "insights", "recommendations"}
    assert kit.loop.told == [("agent.reflected", {"score": found["score"], "trend": found["trend"]["word"]})]
    assert "http:x" in str(found)


def test_harmony_warns_balances_and_recovers_once_each(kit):
    said = []
    for harmony in (90, 78, 75, 69, 60, 75, 86, 90):
        kit.loop.core.desk.harmony = harmony
        said.append(kit.duties.harmony())
    assert said == [[], ["harmony.warning"], [], ["harmony.balancing"], [], [], ["harmony.recovered"], []]
    assert [topic for topic, _ in kit.loop.told] == ["harmony.warning", "harmony.balancing", "harmony.recovered"]


def test_while_harmony_is_low_the_balancing_rules_are_judged_at_every_check(kit):
    for harmony in (69, 68, 75, 86):
        kit.loop.core.desk.harmony = harmony
        kit.duties.harmony()
    asked = [event.request.verb for event in kit.loop.events if isinstance(event, Asked)]
    assert asked == ["rebalance"] * 3


def test_economy_is_entered_under_pressure_and_left_after_it(kit):
    pressure = {"cpu.psi.some10": 0.9, "self.cpu": 0.0}
    kit.loop.core.known = pressure.get
    for _ in range(40):
        kit.clock.at += 2
        kit.duties.economy()
    pressure["cpu.psi.some10"] = 0.0
    for _ in range(200):
        kit.clock.at += 2
        kit.duties.economy()
    assert [data["profile"] for _, data in kit.said()] == ["economy", ""]
    assert "pressure" in kit.said()[0][1]["because"]
    assert kit.stretched == [1.0, STRETCH, 1.0]


def test_an_economy_that_was_configured_is_not_left_by_ourselves(tmp_path):
    kit = Kit(tmp_path, Profile.ECONOMY)
    assert kit.stretched == [STRETCH]
    kit.duties.renew(HarmonyWatch(), Profile.FULL)
    assert kit.stretched == [STRETCH, 1.0]


def test_a_new_configuration_does_not_forget_that_harmony_was_low_nor_that_we_are_small(kit):
    kit.loop.core.desk.harmony = 60
    kit.duties.harmony()
    kit.loop.core.known = {"cpu.psi.some10": 0.9}.get
    for _ in range(40):
        kit.clock.at += 2
        kit.duties.economy()
    kit.duties.renew(HarmonyWatch(warn=85, recovered=90), Profile.FULL)
    assert kit.duties.watch.balancing
    assert kit.duties.harmony() == []
    assert [data["profile"] for topic, data in kit.said() if topic == "profile"] == ["economy", "economy"]
    assert kit.stretched[-1] == STRETCH
