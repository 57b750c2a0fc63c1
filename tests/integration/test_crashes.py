"""kill -9 of the agent at random moments, again and again on one state folder, while it breaks and heals its victims.

HEALER_CRASHES says how often (6), HEALER_CRASH_SEED repeats the moments of a run that failed.
"""

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import audit
from audit import block, canonical
from audit.reader import Log
from healer.drivers import processes
from healer.record import recall
from healer.store.store import Store

CRASHES = int(os.environ.get("HEALER_CRASHES", "6"))
SEED = int(os.environ.get("HEALER_CRASH_SEED", "0")) or random.SystemRandom().getrandbits(32)
PATIENCE = 30.0
TICK_US = 1_000_000 // processes.TICKS
CLOSED = {"interrupted", "done", "failed-transient", "failed-permanent", "ambiguous", "stale", "cancelled", "refused"}


class Campaign:
    """One state folder, one agent after the other on it, and what must hold between them."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.kept = folder / "kept"
        self.kept.mkdir()
        self.home = hashlib.sha256(os.fsencode(self.state.resolve())).hexdigest()[:16]
        self.said = folder / "said"
        self.chance = random.Random(SEED)
        self.agent: subprocess.Popen[bytes] | None = None
        self.anchors: list[Path] = []
        self.dangling = 0
        self.adopted = 0
        self.stillbirths = 0
        self.resumed = 0

    # One life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        command = [sys.executable, "-m", "healer", "demo", "--loop", "--json", "--state-dir", str(self.state)]
        with self.said.open("ab") as said:
            self.agent = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)

    def wait(self, what, why):
        """Wait for something to come true while the agent lives."""
        deadline = time.monotonic() + PATIENCE
        while not (found := what()):
            assert self.agent.poll() is None, f"the agent ended by itself: {self.words()}"
            assert time.monotonic() < deadline, f"{why}: {self.words()}"
            time.sleep(0.02)
        return found

    def words(self) -> str:
        return self.said.read_text(errors="replace")[-3000:]

    def healings(self) -> int:
        return sum(line.startswith('{"name"') for line in self.said.read_text().splitlines())

    def crash(self, number: int) -> None:
        """Kill it: between an intent and its outcome, after a longer life, anywhere, or right after a write."""
        if number % 4 == 0:
            self.aim()
        elif number % 4 == 1:
            time.sleep(self.chance.uniform(4.0, 5.0))  # snapshots are written after two seconds
        elif self.chance.random() < 0.5:
            time.sleep(self.chance.uniform(0.1, 2.5))
        else:
            time.sleep(self.chance.uniform(0.1, 1.5))
            self.next_write()
            time.sleep(self.chance.uniform(0.0, 0.006))
        assert self.agent.poll() is None, f"the agent ended by itself: {self.words()}"
        self.agent.kill()
        self.agent.wait()

    def aim(self) -> None:
        """Stop it with an open intent in the log: held still while we look, so that nothing can close it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.next_write()
            self.agent.send_signal(signal.SIGSTOP)
            while processes.stat(self.agent.pid).state != "T":
                time.sleep(0.0005)
            if self.open_intents():
                return
            self.agent.send_signal(signal.SIGCONT)
            time.sleep(self.chance.uniform(0.0, 0.2))
        pytest.fail("no intent was ever seen open")

    def next_write(self) -> None:
        wal, deadline = self.state / "audit.db-wal", time.monotonic() + 3.0
        before = written(wal)
        while written(wal) == before and time.monotonic() < deadline:
            pass

    def open_intents(self):
        entries = [fields for _, _, fields in self.log()]
        ended = {fields["id"] for fields in entries if fields["kind"] == "outcome"}
        return [one["id"] for one in entries if one["kind"] == "intent" and one["id"] not in ended]

    def stillborn(self) -> bool:
        """Now and then one that is killed while it takes up what the last one left, perhaps more than once."""
        before = self.stillbirths
        while self.chance.random() < 0.3:
            self.start()
            time.sleep(self.chance.uniform(0.2, 1.2))
            assert self.agent.poll() is None, f"the agent ended by itself: {self.words()}"
            self.agent.kill()
            self.agent.wait()
            self.stillbirths += 1
        return self.stillbirths > before

    def end(self) -> None:
        """Nothing of ours is left, whatever became of the test."""
        if self.agent is not None and self.agent.poll() is None:
            self.agent.kill()
            self.agent.wait()
        for pid in self.ours():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # What is there ----------------------------------------------------------------------------------------------

    def ours(self):
        """Every process that an agent on this folder started, by pid."""
        alive = {pid: seen for pid, seen in processes.everyone().items() if not seen.dead}
        return {pid: seen for pid, seen in alive.items() if processes.marked(pid, {"HEALER_HOME": self.home})}

    def living(self):
        """Name -> process, of the victims that run now."""
        found = {}
        for seen in self.ours().values():
            if seen.session == seen.pid:
                name = processes.environ(seen.pid).get("HEALER_PROGRAM", "")
                assert name not in found, f"two processes of program {name}"
                found[name] = seen
        return found

    def log(self):
        """Every entry with its leaf, and the second (boot clock, µs) at which its block was made."""
        found = []
        with Log.open(self.state) as log:
            for row in log.rows():
                header = json.loads(row.hdr)
                for octets in block.split_body(row.body):
                    leaf = hashlib.sha256(b"\0" + octets).hexdigest()
                    found.append((leaf, header["mono"], canonical.decode(octets)))
        return found

    # What must hold ---------------------------------------------------------------------------------------------

    def check_dead(self):
        """Right after a crash: the log proves itself, and explains everything that runs. Returns what runs."""
        self.verify()
        entries = self.log()
        survivors = self.living()
        for name, seen in survivors.items():
            self.check_effect(name, seen, entries)
        self.check_memory()
        self.dangling += len(self.open_intents())
        return survivors, len(entries)

    def check_effect(self, name, seen, entries) -> None:
        """No effect without a sealed intent before it."""
        leaf = processes.environ(seen.pid).get("HEALER_INTENT", "")
        intents = [(mono, fields) for found, mono, fields in entries if found == leaf and fields["kind"] == "intent"]
        assert intents, f"program {name} was started under intent {leaf!r}, which the log does not hold"
        sealed, fields = intents[0]
        assert fields["target"] == f"program:{name}"
        assert fields["action"] in {"start", "restart"}
        assert sealed < (seen.ticks + 1) * TICK_US, f"program {name} was started before its intent was sealed"

    def check_memory(self) -> None:
        """Counters and cooldowns come out the same, with the agent's own snapshot as without it."""
        copy = self.kept / "state.db"
        for suffix in ("", "-wal"):
            if (original := self.state / f"state.db{suffix}").exists():
                shutil.copyfile(original, copy.with_name(copy.name + suffix))
        store = Store(copy)
        found = store.latest_snapshot()
        store.close()
        for leftover in self.kept.glob("state.db*"):
            leftover.unlink()
        whole, _ = recall(self.state, None)
        if found is not None:
            resumed, folded = recall(self.state, (found.height, found.header, found.body["memory"]))
            self.resumed += folded < len(self.log())
            # An agent enters a boot when it starts, a fold with the first entry: moments apart, and never told apart.
            assert resumed.frame.began == pytest.approx(whole.frame.began, abs=10.0)
            resumed.frame.began = whole.frame.began
            assert resumed.to_json() == whole.to_json()

    def verify(self) -> None:
        """The stand-alone verifier, with the key and every anchor that was ever kept."""
        key = self.kept / "seal.pub"
        if not key.exists():
            shutil.copyfile(self.state / "keys" / "seal.pub", key)
        self.anchors.append(self.kept / f"anchor-{len(self.anchors)}")
        shutil.copyfile(self.state / "anchor", self.anchors[-1])
        command = [sys.executable, "-I", "-S", str(Path(audit.__file__).parent), "verify", str(self.state)]
        command += ["--key", str(key), "--deep", "--no-memory"]
        command += [word for anchor in self.anchors for word in ("--anchor", str(anchor))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def check_taken_up(self, survivors, known) -> None:
        """A new agent is up: it took over what runs, and closed what it found open."""
        entries = self.wait(lambda: self.since(known, "ready"), "the agent did not become ready")
        news = [fields for _, _, fields in entries[known:]]
        assert any(one["kind"] == "lifecycle" and one["phase"] == "crash-recovered" for one in news)
        adopted = [name for one in news if one.get("phase") == "adopted" for name in one["data"]["programs"]]
        assert sorted(adopted) == sorted(survivors), "a program that runs is taken over, whatever happened before"
        self.adopted += len(adopted)
        for name, seen in survivors.items():
            now = processes.stat(seen.pid)
            replaced = any(one["kind"] == "intent" and one["target"] == f"program:{name}" for one in news)
            assert replaced or (now is not None and now.ticks == seen.ticks), f"{name} ended without an intent"
        old = [fields for _, _, fields in entries[:known]]
        ended = {one["id"] for one in old if one["kind"] == "outcome"}
        closed = {one["id"]: one["result"] for one in news if one["kind"] == "outcome"}
        for intent in (one for one in old if one["kind"] == "intent" and one["id"] not in ended):
            assert closed.get(intent["id"]) == "interrupted", f"intent {intent['id']} was left dangling"

    def since(self, known, phase):
        entries = self.log()
        told = any(one["kind"] == "lifecycle" and one["phase"] == phase for _, _, one in entries[known:])
        return entries if told else None

    def check_whole(self) -> None:
        """At the very end, over the whole log: each action has one intent, and each intent one end."""
        entries = [fields for _, _, fields in self.log()]
        intents = [one["id"] for one in entries if one["kind"] == "intent"]
        outcomes = [one["id"] for one in entries if one["kind"] == "outcome"]
        verdicts = [one["id"] for one in entries if one["kind"] == "verdict"]
        assert len(set(intents)) == len(intents), "a counter was forgotten: two actions have one id"
        assert sorted(outcomes) == sorted(intents)
        assert len(set(verdicts)) == len(verdicts)
        assert {one["result"] for one in entries if one["kind"] == "outcome"} <= CLOSED
        assert not any(one["kind"] == "state" and one["to"] in {"open", "given-up"} for one in entries)


def written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def moments(campaign):
    """As many as asked for, and then aimed ones until one has hit.

    One that looked like a hit may be none: the outcome can be durable already while no reader sees it yet.
    """
    yield from range(CRASHES)
    for _ in range(8):
        if campaign.dangling:
            return
        yield 0


@pytest.fixture
def campaign(tmp_path):
    made = Campaign(tmp_path)
    yield made
    made.end()


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_where_it_was(campaign):
    print(f"HEALER_CRASHES={CRASHES} HEALER_CRASH_SEED={SEED}")
    campaign.start()
    campaign.wait(lambda: campaign.healings() >= 1, "nothing was healed")
    for number in moments(campaign):
        campaign.crash(number)
        survivors, known = campaign.check_dead()
        if campaign.stillborn():
            survivors, known = campaign.check_dead()
        campaign.start()
        campaign.check_taken_up(survivors, known)
    done = campaign.healings()
    campaign.wait(lambda: campaign.healings() >= done + 2, "nothing is healed any more")
    campaign.agent.send_signal(signal.SIGTERM)
    assert campaign.agent.wait(timeout=PATIENCE) == 0, campaign.words()
    assert campaign.living() == {}, "its programs end with a demonstration that is stopped"
    campaign.verify()
    campaign.check_whole()
    assert campaign.adopted, "no program was ever taken over"
    assert campaign.dangling, "no intent was ever found dangling"
    assert campaign.resumed, "no snapshot was ever used"
    print(
        f"{campaign.healings()} healings; {campaign.stillbirths} more killed while they started; "
        f"{campaign.adopted} programs taken over; {campaign.dangling} intents found dangling; "
        f"{campaign.resumed} snapshots used"
    )
