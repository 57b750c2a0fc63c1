"""Quarantine, adjust and scale by a real agent on real processes, and all of it put back when the incident is over."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from audit import canonical
from audit.errors import AuditError
from audit.reader import Log
from healer.drivers import processes

pytestmark = pytest.mark.real

RULE = """\
  - id: {verb}
    why: as long as the mark is there
    target: {target}
    when: file.exists{{target="file:mark"}} == 1
    clear: file.exists{{target="file:mark"}} == 0
    then: [{{{verb}: {params}, verify: {{when: 'file.exists{{target="file:mark"}} == 1', within: 5s}}}}]
    mode: auto
"""
WAYS = {
    "quarantine": ("program:still", "{}"),
    "adjust": ("process:other", '{oom: "+300", weight: "-50%"}'),
    "scale": ("program:w@1", '{to: "+1"}'),
}


def entries(state):
    try:
        with Log.open(state) as log:
            return [canonical.decode(one.octets) for one in log.entries(0)]
    except AuditError:  # it has not begun yet
        return []


def until(true, patience=20.0, state=None):
    end = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < end, "\n".join(json.dumps(one)[:400] for one in entries(state)[-40:])
        time.sleep(0.05)
    return found


def done(state, actor):
    """Verbs that were seen to work, by who wanted them: the rule, or the agent that puts back."""
    found = entries(state)
    intents = {one["id"]: one for one in found if one["kind"] == "intent"}
    ended = [intents[one["id"]] for one in found if one["kind"] == "verdict" and one["result"] == "verified"]
    return {one["action"] for one in ended if one["actor"].startswith(actor)}


@pytest.fixture
def place(real):
    real("sleep", root=True)
    with tempfile.TemporaryDirectory(prefix="h", dir="/tmp") as name:
        yield Path(name)


def test_what_was_changed_for_an_incident_is_changed_back_after_it(place):
    mark, state = place / "mark", place / "s"
    rules = "".join(RULE.format(verb=verb, target=target, params=params) for verb, (target, params) in WAYS.items())
    (place / "r.yaml").write_text(f"version: 1\nrules:\n{rules}")
    quick = {"startup_grace": "100ms", "on_stop": "stop"}
    with subprocess.Popen(["sleep", "1234.5"]) as other:
        (place / "pid").write_text(f"{other.pid}\n")
        config = {
            "version": 1,
            "rules": {"files": ["r.yaml"]},
            "programs": [
                {"name": "still", "command": ["sleep", "1000"], **quick},
                {"name": "w@1", "command": ["sleep", "1000"], "instances": {"least": 1, "most": 2}, **quick},
                {"name": "w@2", "command": ["sleep", "1000"], "autostart": False, **quick},
            ],
            "targets": [
                {
                    "kind": "process",
                    "name": "other",
                    "cmdline": "sleep 1234.5",
                    "pidfile": str(place / "pid"),
                    "every": "300ms",
                },
                {"kind": "file", "name": "mark", "path": str(mark), "every": "300ms"},
            ],
            "limits": {"saturation_psi": 1.0},
        }
        (place / "o.yaml").write_text(json.dumps(config))
        argv = [sys.executable, "-m", "healer", "--config", str(place / "o.yaml"), "--state-dir", str(state), "run"]
        running = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        try:
            note = state / "programs" / "still.json"
            still = until(lambda: note.exists() and json.loads(note.read_text())["pid"], state=state)
            time.sleep(1.5)  # the first sample after a start never fires: the mark has to have been missing
            mark.write_text("x")
            until(lambda: done(state, "rule") == set(WAYS), state=state)
            assert processes.stat(still).state == "T"
            assert Path(f"/proc/{other.pid}/oom_score_adj").read_text() == "300\n"
            assert os.getpriority(os.PRIO_PROCESS, other.pid) == 3
            assert json.loads((state / "programs" / "w@2.json").read_text())["wanted"]
            mark.unlink()
            until(lambda: done(state, "agent") >= set(WAYS), state=state)
            assert processes.stat(still).state != "T"
            assert Path(f"/proc/{other.pid}/oom_score_adj").read_text() == "0\n"
            assert os.getpriority(os.PRIO_PROCESS, other.pid) == 0
            assert not json.loads((state / "programs" / "w@2.json").read_text())["wanted"]
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(timeout=20)
            other.kill()
