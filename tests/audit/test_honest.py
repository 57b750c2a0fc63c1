"""Honest histories, however they went, never raise an alarm, and are never called more than they are.

Some in the ordinary run; with ``HEALER_TORTURE_STEP=1`` a thousand (``HEALER_HISTORIES`` says how many).
"""

import os
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from audit import checkpoint
from audit.ask import Ask
from audit.checkpoint import Anchor
from audit.ed25519 import Secret
from audit.keys import SealingKey
from audit.memory import Memory
from audit.note import Kind, Note, Signer
from audit.prune import DAY_US
from audit.reader import Log, Row
from audit.report import LEVELS
from audit.verifier import verify
from audit.writer import Writer
from tests.audit import everything
from tests.audit.conftest import FakeClock, make_event, make_intent, make_outcome
from tests.audit.everything import POLICY, Now

COUNT = int(os.environ.get("HEALER_HISTORIES", "1000" if os.environ.get("HEALER_TORTURE_STEP") == "1" else "12"))
SEED = int(os.environ.get("HEALER_SEED", "1"))
WITNESSES = [
    Signer(f"w{number}.example", Secret.from_seed(bytes([number]) * 32), Kind.COSIGNATURE) for number in range(3)
]
NO_FAULT = {"due", "revoked", "anchor", "level"}
"""What may honestly be missing."""


@pytest.fixture(scope="module")
def keys() -> list[SealingKey]:
    return [SealingKey.generate() for _ in range(3)]


