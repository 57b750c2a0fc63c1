"""A real journald, followed by a real journalctl: flood, rotation, vacuuming, restarts of both."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from healer.clock import SystemClock
from healer.drivers.journal import encoded
from healer.drivers.journalctl import Journal
from healer.errors import SensorError
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors.journal import JournalSensor

JOURNALD = "/lib/systemd/systemd-journald"
MOUNTS = """
set -e
mkdir -p /run/systemd /run/log
mount -t tmpfs journal /run/systemd
mount -t tmpfs journal /run/log
exec sleep infinity
"""
pytestmark = pytest.mark.real


class Machine:
    """A journald in a mount namespace of its own, where it cannot be taken for this machine's."""

    def __init__(self) -> None:
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNTS]
        self.keeper = subprocess.Popen(command)
        self.root = Path(f"/proc/{self.keeper.pid}/root")
        self.until(lambda: Path(f"/proc/{self.keeper.pid}/comm").read_text() == "sleep\n")
        self.start()

    def start(self) -> None:
        """journald, as it comes up on a machine."""
        self.socket.unlink(missing_ok=True)
        inside = ["nsenter", f"--target={self.keeper.pid}", "--mount", JOURNALD]
        self.journald = subprocess.Popen(inside, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.until(self.socket.exists)

    @property
    def socket(self) -> Path:
        return self.root / "run/systemd/journal/socket"

    @property
    def directory(self) -> str:
        return str(self.root / "run/log/journal")

    @staticmethod
    def until(true, seconds: float = 5.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def write(self, message: str | bytes, identifier: str = "app", priority: int = 6, **fields: str) -> None:
        octets = message.encode() if isinstance(message, str) else message
        body = b"MESSAGE\n" + len(octets).to_bytes(8, "little") + octets + b"\n"
        for name, value in {"PRIORITY": str(priority), "SYSLOG_IDENTIFIER": identifier, **fields}.items():
            body += encoded(name, value)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(body, str(self.socket))

    def ask(self, *words: str) -> str:
        inside = ["nsenter", f"--target={self.keeper.pid}", "--mount", "journalctl", *words]
        return subprocess.run(inside, check=True, capture_output=True, text=True, timeout=10).stdout

    def stop(self) -> None:
        self.journald.kill()
        self.journald.wait()

    def end(self) -> None:
        self.stop()
        self.keeper.kill()
        self.keeper.wait()


@pytest.fixture(scope="module")
def machine(real):
    real("unshare", "nsenter", "journalctl", root=True)
    if not Path(JOURNALD).exists():
        real("systemd-journald")
    made = Machine()
    yield made
    made.end()


class Following:
    """One sensor on one driver, with all that it told."""

    def __init__(self, machine, name="app", kept_in=None, journal=None, **spec):
        self.clock = SystemClock()
        self.journal = journal or Journal(self.clock, directory=machine.directory)
        target = Target(kind="journal", name=name, organ="nervous", spec={"timeout": 5.0, **spec})
        self.sensor = JournalSensor(target, self.journal, self.clock, kept_in)
        self.pushed = []
        self.heard = asyncio.Event()

    def push(self, readings):
        self.pushed.append(readings)
        self.heard.set()

    async def __aenter__(self):
        await self.sensor.open(self.push)
        await self.look()
        return self

    async def __aexit__(self, *_):
        await self.sensor.close()
        await self.journal.close()

    async def look(self):
        """Look until it can: at first it waits for what was written before."""
        deadline = self.clock.now() + 8
        while True:
            try:
                return told(await self.sensor.look(self.clock.now()))
            except SensorError:
                if self.clock.now() > deadline:
                    raise
                await asyncio.sleep(0.05)

    async def until(self, true):
        deadline = self.clock.now() + 8
        while not true(found := await self.look()):
            assert self.clock.now() < deadline, found
            await asyncio.sleep(0.05)
        return found


def told(readings):
    return {
        (one.metric, *(value for name, value in one.labels if name != "target")): None
        if isinstance(one, Unknown)
        else one.value
        for one in readings
    }


PATTERNS = {"failed": "Failed password for {user}", "oom": "Out of memory"}


async def test_a_match_is_pushed_the_moment_it_is_written_with_what_was_taken(machine):
    machine.write("Failed password for old")
    machine.until(lambda: "for old" in machine.ask("--output=cat"))
    async with Following(machine, identifiers=("app",), patterns=PATTERNS) as following:
        before = await following.look()
        machine.write("Failed password for alice from 10.0.0.1", priority=4)
        async with asyncio.timeout(3):
            await following.heard.wait()
        pushed = told(following.pushed[-1])
        after = await following.look()
    assert before["journal.up",] == 1
    assert before["journal.count", "failed"] == 0
    assert pushed["journal.count", "failed"] == after["journal.count", "failed"] == 1
    assert pushed["journal.capture", "user", "failed"] == "alice"
    assert after["journal.count", "oom"] == 0
    assert after["journal.entries", "warning"] == 1
    assert after["journal.rate", "failed"] > 0


async def test_filters_pass_what_is_meant_and_two_share_one_child(machine):
    async with Following(machine, identifiers=("app",), priority="warning", patterns={"any": "."}) as first:
        other = Following(machine, name="db", journal=first.journal, identifiers=("db",), patterns={"any": "."})
        await other.sensor.open(other.push)
        await other.look()
        for identifier, priority in (("app", 3), ("app", 6), ("db", 6), ("web", 0)):
            machine.write("hello", identifier, priority)
        one = await first.until(lambda found: found["journal.count", "any"] == 1)
        two = await other.until(lambda found: found["journal.count", "any"] == 1)
        await other.sensor.close()
    assert one["journal.entries", "err"] == 1
    assert two["journal.entries", "info"] == 1
    assert ("journal.entries", "info") not in one


async def test_messages_of_every_shape_are_taken_or_counted(machine):
    async with Following(machine, patterns={"binary": "needle", "second": "^second$", "long": "xxxx"}) as following:
        machine.write(b"\x00\xff needle \x80")
        machine.write("first\nsecond")
        machine.write("x" * 100_000)
        found = await following.until(
            lambda found: found["journal.count", "second"] == 1 and found["journal.cut",] == 1
        )
    assert found["journal.count", "binary"] == 1
    assert found["journal.count", "long"] == 0


async def test_rotation_and_vacuuming_lose_nothing_that_is_new(machine):
    async with Following(machine, patterns=PATTERNS) as following:
        for number in range(20):
            machine.write(f"Failed password for user{number}")
            if number == 10:
                await following.until(lambda found: found["journal.count", "failed"] == 11)
                machine.ask("--rotate")
                machine.ask("--vacuum-files=1")
        found = await following.until(lambda found: found["journal.count", "failed"] >= 20)
    assert found["journal.count", "failed"] == 20


async def test_a_restart_of_the_agent_misses_nothing_and_counts_nothing_twice(machine, tmp_path):
    async with Following(machine, kept_in=tmp_path, patterns=PATTERNS) as first:
        machine.write("Failed password for a")
        await first.until(lambda found: found["journal.count", "failed"] == 1)
    machine.write("Failed password for b")
    async with Following(machine, kept_in=tmp_path, patterns=PATTERNS) as second:
        found = await second.look()
        assert found["journal.count", "failed"] == 2
        assert not second.pushed  # what was written before the start is no news
        machine.write("Failed password for c")
        found = await second.until(lambda found: found["journal.count", "failed"] == 3)
    assert found["journal.capture", "user", "failed"] == "c"


async def test_a_place_that_the_journal_does_not_know_is_a_gap_that_is_told(machine, tmp_path):
    place = tmp_path / "journal" / "app.json"
    place.parent.mkdir()
    foreign = f"s={'0' * 31}1;i=1;b={'0' * 32};m=1;t=1;x=1"
    place.write_text(json.dumps({"cursor": foreign, "patterns": {"failed": {"count": 4, "at": None}}}))
    async with Following(machine, kept_in=tmp_path, patterns=PATTERNS) as following:
        machine.write("Failed password for d")
        found = await following.until(lambda found: (found["journal.count", "failed"] or 0) >= 5)
    assert found["journal.up",] == 1


async def test_a_journalctl_that_dies_is_started_again_where_it_was(machine):
    async with Following(machine, patterns=PATTERNS) as following:
        machine.write("Failed password for a")
        await following.until(lambda found: found["journal.count", "failed"] == 1)
        seat = await following.journal._link.get()
        os.kill(seat.feed.pid, signal.SIGKILL)
        machine.write("Failed password for b")
        found = await following.until(lambda found: found["journal.count", "failed"] == 2)
        assert following.journal.status().reconnects == 1
    assert found["journal.gaps",] == 0


async def test_a_restarted_journald_is_followed_on(machine):
    async with Following(machine, patterns=PATTERNS) as following:
        machine.write("Failed password for a")
        await following.until(lambda found: found["journal.count", "failed"] == 1)
        machine.stop()
        machine.start()
        machine.write("Failed password for b")
        found = await following.until(lambda found: found["journal.count", "failed"] == 2)
    assert found["journal.up",] == 1


async def test_a_flood_leaves_the_loop_its_time_and_every_entry_is_counted(machine):
    async with Following(machine, patterns={"flood": "^flood"}) as following:
        worst, stop = 0.0, False

        async def beat():
            nonlocal worst
            while not stop:
                before = following.clock.now()
                await asyncio.sleep(0.01)
                worst = max(worst, following.clock.now() - before - 0.01)

        async with asyncio.TaskGroup() as group:
            group.create_task(beat())
            await asyncio.get_running_loop().run_in_executor(
                None, lambda: [machine.write(f"flood {number}") for number in range(3000)]
            )
            found = await following.until(lambda found: found["journal.count", "flood"] == 3000)
            stop = True
    assert found["journal.gaps",] == 0
    assert worst < 0.25


async def test_an_account_that_may_not_read_is_told_so_and_nothing_is_made_up(machine, monkeypatch):
    from healer.drivers import journalctl

    monkeypatch.setattr(
        journalctl, "PROGRAM", ("setpriv", "--reuid=65534", "--clear-groups", "journalctl"), raising=True
    )
    following = Following(machine, patterns=PATTERNS)
    await following.sensor.open(following.push)
    because = ""
    for _ in range(100):
        with contextlib.suppress(SensorError):
            await following.sensor.look(0.0)
            pytest.fail("nobody may read it, and something was told")
        because = following.journal.status().because
        if "may not be read" in because:
            break
        await asyncio.sleep(0.02)
    assert "may not be read" in because
    assert "systemd-journal" in because
    await following.sensor.close()
    await following.journal.close()


async def test_what_a_unit_says_and_what_systemd_says_of_it_are_of_that_unit_alone(boot):
    with boot() as system:

        class Inside:
            directory = f"{system.root}/var/log/journal"

        talks = {"said": "^Failed password", "of": "^(Started|Finished|Starting) .*talker|talker.service: "}
        async with Following(Inside, units=("talker",), patterns=talks) as following:
            for unit in ("talker", "other"):
                words = ("systemd-run", f"--unit={unit}", "--wait", "echo", f"Failed password for {unit}")
                await asyncio.get_running_loop().run_in_executor(None, lambda words=words: system.run(*words))
            found = await following.until(lambda found: found["journal.count", "said"] and found["journal.count", "of"])
    assert found["journal.count", "said"] == 1
    assert found["journal.line", "said"] == "Failed password for talker"
