"""The agent as its own process: signals, a second one, and what a kill -9 leaves behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from audit import canonical
from audit.reader import Log

RULES = """\
version: 1
rules:
  - id: p-down
    why: it should run
    target: program:p
    when: program.up{target} == 0
    cooldown: 1h
    then: [{restart: {}, verify: {when: "program.up{target} == 1", within: 5s}}]
    mode: auto
"""
PROGRAM = {"name": "p", "organ": "heart", "command": ["sleep", "1000"], "startup_grace": "100ms", "on_stop": "keep"}
CALM = {"saturation_psi": 1.0}
"""However busy the machine that runs the tests is, a restart is not held back for it."""


class Home:
    """A folder with a configuration, rules and a state folder; ends what it started."""

    def __init__(self, folder):
        self.folder, self.state = folder, folder / "s"
        self.started = []
        self.configure()
        (folder / "r.yaml").write_text(RULES, encoding="utf-8")

    def configure(self, **more):
        config = {"version": 1, "rules": {"files": ["r.yaml"]}, "programs": [PROGRAM], "limits": CALM, **more}
        (self.folder / "o.yaml").write_text(json.dumps(config), encoding="utf-8")

    def argv(self, *command):
        where = ["--config", str(self.folder / "o.yaml"), "--state-dir", str(self.state)]
        return [sys.executable, "-m", "healer", *where, *command]

    def run(self):
        """Start an agent and wait until it says how to stop it."""
        process = subprocess.Popen(
            self.argv("run"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.started.append(process)
        for line in process.stdout:
            if "Ctrl-C" in line:
                return process
        raise AssertionError(process.stderr.read())

    def healer(self, *command):
        return subprocess.run(self.argv(*command), capture_output=True, text=True, timeout=30, check=False)

    def entries(self, *kinds):
        with Log.open(self.state) as log:
            found = [canonical.decode(sealed.octets) for sealed in log.entries(0)]
        return [entry for entry in found if entry["kind"] in kinds or not kinds]

    def until(self, true, patience=15.0):
        end = time.monotonic() + patience
        while not (found := true()):
            # Whole and line by line: what pytest makes of a list is cut to its first entry.
            assert time.monotonic() < end, "\n".join(json.dumps(entry)[:400] for entry in self.entries()[-60:])
            time.sleep(0.05)
        return found

    def pid(self):
        """The pid of the program, once it runs and nothing done about it waits for its verdict.

        Killed any earlier, what was done has failed, and a start of the agent's own may come before a rule's.
        """

        def found():
            judged = {one["id"] for one in self.entries("verdict", "outcome") if one.get("result") != "done"}
            if {one["id"] for one in self.entries("intent") if one.get("target") == "program:p"} - judged:
                return 0
            note = self.state / "programs" / "p.json"
            pid = json.loads(note.read_text())["pid"] if note.exists() else 0
            return pid if pid and Path(f"/proc/{pid}").exists() else 0

        return self.until(found)

    def cured(self):
        ids = {one["id"] for one in self.entries("intent") if one["rule"]}
        return [one for one in self.entries("verdict") if one["result"] == "verified" and one["id"] in ids]

    def verified(self):
        return self.healer("audit", "verify").returncode

    def close(self):
        for process in self.started:
            process.kill()
            process.communicate()
        note = self.state / "programs" / "p.json"
        if note.exists():
            pid = json.loads(note.read_text())["pid"]
            if pid and b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes() if Path(f"/proc/{pid}").exists() else b"":
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def home():
    folder = Path(tempfile.mkdtemp(prefix="h", dir="/tmp"))
    made = Home(folder)
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)


def ended(process, patience=10.0):
    code = process.wait(patience)
    process.stdout.close()
    process.stderr.close()
    return code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_agent_within_a_second_and_the_log_verifies(home, number):
    home.configure(programs=[PROGRAM | {"on_stop": "stop"}])
    agent = home.run()
    pid = home.pid()
    began = time.monotonic()
    agent.send_signal(number)
    assert ended(agent) == 0
    assert time.monotonic() - began < 1.0
    assert not Path(f"/proc/{pid}").exists()
    assert home.entries("lifecycle")[-1]["phase"] == "stop"
    assert home.verified() == 0


def test_a_second_agent_is_refused_with_one_sentence_and_status_two(home):
    first = home.run()
    home.pid()
    began = time.monotonic()
    second = home.healer("run")
    assert second.returncode == 2
    assert time.monotonic() - began < 5
    assert len(second.stderr.strip().splitlines()) == 1
    assert "another" in second.stderr
    assert "Traceback" not in second.stderr
    assert home.healer("status").returncode == 0
    assert first.poll() is None


def test_rules_with_mistakes_are_refused_with_every_one_of_them_and_status_two(home):
    (home.folder / "r.yaml").write_text(RULES.replace("program.up", "program.upp"), encoding="utf-8")
    refused = home.healer("run")
    assert refused.returncode == 2
    assert refused.stderr.count("unknown metric") == 2
    assert not home.state.exists()


def test_a_hang_up_reloads_and_one_with_mistakes_changes_nothing(home):
    agent = home.run()
    agent.send_signal(signal.SIGHUP)
    home.until(lambda: len(home.entries("rules")) == 2)
    (home.folder / "r.yaml").write_text("version: 2\n", encoding="utf-8")
    agent.send_signal(signal.SIGHUP)
    home.until(lambda: len(home.entries("rules")) == 3)
    assert [one["accepted"] for one in home.entries("rules")] == [True, True, False]
    assert home.healer("reload").returncode == 2
    assert agent.poll() is None


def test_programs_survive_a_kill_of_the_agent_and_what_was_counted_survives_it_too(home):
    agent = home.run()
    os.kill(home.pid(), signal.SIGKILL)
    home.until(home.cured)
    pid = home.pid()
    intents = len(home.entries("intent"))
    agent.kill()
    ended(agent)
    assert Path(f"/proc/{pid}").exists()
    again = home.run()
    phases = [one["phase"] for one in home.entries("lifecycle")]
    assert "crash-recovered" in phases
    assert "adopted" in phases
    assert home.pid() == pid
    os.kill(pid, signal.SIGKILL)
    home.until(lambda: [one for one in home.entries("withheld") if one["gate"] == "cooldown"])
    assert len(home.entries("intent")) == intents
    again.send_signal(signal.SIGTERM)
    assert ended(again) == 0
    assert home.verified() == 0


def test_an_effect_the_agent_was_killed_in_is_closed_as_interrupted_and_not_done_again(home):
    rules = RULES.replace("restart: {}", f'run: {{argv: [sh, -c, "echo x >> {home.folder}/done; sleep 20"]}}')
    (home.folder / "r.yaml").write_text(rules, encoding="utf-8")
    agent = home.run()
    os.kill(home.pid(), signal.SIGKILL)
    home.until((home.folder / "done").exists)
    agent.kill()
    ended(agent)
    home.run()
    cut = home.until(lambda: [one for one in home.entries("outcome") if one["result"] == "interrupted"])
    assert len(cut) == 1
    time.sleep(1.5)  # time is the subject: long enough to do it again
    assert (home.folder / "done").read_text() == "x\n"


def test_an_effect_that_is_going_on_may_end_before_the_agent_stops(home):
    rules = RULES.replace("restart: {}", 'run: {argv: [sleep, "2"]}')
    (home.folder / "r.yaml").write_text(rules, encoding="utf-8")
    agent = home.run()
    os.kill(home.pid(), signal.SIGKILL)
    home.until(lambda: [one for one in home.entries("intent") if one["action"] == "run"])
    agent.send_signal(signal.SIGTERM)
    assert ended(agent) == 0
    assert home.entries("outcome")[-1]["result"] == "done"
    assert home.entries("lifecycle")[-2]["data"]["running"]
    assert home.verified() == 0
