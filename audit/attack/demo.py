"""A small log of everything that can happen to one: a crash, a change of keys, a pruning; made within a second."""

from pathlib import Path
from typing import Final

from audit import places, ratchet
from audit.attack.world import World
from audit.ed25519 import Secret
from audit.files import read_small
from audit.keys import SealingKey
from audit.reader import Log
from audit.writer import Writer

ORIGIN: Final = "demo.example/attacked"
_DAY_US: Final = 86_400_000_000
_BEGIN_US: Final = 1_795_162_812_000_000


class DemoClock:
    """A clock that moves by a millisecond at each look, or when told: the demonstration is the same on every day."""

    def __init__(self) -> None:
        self.wall, self.mono = _BEGIN_US, 98_213_345_123

    def wall_us(self) -> int:
        """Return microseconds since 1970-01-01 UTC."""
        self.wall += 1000
        self.mono += 1000
        return self.wall

    def mono_us(self) -> int:
        """Return microseconds since boot."""
        return self.mono

    def boot_id(self) -> str:
        """Return the id of the only boot there is."""
        return "demo-boot"

    def wait(self, microseconds: int) -> None:
        """Let time pass."""
        self.wall += microseconds
        self.mono += microseconds


def make(place: Path) -> World:
    """Make the log and everything around it in ``place``; the thief gets every key there ever was."""
    clock, state, archive = DemoClock(), place / "origin", place / "archives"
    archive.mkdir(parents=True)
    old, new = SealingKey.generate(), SealingKey.generate()
    _begin(state, clock, old, new)
    _prune(state, clock, new, archive)
    _go_on(state, clock, new)
    secret = Secret.from_seed(read_small(state / places.KEYS / ratchet.FILE_NAME, 64))
    with Log.open(state) as log:
        rows = list(log.rows())
    return World(
        place=place,
        rows=rows,
        pinned=old.public.pem,
        clock=clock,
        ring={key.public.fingerprint: key for key in (old, new)},
        secret=secret,
        archives=tuple(sorted(archive.iterdir())),
    )


def _open(state: Path, clock: DemoClock, key: SealingKey) -> Writer:
    return Writer.open(state, node="demo", origin=ORIGIN, clock=clock, signer=key, inline=True, reserve_bytes=0)


def _begin(state: Path, clock: DemoClock, old: SealingKey, new: SealingKey) -> None:
    """Begin the log, crash, and change keys."""
    writer = _open(state, clock, old)
    writer.append({"kind": "lifecycle", "phase": "start"})
    for number in range(3):
        _heal(writer, number)
    writer.abandon()
    with _open(state, clock, old) as writer:
        _heal(writer, 3)
        writer.rotate(new, because="once a year")
        _heal(writer, 4)


def _prune(state: Path, clock: DemoClock, key: SealingKey, archive: Path) -> None:
    clock.wait(2 * _DAY_US)
    with _open(state, clock, key) as writer:
        _heal(writer, 5)
        writer.prune(_DAY_US, archive, because="kept for a day")


def _go_on(state: Path, clock: DemoClock, key: SealingKey) -> None:
    with _open(state, clock, key) as writer:
        for number in range(6, 10):
            _heal(writer, number)
        clock.wait(180_000_000)
        for number in range(10, 14):
            _heal(writer, number)
        writer.append(_intent(14))


def _heal(writer: Writer, number: int) -> None:
    """Seal an intent, and its outcome with an event beside it."""
    receipt = writer.append(_intent(number))
    outcome = {"kind": "outcome", "of": receipt.leaf, "id": f"a{number}", "result": "done", "because": "exit 0"}
    event = {"kind": "event", "type": "demo.healed", "data": {"number": number, "text": "Grüße ✓"}}
    writer.submit([{**outcome, "took_us": 5}, event]).result()


def _intent(number: int) -> dict[str, object]:
    return {
        "kind": "intent",
        "id": f"a{number}",
        "corr": f"web@program:api/{number}",
        "action": "restart",
        "target": "program:api",
        "generation": "2201:9821",
        "params": {"grace_ms": 1500},
        "rule": "web",
        "rules_hash": "5f" * 16,
        "step": 0,
        "attempt": 1,
        "actor": "rule:web",
        "because": "http.ok == 0 for 20s",
        "evidence": [{"series": "http.ok", "value": "0", "age_us": 12}],
        "deadline_us": 1 << 52,
        "mode": "auto",
    }
