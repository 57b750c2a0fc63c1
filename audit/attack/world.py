"""The log that is attacked, what its attackers can get hold of, and what its auditors keep elsewhere."""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from audit import block, checkpoint, keys, merkle, pruned, ratchet, succession
from audit.clock import Clock
from audit.ed25519 import Secret
from audit.errors import AuditError, KeyRefused, Unreadable
from audit.files import read_small
from audit.keys import SealingKey
from audit.note import Kind, Note, Signer
from audit.reader import Log, Row
from audit.signature import PublicKey
from audit.treehead import TreeHead

MIN_BLOCKS: Final = 5
MAX_BLOCKS: Final = 200
"""So many blocks are attacked, the first of a long log: a beginning of a log is a log."""
MAX_OCTETS: Final = 64 * 1024 * 1024
_PRUNES: Final = b',"why":"prune"}'
WITNESSES: Final = 3
QUORUM: Final = 2


@dataclass(slots=True, kw_only=True)
class World:
    """Everything that is at stake; nothing of it lies where the original does."""

    place: Path
    rows: Sequence[Row]
    pinned: bytes
    """The public key the auditors pinned, PEM."""
    clock: Clock
    whole: bool = True
    """Whether ``rows`` is all of the log."""
    ring: dict[str, SealingKey] = field(default_factory=dict)
    """RSA keys a thief of the machine gets, by fingerprint."""
    secret: Secret | None = None
    """The ratchet's key for the next block, as a thief gets it."""
    archives: tuple[Path, ...] = ()
    anchored: int = 0
    """Height of the anchor that auditors keep: older than some of the log."""
    own: SealingKey = field(default_factory=SealingKey.generate)
    """A key of the attacker's."""
    other: SealingKey = field(default_factory=SealingKey.generate)
    """Another one."""
    note: Signer = field(init=False)
    """What signs the log's checkpoints."""
    witnesses: list[Signer] = field(init=False)

    def __post_init__(self) -> None:
        """Make the witnesses, and write down what the auditors keep."""
        if len(self.rows) < MIN_BLOCKS:
            raise Unreadable(f"a log of {len(self.rows)} blocks is too short to be attacked: {MIN_BLOCKS} are needed")
        self.anchored = max(self._last_break(), 2 * self.top // 3)
        self.note = Signer(self.head.origin, Secret.generate())
        names = (f"witness-{number}.example" for number in range(WITNESSES))
        self.witnesses = [Signer(name, Secret.generate(), Kind.COSIGNATURE) for name in names]
        self.outside.mkdir(parents=True)
        (self.outside / "pinned.pub").write_bytes(self.pinned)
        (self.outside / "policy").write_text(self.policy())
        (self.outside / "anchor").write_bytes(self.anchor(self.rows[self.anchored]))
        (self.outside / "checkpoint").write_bytes(self.cosigned(self.rows))

    @property
    def outside(self) -> Path:
        """Where the auditors keep what the attacker cannot reach."""
        return self.place / "outside"

    @property
    def top(self) -> int:
        """Height of the newest block."""
        return len(self.rows) - 1

    @property
    def head(self) -> block.Header:
        """The newest header."""
        return block.parse_header(self.rows[-1].hdr)

    @property
    def key(self) -> SealingKey | None:
        """The RSA key in force at the end, where the thief has it."""
        return self.ring.get(self.head.keys[-1])

    @property
    def now_s(self) -> int:
        """What time the auditors have."""
        return self.clock.wall_us() // 1_000_000

    def key_at(self, height: int) -> bytes:
        """Return the public key in force at a height, PEM: what whoever is sent a proof of it has pinned."""
        in_force = succession.Succession(PublicKey.from_pem(self.pinned))
        for row in self.rows[:height]:
            in_force.check(block.parse_header(row.hdr), row.hdr, row.sig, row.body)
        return in_force.current.pem if in_force.current else self.pinned

    def _last_break(self) -> int:
        """Return where the ratchet was last lost: an anchor below proves less than L2."""
        return max((row.height for row in self.rows[1:] if not row.rsig), default=0)

    def policy(self) -> str:
        """Return whose signatures count: the log's own, and any two of its three witnesses."""
        lines = [f"log {self.note.verifier.vkey()}"]
        lines += [f"witness w{number} {one.verifier.vkey()}" for number, one in enumerate(self.witnesses)]
        members = " ".join(f"w{number}" for number in range(WITNESSES))
        return "\n".join([*lines, f"group all {QUORUM} {members}", "quorum all", ""])

    @staticmethod
    def anchor(row: Row) -> bytes:
        """Return the anchor file that names this block."""
        return checkpoint.of_header(block.parse_header(row.hdr), block.hash_of(row.hdr)).encode()

    def tree_head(self, rows: Iterable[Row], origin: str = "") -> TreeHead:
        """Return what a checkpoint over ``rows`` says."""
        leaves = [merkle.leaf_hash(row.hdr) for row in rows]
        return TreeHead(origin=origin or self.head.origin, size=len(leaves), root=merkle.root(leaves))

    def cosigned(
        self,
        rows: Iterable[Row],
        *,
        by: Sequence[Signer] | None = None,
        at: int | None = None,
        log: Signer | None = None,
    ) -> bytes:
        """Return a checkpoint over ``rows``, signed by the log and cosigned."""
        return self.signed(self.tree_head(rows).text(), by=by, at=at, log=log)

    def signed(
        self, text: str, *, by: Sequence[Signer] | None = None, at: int | None = None, log: Signer | None = None
    ) -> bytes:
        """Return a note with this text, signed by the log and cosigned at ``at`` (seconds since 1970; now)."""
        time = self.now_s if at is None else at
        cosigners = self.witnesses[:QUORUM] if by is None else by
        signatures = [(log or self.note).sign(text), *(one.sign(text, time) for one in cosigners)]
        return Note(text=text, signatures=tuple(signatures)).octets()

    @classmethod
    def of(cls, log: Path, place: Path, clock: Clock, key: Path | None = None) -> Self:
        """Take a private copy of a log file or state folder, and of the keys that can be read there.

        Raises ``Unreadable`` or ``Malformed`` for a log that cannot be copied, ``KeyRefused`` without a public key.
        """
        folder = log if log.is_dir() else None
        with Log.open(log) as opened:
            rows, whole = _copied(opened)
        pinned = _pinned(folder, key)
        ring: dict[str, SealingKey] = {}
        secret = None
        if folder is not None:
            with contextlib.suppress(AuditError, OSError):
                found = keys.load_private(folder / "keys" / keys.PRIVATE)
                ring[found.public.fingerprint] = found
            with contextlib.suppress(AuditError, OSError):
                secret = Secret.from_seed(read_small(folder / "keys" / ratchet.FILE_NAME, 64))
        world = cls(place=place, rows=rows, pinned=pinned, clock=clock, whole=whole, ring=ring, secret=secret)
        if secret is not None and secret.public.hex() != world.head.next:
            world.secret = None
        return world


def _copied(log: Log) -> tuple[list[Row], bool]:
    """Return the first blocks, and whether they are all; with the orders to prune that the first ones rest on."""
    rows: list[Row] = []
    size, pruned_to = 0, -1
    for row in log.rows():
        if pruned_to < 0 and (len(rows) >= MAX_BLOCKS or size > MAX_OCTETS):
            return rows, False
        rows.append(row)
        size += len(row.body)
        if not row.body:
            pruned_to = row.height
        elif row.hdr.endswith(_PRUNES) and pruned.parse(block.parse_header(row.hdr), row.body).last >= pruned_to:
            pruned_to = -1
    return rows, True


def _pinned(folder: Path | None, key: Path | None) -> bytes:
    """Return the public key to pin: the one given, else the one that the state folder says the log began with."""
    places = [key] if key else [folder / "keys" / name for name in ("first.pub", "seal.pub")] if folder else []
    for path in places:
        with contextlib.suppress(FileNotFoundError):
            return read_small(path, 65_536)
    raise KeyRefused("there is no public key to pin", hint="give it: --key FILE")
