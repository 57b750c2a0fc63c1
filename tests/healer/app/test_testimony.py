import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from audit import authority, holding
from audit.clock import SystemClock as WitnessClock
from audit.ed25519 import Secret
from audit.errors import Unreachable
from audit.note import Kind, Signer, Verifier
from audit.witness.judge import Witness
from audit.witness.state import State
from audit.writer import Writer
from healer.app import testimony
from healer.config import policy
from healer.config.values import Audit, Timestamps
from healer.runtime.witnessing import Answer, Contradicted
from healer.testing import FakeClock
from tests.audit.witness.conftest import Limits, _serving
from tests.healer.app.conftest import HEALS, until

BEFORE = HEALS.replace("mode: auto", "mode: auto\n    witness: before")
NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def witness(place, tmp_path):
    """A witness of this place's log, which may serve."""
    Writer.open(place.state, node="here").close()
    state = State.open(tmp_path / "w")
    cosigner = Signer("w.example/a", Secret.generate(), Kind.COSIGNATURE)
    ours = Verifier.parse(holding.vkey(place.state))
    yield Witness(logs=[ours], cosigners=[cosigner], state=state, clock=WitnessClock())
    state.close()


def serving(witness):
    return _serving(witness, "127.0.0.1:0", Limits())


def audit(place, witness, url, **more):
    (cosigner,) = witness._cosigners
    path = place.folder / "policy"
    path.write_text(f"witness a {cosigner.verifier.vkey()} {url}\nquorum a\n")
    return {"audit": {"policy": str(path), "witness": {"every": "100ms", "timeout": "1s"}, **more}}


def seen(agent):
    return agent.status()["log"]["witnessed"]


def test_nothing_of_it_is_loaded_where_nothing_is_configured(place):
    probe = "import sys, healer.app; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    loaded = set(said.stdout.split())
    assert not {"audit.witness.client", "healer.app.witnesses", "healer.app.notes", "http.client"} & loaded
    with place.agent(programs=[]) as agent:
        assert seen(agent) is None
        assert agent.status()["self"]["audit.witness_age"] is None
    assert not (place.state / "witnessed").exists()


def test_an_agent_shows_how_far_its_log_is_witnessed(place, witness):
    with serving(witness) as url, place.agent(programs=[], **audit(place, witness, url)) as agent:
        until(lambda: seen(agent)["reached"], what="a quorum")
        until(lambda: seen(agent)["height"] == agent.status()["log"]["height"], what="the head is witnessed")
        found = seen(agent)
        assert found["witnesses"] == {"a": "cosigned"}
        assert (found["trouble"], found["contradictions"], found["dated"]) == ([], [], None)
        assert agent.status()["self"]["audit.witness_age"] < 30
        assert agent.status()["degraded"] == []
    # The last block of all was shown before the agent went.
    assert holding.newest(place.state).head.size == len(place.headers())


def test_witnesses_out_of_reach_are_told_and_stop_nothing(place, witness):
    topics = []
    with place.agent(**audit(place, witness, NOBODY)) as agent:
        agent.on("agent.witnesses", lambda topic, data: topics.append(data))
        found = seen(agent)
        assert not found["reached"]
        assert "no answer" in found["witnesses"]["a"]
        os.kill(int(until(lambda: agent.status()["targets"][0]["generation"]).partition(".")[0]), signal.SIGKILL)
        until(lambda: [one for one in place.entries("verdict") if one["result"] == "verified"], what="a cure")
        assert agent.status()["safe_mode"] == ""
        assert agent.status()["self"]["audit.witness_age"] is None


def test_a_rule_that_waits_for_witnesses_waits_and_acts_when_they_are_back(place, witness):
    place.rules(BEFORE)
    with serving(witness) as url:
        port = url.rpartition(":")[2]
    more = audit(place, witness, f"http://127.0.0.1:{port}")
    with place.agent(**more) as agent:
        os.kill(int(until(lambda: agent.status()["targets"][0]["generation"]).partition(".")[0]), signal.SIGKILL)
        until(lambda: [one for one in place.entries("outcome") if one["result"] == "refused"], what="a refusal")
        assert "witness: before" not in agent.status()["degraded"]
        with _serving(witness, f"127.0.0.1:{port}", Limits()):
            until(lambda: [one for one in place.entries("outcome") if one["result"] == "done"], 20, what="an act")