@dataclass
class History:
    """One log's life, by chance, and what is known of it from having lived it."""

    place: Path
    keys: list[SealingKey]
    chance: random.Random
    clock: FakeClock = field(default_factory=FakeClock)
    writer: Writer | None = None
    anchors: dict[int, Path] = field(default_factory=dict)
    witnessed: list[tuple[int, int]] = field(default_factory=list)
    """(height, seconds) of what a quorum has cosigned."""
    revoked: list[tuple[int, int, int]] = field(default_factory=list)
    """(first, last) heights in doubt, and the newest that somebody outside remembered before."""
    force: int = 0
    later: bool = False
    """Whether RSA signatures follow."""
    leaves: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        return self.place / "s"

    def open(self) -> Writer:
        if self.writer is None:
            later = self.later = self.chance.random() < 0.1
            self.writer = Writer.open(
                self.state, node="n", origin="honest/1", signer=self.keys[self.force], clock=self.clock,
                inline=not later, rsa_later=later, reserve_bytes=0,
                fresh=None if self.chance.random() < 0.15 else Secret.generate,
            )  # fmt: skip
        return self.writer

    # ------------------------------------------------------------------------------ what happens

    def burst(self) -> None:
        for _ in range(self.chance.randrange(1, 6)):
            entries = [make_event(number) for number in range(self.chance.randrange(1, 4))]
            while self.leaves and self.chance.random() < 0.6:
                entries.append(make_outcome(self.leaves.pop(self.chance.randrange(len(self.leaves)))))
            if self.chance.random() < 0.5:
                entries.insert(0, make_intent(str(self.chance.random())))
            done = self.open().submit(entries).result()
            if entries[0]["kind"] == "intent":
                self.leaves.append(done[0].leaf)

    def stop(self) -> None:
        self.open().close()
        self.writer = None

    def crash(self) -> None:
        self.open().abandon()
        self.writer = None
        if self.chance.random() < 0.5:
            self.clock.boot = f"boot-{self.chance.random()}"
            self.clock.mono = self.chance.randrange(10**9)

    def wait(self) -> None:
        self.clock.wait(self.chance.choice([1, 10**6, 45 * 10**6, 3600 * 10**6, 3 * DAY_US]))

    def jump(self) -> None:
        self.clock.wall += self.chance.choice([-(10**9), 10**9])

    def anchor(self) -> None:
        head = self.open().head
        if head is not None:
            path = self.place / f"anchor-{head.height}"
            path.write_bytes(head.encode())
            self.anchors[head.height] = path

    def cosign(self) -> None:
        writer = self.open()
        if writer.head is None:
            return
        by = [one for one in WITNESSES if self.chance.random() < 0.6]
        unsigned = Note.parse(writer.heads.checkpoint())
        size, now = int(unsigned.text.split("\n")[1]), self.clock.wall_us() // 10**6
        path = self.state / f"witnessed/{size:012}.note"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(unsigned.plus(one.sign(unsigned.text, now) for one in by).octets())
        self.witnessed = [one for one in self.witnessed if one[0] != size - 1]
        if len(by) >= 2:
            self.witnessed.append((size - 1, now))

    def rotate(self) -> None:
        writer = self.open()
        if writer.head is None or self.force + 1 >= len(self.keys):
            return
        trusted = self.chance.choice([None, None, self.chance.randrange(writer.head.height + 1)])
        self.force += 1
        height = writer.rotate(self.keys[self.force], because="by chance", trusted_to=trusted).height
        if trusted is not None and trusted + 1 < height:
            self.revoked.append((trusted + 1, height - 1, self.remembered(height)))

    def prune(self) -> None:
        (self.place / "archives").mkdir(exist_ok=True)
        if self.later:
            self.stop()  # by this clock a signature may be due for days, which no real one ever is
        if self.open().head is not None and not self.later:
            self.open().prune(DAY_US, self.place / "archives", because="by chance")

    def live(self, steps: int) -> None:
        acts = [self.burst] * 6 + [self.stop, self.crash, self.wait, self.wait, self.jump, self.anchor, self.cosign]
        for _ in range(steps):
            act = self.chance.choice([*acts, self.rotate, self.prune, self.look])
            self.told.append(act.__name__)
            act()

    # ------------------------------------------------------------------------- what must be said

    def remembered(self, below: int = sys.maxsize) -> int:
        heights = [*self.anchors, *(height for height, _ in self.witnessed)]
        return max((height for height in heights if height < below), default=-1)

    def rows(self) -> list[Row]:
        with Log.open(self.state) as log:
            return list(log.rows())

    def look(self) -> None:
        """Verify it in one of many ways, and compare the verdict with what was lived."""
        if self.open().head is None:
            return
        if self.chance.random() < 0.3:
            self.stop()
        (self.place / "policy").write_text(self.policy())
        (self.place / "pinned.pub").write_bytes(self.keys[0].public.pem)
        memory = Memory(self.place / "memory") if self.chance.random() < 0.5 else None
        top = self.rows()[-1].height
        later = {"since": self.chance.randrange(top + 1)} if self.chance.random() < 0.2 else {}
        if self.anchors and self.chance.random() < 0.2:
            later = {"since_head": self.chance.choice(list(self.anchors.values()))}
        anchors = tuple(self.anchors.values()) if self.chance.random() < 0.8 else ()
        witnesses = self.chance.random() < 0.7
        ask = Ask(
            log=self.state, key=self.place / "pinned.pub", anchors=anchors, memory=memory,
            policy=self.place / "policy" if witnesses else None, incremental=self.chance.random() < 0.5,
            flat=self.chance.random() < 0.3, deep=self.chance.random() < 0.5,
            archives=tuple((self.place / "archives").glob("*.sealed")) if self.chance.random() < 0.5 else (),
            **later,
        )  # fmt: skip
        held = memory.recall("honest/1") if memory else None
        now = self.clock.wall_us()
        report = verify(ask, clock=Now(now))
        why = {one.code for one in report.findings if one.weight != "note"}
        assert report.exit_code != 1, (self.told, ask, report.text())
        assert (report.exit_code == 0) == (not why), report.text()
        assert why <= NO_FAULT, (self.told, ask, report.text())
        most = self.most(ask, held, now)
        assert LEVELS.index(report.level) <= LEVELS.index(most), (self.told, ask, most, report.text())
        if not later and not ask.incremental:
            assert report.level == most or why, (self.told, ask, most, report.text())
            doubted = {bound[:2] for bound in self.revoked if bound[2] < bound[1]}
            assert bool(doubted) <= ("revoked" in why), (self.told, report.text())
            assert not why or why & {"revoked", "due"}, (self.told, report.text())

    def policy(self) -> str:
        named = {name: one.verifier.vkey() for name, one in zip("abc", WITNESSES, strict=True)}
        return POLICY.format(log=self.open().heads.vkey, **named)

    def most(self, ask: Ask, held: Anchor | None, now_us: int) -> str:
        """Return the level that is true."""
        rows = self.rows()
        start = ask.since
        if ask.since_head is not None:
            start = checkpoint.read(ask.since_head).height
        elif ask.incremental and held is not None:
            start = held.height
        whole = ask.since_head is None and not (ask.incremental and held is not None)
        heights = [height for height in self.anchors if ask.anchors and height >= start]
        heights += [held.height] if held is not None and held.height >= start else []
        heights += [start] if not whole else []
        seen = [one for one in self.witnessed if ask.policy and one[0] >= start]
        covered = max([*heights, *(height for height, _ in seen)], default=-1)
        from audit.block import parse_header

        headers = [parse_header(row.hdr) for row in rows]
        head = headers[-1]
        for height, at_s in seen:
            beyond = [one.sealed for one in headers if one.height > height]
            if at_s >= now_us / 1e6 - 86_400 and min(beyond, default=head.sealed) >= head.sealed - 60 * 10**6:
                return "L3"
        breaks = [row.height for row in rows if row.height and not row.rsig and row.height >= start]
        broken = [height for height in breaks if height > covered]
        return "L2" if head.next and not broken else "L1"


@pytest.mark.parametrize("seed", range(SEED, SEED + COUNT))
def test_an_honest_history_is_never_called_tampered_nor_more_than_it_is(tmp_path, keys, seed, monkeypatch):
    everything.remember_answers(monkeypatch)
    history = History(tmp_path, keys, random.Random(seed))
    try:
        history.live(25)
        history.look()
    finally:
        if history.writer is not None:
            history.writer.close()
