"""Logs turned over by the real logrotate, and an agent that acts on what one says."""

import importlib.util
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from healer.clock import SystemClock
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors.log import LogSensor

pytestmark = pytest.mark.real


def home_of(folder):
    """The agent's home of test_agent.py; tests are no package."""
    spec = importlib.util.spec_from_file_location("agents", Path(__file__).with_name("test_agent.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Home(folder)


def ended(agent):
    agent.terminate()
    agent.communicate(timeout=10)


class Rotated:
    """A log, a writer that holds it open, and logrotate."""

    def __init__(self, folder, *how):
        self.folder, self.path = folder, folder / "app.log"
        self.path.touch()
        lines = "\n".join(f"  {one}" for one in ("rotate 20", "missingok", "su root root", *how))
        (folder / "conf").write_text(f"{self.path} {{\n{lines}\n}}\n")
        self.writer = self.path.open("a", buffering=1)
        target = Target(
            kind="log",
            name="app",
            organ="heart",
            spec={"path": str(self.path), "patterns": {"line": "^line {number}$"}},
        )
        self.sensor = LogSensor(target, SystemClock(), folder / "kept")

    def write(self, first, last):
        for number in range(first, last):
            self.writer.write(f"line {number}\n")

    def reopen(self):
        self.writer.close()
        self.writer = self.path.open("a", buffering=1)

    def rotate(self):
        words = ["/usr/sbin/logrotate", "--force", "--state", str(self.folder / "state"), str(self.folder / "conf")]
        subprocess.run(words, check=True, capture_output=True, timeout=10)

    async def look(self):
        return {
            (one.metric, *(value for name, value in one.labels if name != "target")): None
            if isinstance(one, Unknown)
            else one.value
            for one in await self.sensor.look(SystemClock().now())
        }

    async def end(self):
        await self.sensor.close()
        self.writer.close()


@pytest.mark.parametrize(
    "how",
    [
        ("create", "nocompress"),
        ("create", "compress"),
        ("create", "compress", "delaycompress"),
        ("create", "olddir old", "createolddir 0755 root root"),
        ("copytruncate",),
        ("copytruncate", "compress"),
    ],
)
async def test_every_line_is_counted_once_whatever_logrotate_does(real, tmp_path, how):
    real("logrotate", root=True)
    log = Rotated(tmp_path, *how)
    await log.look()
    packs = "copytruncate" in how and "compress" in how
    for turn in range(4):
        log.write(turn * 10, turn * 10 + 5)
        await log.look()
        log.write(turn * 10 + 5, turn * 10 + 10)
        if packs:
            await log.look()  # what is copied, cut and packed between two looks nobody can read
        log.rotate()
        if "create" in how:
            log.reopen()
    found = await log.look()
    await log.end()
    assert found["log.count", "line"] == 40
    assert found["log.gaps",] == 0
    assert found["log.turned",] >= 4


async def test_a_flood_is_read_in_steps_while_it_is_written(tmp_path):
    log = Rotated(tmp_path)
    await log.look()
    writing = threading.Thread(target=log.write, args=(0, 50_000))
    writing.start()
    while writing.is_alive():
        await log.look()
    found = await log.look()
    await log.end()
    assert found["log.count", "line"] == 50_000
    assert found["log.capture", "number", "line"] == "49999"
    assert found["log.lagging",] == 0


RULES = """\
version: 1
rules:
  - id: lock-out
    why: somebody tries passwords
    target: log:auth
    when: matched(log:auth, "failed", 1s)
    cooldown: 1s
    backoff: {initial: 100ms, max: 1s}
    mode: auto
    then: [{run: {argv: [/usr/bin/touch, "{capture.user}"], cwd: FOLDER}}]
"""


def test_an_agent_acts_on_a_line_once_with_what_was_in_it(tmp_path):
    home = home_of(tmp_path)
    log, done = tmp_path / "auth.log", tmp_path / "done"
    done.mkdir()
    log.write_text("Failed password for before from nowhere\n")
    target = {
        "kind": "log", "name": "auth", "path": str(log), "every": "200ms", "startup_grace": "0s",
        "patterns": {"failed": "Failed password for {user} from {host}"},
    }  # fmt: skip
    home.configure(programs=[], targets=[target])
    (tmp_path / "r.yaml").write_text(RULES.replace("FOLDER", str(done)))
    agent = home.run()
    try:
        home.until((tmp_path / "s" / "positions" / "log" / "auth.json").exists)
        with log.open("a") as file:
            file.write("Accepted password for friend\nFailed password for mallory from 10.0.0.1\n")
        home.until((done / "mallory").exists)
        home.until(lambda: len(home.entries("verdict", "outcome")) >= 1)
        # A reload puts another sensor in the place of this one: it goes on where that stopped.
        target["patterns"]["other"] = "nothing of the kind"
        home.configure(programs=[], targets=[target])
        assert home.healer("reload").returncode == 0
        home.until(lambda: [one for one in home.entries("state") if one.get("to") == "inactive"])
        with log.open("a") as file:
            file.write("Failed password for trudy from 10.0.0.2\n")
        home.until((done / "trudy").exists)
    finally:
        ended(agent)
    firing = [one for one in home.entries("state") if one.get("to") == "firing"]
    assert [one["data"]["bindings"] for one in firing] == [
        [["capture.host", "10.0.0.1"], ["capture.user", "mallory"]],
        [["capture.host", "10.0.0.2"], ["capture.user", "trudy"]],
    ]
    again = home.run()
    try:
        home.until(lambda: len(home.entries("lifecycle")) > 3)
        said = json.loads(home.healer("--json", "state", "log:auth").stdout)
    finally:
        ended(again)
    assert said
    assert sorted(one.name for one in done.iterdir()) == ["mallory", "trudy"]
    assert len(home.entries("intent")) == 2


def test_the_one_look_of_run_once_leaves_no_place(tmp_path):
    home = home_of(tmp_path)
    log = tmp_path / "app.log"
    log.write_text("one\n")
    home.configure(programs=[], rules={"files": []}, targets=[{"kind": "log", "name": "app", "path": str(log)}])
    asked = subprocess.run(
        [sys.executable, "-m", "healer", "--json", *home.argv("run", "--once")[3:]],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert "log:app" in asked.stdout, asked.stderr
    assert not (tmp_path / "s" / "positions").exists()