@pytest.mark.parametrize("what", ["policy", "roots"])
def test_what_cannot_be_used_is_told_and_the_agent_heals_without_it(place, what):
    audit = {
        "policy": {"policy": str(place.folder / "gone")},
        "roots": {"timestamps": {"url": "http://127.0.0.1:1/", "roots": str(place.folder / "gone")}},
    }[what]
    with place.agent(programs=[], audit=audit) as agent:
        (because,) = agent.status()["degraded"]
        assert "gone" in because
        assert not seen(agent)["reached"]


def test_a_rule_that_waits_for_witnesses_there_are_not_never_acts(place):
    place.rules(BEFORE)
    with place.agent() as agent:
        os.kill(int(until(lambda: agent.status()["targets"][0]["generation"]).partition(".")[0]), signal.SIGKILL)
        until(lambda: [one for one in place.entries("outcome") if "audit.policy" in one["because"]], what="a refusal")


def test_a_log_that_was_put_back_is_noticed_before_anything_is_done(place, witness):
    with serving(witness) as url:
        more = audit(place, witness, url)
        with place.agent(programs=[], **more) as agent:
            shutil.copytree(place.state, place.folder / "older", ignore=shutil.ignore_patterns("*.sock"))
            agent.log_event("user.x", {})
            until(lambda: seen(agent)["reached"], what="a quorum")
        shutil.rmtree(place.state)
        shutil.copytree(place.folder / "older", place.state)
        with place.agent(**more) as agent:
            assert "two of it" in agent.status()["safe_mode"]
            (held,) = seen(agent)["contradictions"]
            assert held["size"] > held["ours"]
            assert not agent.status()["targets"][0]["generation"], "what was to be started is not"
            agent.ask("resume-healing")
            until(lambda: not agent.status()["safe_mode"], what="it goes on")
        with place.agent(programs=[], **more) as agent:
            assert seen(agent)["contradictions"] == []
            assert agent.status()["safe_mode"] == ""
    gaps = place.entries("gap")
    assert [one["data"]["witness"] for one in gaps] == ["a"]


# Without an agent -----------------------------------------------------------------------------------------------


class Alone:
    """A testimony whose witnesses say what a test says."""

    def __init__(self, place, witness, monkeypatch, **more):
        self.writer = Writer.open(place.state, node="here")
        self.writer.append({"kind": "heartbeat"})
        self.facts, self.words, self.clock = [], [], FakeClock()
        said = audit(place, witness, NOBODY)["audit"]
        self.testimony = testimony.Testimony(
            Audit(policy=said["policy"], **more),
            writer=self.writer,
            state_dir=place.state,
            clock=self.clock,
            happened=lambda topic, **data: self.facts.append((topic, data)),
            tell=lambda topic, data: self.words.append((topic, data.get("reached", data.get("covered")))),
        )

    def hears(self, *contradictions, reached=True):
        self.testimony._heard(Answer(size=1, reached=reached, contradictions=contradictions))

    def topics(self):
        return [topic for topic, _ in self.facts if topic != "witnesses"]


@pytest.fixture
def alone(place, witness, monkeypatch):
    made = Alone(place, witness, monkeypatch)
    yield made
    made.writer.close()


def against(size, witness="a"):
    return Contradicted(witness=witness, size=size, ours=1, because=f"it has {size}")


def test_each_contradiction_is_told_once_and_a_worse_one_again(alone):
    alone.hears(against(5))
    alone.hears(against(5))
    assert alone.topics() == ["contradicted", "safe-mode"]
    alone.hears(against(6))
    alone.hears(against(5, "b"))
    assert alone.topics() == ["contradicted", "safe-mode"] * 3


