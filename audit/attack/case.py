"""One attack under way: a fresh copy of the log, and what each auditor will be shown of it."""

import contextlib
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from audit import block
from audit.ask import Ask
from audit.attack.catalog import Auditor, Skipped
from audit.attack.forge import Alter, Chain, Sealer
from audit.attack.world import World
from audit.ed25519 import Secret
from audit.keys import SealingKey
from audit.memory import Memory
from audit.reader import Row

DDL: Final = (
    "CREATE TABLE blocks (height INTEGER NOT NULL PRIMARY KEY, first INTEGER NOT NULL, n INTEGER NOT NULL, "
    "hdr BLOB NOT NULL, sig BLOB NOT NULL, rsig BLOB NOT NULL, body BLOB NOT NULL) STRICT"
)
LOOSE: Final = "CREATE TABLE blocks (height, first, n, hdr, sig, rsig, body)"
"""The same without what SQLite would check or convert."""
_ORDINARY: Final = frozenset({"commit", "heartbeat"})
_INSERT: Final = "INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(slots=True, kw_only=True)
class Case:
    """A copy to be attacked. An attack changes the log, or what an auditor is shown, and nothing else."""

    world: World
    place: Path
    log: Path = field(init=False)
    """What the auditors are pointed at."""
    key: Path = field(init=False)
    anchors: tuple[Path, ...] = field(init=False)
    policy: Path = field(init=False)
    checkpoints: tuple[Path, ...] = field(init=False)
    archives: tuple[Path, ...] = field(init=False)
    tsa: Path | None = None
    tokens: tuple[Path, ...] = ()
    memory: Memory | None = None
    """What the auditor who has no more than the key remembers of the log by himself."""
    levels: dict[Auditor, str] = field(default_factory=dict)
    bundle: bool = False
    """Whether ``log`` is a bundle."""
    bounded: bool = False
    """Whether the verifier runs in a process of its own, its time and memory measured."""

    def __post_init__(self) -> None:
        """Begin with the log as it is, and with auditors who keep what they should."""
        outside = self.world.outside
        self.key, self.policy = outside / "pinned.pub", outside / "policy"
        self.anchors, self.checkpoints = (outside / "anchor",), (outside / "checkpoint",)
        self.archives = self.world.archives
        self.levels = {Auditor.ANCHOR: "L2" if self.world.head.next else "L1", Auditor.WITNESS: "L3"}
        (self.place / "state").mkdir(parents=True)
        self.log = self.place / "state" / "audit.db"
        self.write(self.rows)

    # ------------------------------------------------------------------------------- what is there

    @property
    def rows(self) -> list[Row]:
        """The log as it was."""
        return list(self.world.rows)

    @property
    def folder(self) -> Path:
        """The state folder the copy lies in."""
        return self.place / "state"

    @property
    def below(self) -> int:
        """Height of the newest ordinary block below the anchor."""
        return self._ordinary(range(self.world.anchored - 1, 0, -1))

    @property
    def above(self) -> int:
        """Height of an ordinary block above the anchor; raises ``Skipped`` where the anchor is the head."""
        return self._ordinary(range(self.world.anchored + 1, self.world.top + 1))

    def _ordinary(self, heights: Iterable[int]) -> int:
        for height in heights:
            row = self.world.rows[height]
            if height and row.body and row.rsig and block.parse_header(row.hdr).why in _ORDINARY:
                return height
        raise Skipped("no ordinary block lies where it is needed")

    @property
    def thief(self) -> SealingKey:
        """The RSA key in force, stolen; raises ``Skipped`` where it is not in the state folder."""
        if self.world.key is None:
            raise Skipped("the private key is not in the state folder")
        return self.world.key

    def need_every_body(self) -> None:
        """Raise ``Skipped`` where intents may be open that nobody can name: their entries were pruned."""
        if not self.archives and not all(row.body for row in self.world.rows):
            raise Skipped("entries were pruned, so nobody can say which intents are open: give --archive")

    @property
    def first(self) -> SealingKey:
        """The RSA key that the log began with, stolen; raises ``Skipped`` where it is not in the state folder."""
        found = self.world.ring.get(block.parse_header(self.world.rows[0].hdr).keys[0])
        if found is None:
            raise Skipped("the key that the log began with is not in the state folder")
        return found

    @property
    def secret(self) -> Secret:
        """The ratchet's secret, stolen; raises ``Skipped`` where it is nowhere on the disk."""
        if self.world.secret is None:
            raise Skipped("the ratchet's secret is not on the disk: the agent runs, or stopped uncleanly")
        return self.world.secret

    # -------------------------------------------------------------------------------- what is done

    def write(self, rows: Iterable[Row], *, ddl: str = DDL) -> None:
        """Put these blocks in the place of the log."""
        self.write_any(rows, ddl)

    def write_any(self, rows: Iterable[Sequence[object]], ddl: str) -> None:
        """Put these rows there, whatever is in them."""
        self.log.unlink(missing_ok=True)
        with self._connection() as connection:
            connection.execute("PRAGMA journal_mode = OFF").fetchall()
            connection.execute(f"PRAGMA application_id = {block.APPLICATION_ID}")
            connection.execute("BEGIN")
            connection.execute(ddl)
            connection.executemany(_INSERT, rows)
            connection.execute("COMMIT")

    def edit(self, *statements: str) -> None:
        """Run SQL on the copy."""
        with self._connection() as connection:
            for statement in statements:
                connection.execute(statement).fetchall()

    def put(self, row: Row) -> None:
        """Put this row in the place of the one at its height."""
        rows = self.rows
        rows[row.height] = row
        self.write(rows)

    def behind_wal(self, statement: str) -> None:
        """Run SQL that changes nothing but a write-ahead file beside the copy."""
        aside = self.place / "aside"
        aside.mkdir()
        with self._connection() as connection:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            connection.execute("PRAGMA wal_autocheckpoint = 0").fetchall()
            connection.execute(statement)
            for name in (self.log.name, f"{self.log.name}-wal"):
                shutil.copyfile(self.folder / name, aside / name)
        for path in aside.iterdir():
            path.replace(self.folder / path.name)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self.log, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = OFF")
            yield connection
        finally:
            connection.close()

    def cut(self, height: int) -> Chain:
        """Cut the log before ``height``, to be continued with the stolen RSA key."""
        return Chain(self.rows[:height], self.thief)

    def future(self) -> Chain:
        """Go on after the head with every key there is."""
        return Chain(self.rows, self.thief, self.secret)

    def resealed(self, start: int, alter: Alter | None = None, ring: dict[str, Sealer] | None = None) -> list[Row]:
        """Seal everything from ``start`` on once more, with the stolen RSA keys and a ratchet of the thief's."""
        keys: dict[str, Sealer] = {**self.world.ring} if ring is None else ring
        chain = Chain(self.rows[:start], self.thief)
        for row in self.rows[start:]:
            chain.again(row, keys, alter)
        return chain.rows

    def keep(self, name: str, octets: bytes) -> Path:
        """Write a file where the log is not, as an auditor would keep it."""
        folder = self.place / "kept"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_bytes(octets)
        return path

    def settle(self, rows: Sequence[Row], key: bytes) -> None:
        """Put a key and an anchor that fit into the state folder, and let the auditors look at the folder."""
        (self.folder / "keys").mkdir(mode=0o700)
        (self.folder / "keys" / "seal.pub").write_bytes(key)
        (self.folder / "anchor").write_bytes(self.world.anchor(rows[-1]))
        self.log = self.folder

    def show(self, octets: bytes) -> None:
        """Let this be the newest checkpoint a witness's auditor has."""
        self.checkpoints = (self.keep("checkpoint", octets),)

    # ------------------------------------------------------------------------------ who looks at it

    def ask(self, auditor: Auditor) -> Ask:
        """Return what this auditor asks the verifier."""
        plain = Ask(
            log=self.log, deep=not self.bundle, min_level=self.levels.get(auditor, "L1"), archives=self.archives
        )
        if auditor is Auditor.NOTHING:
            return plain
        if auditor is Auditor.KEY:
            return replace(plain, key=self.key, memory=self.memory)
        if auditor is Auditor.ANCHOR:
            return replace(plain, key=self.key, anchors=self.anchors)
        return replace(
            plain,
            key=self.key,
            policy=self.policy,
            checkpoints=self.checkpoints,
            tsa=self.tsa,
            tokens=self.tokens,
        )

    def close(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self.place, ignore_errors=True)
