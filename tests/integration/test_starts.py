"""What starts a rule, through the command line and an agent in a process of its own: events, people, the calendar."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from audit import canonical
from audit.reader import Log
from healer.cli.client import Client
from healer.cli.settings import Settings

RULES = """\
version: 1
rules:
  - id: kick
    when: 1 == 1
    priority: critical
    mode: auto
    trigger:
      event: login.failed
      filter: {level: ">= 3"}
      group_by: user
      accumulate: {count: 3, within: 1m}
      once_within: 10m
    cooldown: 0s
    limits: [{max: 50, per: 1h}]
    then:
      - run: {argv: [touch, "{event.user}"], cwd: FOLDER}
        verify: {when: 1 == 1, within: 1s}
  - id: no-backup
    when: 1 == 1
    priority: critical
    mode: auto
    trigger: {event: backup.begun, not_followed_by: {event: backup.done, within: 1s}}
    cooldown: 0s
    then: [{publish: backup.missing}]
  - id: nightly
    when: 1 == 1
    trigger: {schedule: "30 3 * * 7", tz: Europe/Warsaw}
    then: [{notify: {message: night}}]
  - id: by-hand
    when: 1 == 1
    trigger: manual
    then: [{notify: {message: hand}}]
"""


class Home:
    """A folder with a configuration, rules and a state folder; ends what it started."""

    def __init__(self, folder):
        self.folder, self.state, self.started = folder, folder / "s", []
        (folder / "r.yaml").write_text(RULES.replace("FOLDER", str(folder)), encoding="utf-8")
        config = {"version": 1, "rules": {"files": ["r.yaml"]}, "limits": {"saturation_psi": 1.0}}
        (folder / "o.yaml").write_text(json.dumps(config), encoding="utf-8")

    def argv(self, *command):
        where = ["--config", str(self.folder / "o.yaml"), "--state-dir", str(self.state)]
        return [sys.executable, "-m", "healer", *where, *command]

    def run(self):
        process = subprocess.Popen(self.argv("run"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.started.append(process)
        for line in process.stdout:
            if "Ctrl-C" in line:
                return process
        raise AssertionError(process.stderr.read())

    def healer(self, *command):
        return subprocess.run(self.argv(*command), capture_output=True, text=True, timeout=30, check=False)

    def say(self, topic, **data):
        """An event, as `healer event send` posts it: a command each would take a second."""
        return self.client().request("event", "agent", {"topic": topic, "data": data})["because"]

    def client(self):
        return Client(Settings(config=str(self.folder / "o.yaml"), state_dir=str(self.state)))

    def entries(self, kind, rule):
        with Log.open(self.state) as log:
            found = [canonical.decode(sealed.octets) for sealed in log.entries(0)]
        return [one for one in found if one["kind"] == kind and one.get("rule") == rule]

    def idle(self):
        """Whether no incident of the rule is open."""
        kick = next(one for one in self.client().get("/rules")["rules"] if one["id"] == "kick")
        return kick["targets"][0]["state"] in {"pending", "inactive"}

    def until(self, true):
        end = time.monotonic() + 20
        while not true():
            assert time.monotonic() < end, [one.get("because") for one in self.entries("state", "kick")]
            time.sleep(0.05)


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def test_events_are_counted_by_an_agent_and_a_kill_does_not_make_it_forget_its_last_start(home):
    first = home.run()
    said = home.healer("event", "send", "login.failed", '{"user": "bob", "level": 3}')
    assert said.stdout.strip() == "published login.failed"
    for level in (2, 3):
        home.say("login.failed", user="bob", level=level)
    assert not (home.folder / "bob").exists()
    assert "1 incidents opened" in home.say("login.failed", user="bob", level=9)
    home.until((home.folder / "bob").exists)
    home.until(home.idle)
    os.kill(first.pid, signal.SIGKILL)
    first.wait(timeout=10)
    (home.folder / "bob").unlink()
    home.run()
    for _ in range(3):
        assert "opened" not in home.say("login.failed", user="bob", level=3)
    home.say("login.failed", user="../eve", level=3)
    for _ in range(3):
        last = home.say("login.failed", user="ann", level=3)
    assert "1 incidents opened" in last
    home.until((home.folder / "ann").exists)
    assert not (home.folder / "bob").exists()


def test_what_does_not_follow_is_missed_by_an_agent_without_another_event(home):
    home.run()
    home.say("backup.begun")
    home.say("backup.done")
    home.say("backup.begun")
    home.until(lambda: home.entries("outcome", "") or home.entries("intent", "no-backup"))
    assert len(home.entries("intent", "no-backup")) == 1


def test_the_calendar_is_shown_and_a_hand_is_told_what_came_of_it(home):
    home.run()
    listed = home.client().get("/rules")
    nightly = next(one for one in listed["rules"] if one["id"] == "nightly")
    assert 0 < nightly["next_start"] <= 8 * 86400
    assert nightly["starts_on"] == "schedule 30 3 * * 7 (Europe/Warsaw)"
    assert "the calendar starts nightly in" in home.healer("status").stdout
    refused = home.healer("trigger", "by-hand")
    assert refused.returncode == 1
    assert "withheld by mode: mode is observe" in refused.stderr
