"""The demonstration, played for real in this process; and how it ends when it cannot be played."""

import json
import os
import signal
import threading

import pytest

from healer.cli import demo
from healer.cli.demo import Stop, Teller
from healer.demo import auditor, victims
from healer.demo.auditor import Audited
from healer.demo.timeline import Healing
from healer.drivers import processes


def ours(name):
    """What runs of the programs that this process started."""
    return [pid for pid in processes.everyone() if processes.marked(pid, {"HEALER_PROGRAM": name})]


def test_three_victims_are_healed_two_actions_withheld_and_two_forgeries_caught(healer, tmp_path):
    before = ours("hangs")
    said = healer("demo", "--json", "--state-dir", str(tmp_path / "state"), state=False)
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert found["ok"] is True
    assert [one["fault"] for one in found["victims"]] == ["killed", "hung", "leaking"]
    for one in found["victims"]:
        assert one["verified"] is True
        assert 0 <= one["seen_ms"] <= one["decided_ms"] <= one["sealed_ms"] <= one["acted_ms"] <= one["healed_ms"]
    assert [one["because"].split(":")[0] for one in found["withheld"]] == ["mode", "maintenance"]
    assert all(one["rule"] and one["target"] for one in found["withheld"])
    proof = found["audit"]
    assert proof["entries"] > 0
    assert (proof["verified"], proof["tampered_copy_detected"], proof["cut_copy_detected"]) == (True, True, True)
    shown = healer("audit", "show", str(tmp_path / "state"), "--kind", "intent", "--json", "--no-memory", state=False)
    leaves = {json.loads(line)["leaf"] for line in shown.out.splitlines()}
    assert {one["intent"] for one in found["victims"]} <= leaves
    assert ours("hangs") == before, "its programs end with it"


def test_a_folder_of_somebody_else_is_refused_in_one_sentence(healer, tmp_path):
    (tmp_path / "audit.db").touch()
    said = healer("demo", "--json")
    assert said.code == 1
    assert json.loads(said.out) == {
        "ok": False,
        "because": f"{tmp_path} is not empty, and no demonstration",
        "hint": "name a folder that is not there yet",
    }
    assert len(said.err.splitlines()) == 2


def healing(victim):
    times = {f"{step}_ms": float(n) for n, step in enumerate(("seen", "decided", "sealed", "acted", "healed"), 1)}
    said = {"rule": victim.rule, "action": "restart", "intent": "a" * 64, "evidence": "up = 0\x1b[2J"}
    return Healing(name=victim.name, fault=victim.fault, attempts=2, verified=True, **said, **times)


class Quick:
    """A stage on which everything goes well at once."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def ready(self):
        return None

    def pause(self, seconds):
        return None

    heal = staticmethod(healing)

    def withheld_on_trial(self):
        return {"rule": "r", "target": "t", "action": "restart", "because": "mode: observe"}

    def withheld_in_maintenance(self, victim):
        return self.withheld_on_trial()


def proof(*, caught):
    said = {"summary": "proven", "tampered": "tampered\x1b[2J", "cut": "not proven"}
    return Audited(entries=7, verified=True, tampered_copy_detected=True, cut_copy_detected=caught, **said)


@pytest.mark.parametrize("caught", [True, False])
def test_a_forgery_that_is_not_caught_is_a_failure(healer, monkeypatch, caught):
    monkeypatch.setattr(demo, "_stage", lambda *_: Quick())
    monkeypatch.setattr(auditor, "audited", lambda *_: proof(caught=caught))
    said = healer("demo", "--json")
    assert (said.code, json.loads(said.out)["ok"]) == (int(not caught), caught)


def test_people_are_told_each_step_in_plain_text(healer, monkeypatch, tmp_path):
    monkeypatch.setattr(demo, "_stage", lambda *_: Quick())
    monkeypatch.setattr(auditor, "audited", lambda *_: proof(caught=False))
    said = healer("demo")
    assert said.code == 1
    assert "\x1b" not in said.out, "neither colours nor what somebody wrote into the log"
    assert "killed: kill -9 of a program (program:dies)" in said.out
    assert "    seen           1.0 ms  up = 0?[2J" in said.out
    assert "    verified       5.0 ms  seen to work, at attempt 2" in said.out
    assert "because mode: observe" in said.out
    assert [line for line in said.out.splitlines() if "NOT AS TOLD" in line] == [
        "    NOT AS TOLD  a copy without its last blocks"
    ]
    assert f"Kept in {tmp_path}" in said.out


def test_a_terminal_gets_colours(capsys):
    Teller(color=True)("broken", victims.VICTIMS[0])
    assert "\x1b[31m" in capsys.readouterr().out


def test_a_stop_is_heard_at_once_and_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)

    def stopped():
        with Stop():
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(5)

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_stop_waits_while_the_agent_starts_or_stops():
    steps = []

    def stopped():
        with Stop() as stop, stop.hold(on=True):
            os.kill(os.getpid(), signal.SIGINT)
            threading.Event().wait(0.01)
            steps.append("started")
            with stop.hold(on=False):
                steps.append("played")

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert steps == ["started"]


def test_the_loop_breaks_one_after_the_other_until_it_is_asked_to_stop(healer, monkeypatch):
    healed = []

    class Endless(Quick):
        @staticmethod
        def heal(victim):
            healed.append(victim.fault)
            if len(healed) == 11:
                os.kill(os.getpid(), signal.SIGTERM)
            return healing(victim)

    monkeypatch.setattr(demo, "_stage", lambda *_: Endless())
    said = healer("demo", "--loop")
    assert said.code == 0
    assert healed == [*["killed"] * 4, "hung", *["killed"] * 4, "leaking", "killed"]
    assert said.out.splitlines()[4] == "hung     healed after       5.0 ms, intent aaaaaaaaaaaaaaaa…"
    healed.clear()
    said = healer("demo", "--loop", "--json")
    assert [json.loads(line)["fault"] for line in said.out.splitlines()] == healed[:-1]