def test_what_was_accepted_is_not_held_against_us_again_but_what_is_worse_is(alone, place):
    alone.testimony.accept()
    assert not (place.state / "witnessed" / "accepted.json").exists()
    alone.hears(against(5))
    alone.testimony.accept()
    alone.testimony._take_up()  # as the next start does
    assert alone.testimony.status()["contradictions"] == []
    alone.facts.clear()
    alone.hears(against(5))
    assert alone.topics() == []
    alone.hears(against(6))
    assert alone.topics() == ["contradicted", "safe-mode"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": true, "b": "9"}', "\0", "[" * 100_000])
def test_a_file_that_is_wrong_has_accepted_nothing(alone, place, text):
    (place.state / "witnessed" / "accepted.json").write_text(text)
    alone.testimony._take_up()
    alone.hears(against(5))
    assert alone.topics() == ["contradicted", "safe-mode"]


def test_reached_or_not_is_told_when_it_changes(alone):
    for reached in (True, True, False, False, True):
        alone.hears(reached=reached)
    assert alone.words == [("agent.witnesses", True), ("agent.witnesses", False), ("agent.witnesses", True)]
    assert [data["reached"] for topic, data in alone.facts if topic == "witnesses"] == [True, False, True]


async def test_the_log_is_dated_when_it_is_due_and_a_failure_is_told_and_tried_again(
    place, witness, monkeypatch, tmp_path
):
    monkeypatch.setattr(policy, "roots", lambda _: [])
    plan = Timestamps(url="http://tsa/", roots="/x")
    alone, asked = Alone(place, witness, monkeypatch, timestamps=plan), []
    alone.clock.offset += 10 * 365 * 86400  # far from what lies there

    def refuse(*_, **__):
        asked.append(1)
        raise Unreachable("it sleeps")

    monkeypatch.setattr(authority, "ask", refuse)
    await alone.testimony.stamp()
    assert alone.testimony.status()["dated"] == {"age": None, "because": "it sleeps"}
    monkeypatch.setattr(authority, "ask", lambda *_, **__: asked.append(2) or b"token")
    await alone.testimony.stamp()
    await alone.testimony.stamp()
    assert asked == [1, 2]
    assert alone.testimony.status()["dated"] == {"age": 0.0, "because": ""}
    alone.clock.at += 3600
    await alone.testimony.stamp()
    assert asked == [1, 2, 2]
    alone.writer.close()


def test_the_status_is_json(alone):
    alone.hears(against(5), reached=False)
    assert json.loads(json.dumps(alone.testimony.status()))["contradictions"][0]["size"] == 5


def test_what_is_witnessed_is_known_by_its_height_and_survives_a_start(alone):
    assert [alone.testimony.witnessed(height) for height in (0, 1)] == [False, False]
    alone.testimony._notes.keep(1, b"cosigned")
    alone.testimony._take_up()
    assert [alone.testimony.witnessed(height) for height in (0, 1)] == [True, False]


def crash(place):
    writer = Writer.open(place.state, node="here")
    writer.append({"kind": "heartbeat"})
    writer.abandon()


def test_a_lost_ratchet_is_told_and_so_is_that_the_witnesses_have_covered_it(alone):
    alone.testimony.broke_at = 3
    asyncio.run(alone.testimony.begin())
    alone.testimony._heard(Answer(size=3, reached=True))
    alone.testimony._heard(Answer(size=4, reached=False))
    assert ("agent.ratchet", True) not in alone.words
    alone.testimony._heard(Answer(size=4, reached=True))
    alone.testimony._heard(Answer(size=5, reached=True))
    assert [word for word in alone.words if word[0] == "agent.ratchet"] == [
        ("agent.ratchet", False), ("agent.ratchet", True),
    ]  # fmt: skip
    assert alone.testimony.broke_at is None


def test_an_agent_says_what_a_crash_costs_until_the_witnesses_have_covered_it(place, witness):
    crash(place)
    with place.agent(programs=[], audit={"verify_every": "1s"}) as agent:
        found = until(lambda: agent.status()["log"]["level"] == "L1" and agent.status()["log"], what="a verification")
        assert found["ratchet_broke_at"] == [1]
        assert (found["verified"], agent.status()["self"]["audit.ratchet_breaks"]) == (True, 1.0)
        assert "broke at block 1" in found["level_because"]
        assert agent.status()["self"]["audit.level"] == 1.0
    with serving(witness) as url, place.agent(programs=[], **audit(place, witness, url)) as agent:
        until(lambda: seen(agent)["height"] is not None, what="a quorum")
        assert agent.verify()["level"] == "L3"
        assert agent.status()["log"]["ratchet_broke_at"] == []
        assert agent.status()["self"]["audit.ratchet_breaks"] == 0.0


def test_an_agent_whose_rsa_follows_heals_and_is_verified(place):
    with place.agent(audit={"rsa_later": True}) as agent:
        until(lambda: agent.status()["log"]["height"], what="blocks")
        assert agent.verify()["verified"]
        assert agent._agent.writer.poisoned is None
