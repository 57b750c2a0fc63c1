"""The log's tree over its headers, and its head signed by the log itself: what witnesses cosign and proofs rest on."""

import contextlib
import os
import sqlite3
import threading
from pathlib import Path
from typing import Final, Self

from audit import merkle, note, places
from audit.ed25519 import Secret
from audit.errors import AuditError, KeyRefused
from audit.files import read_small, sync_folder, write_atomically
from audit.note import Note, Signer
from audit.reader import Blocks
from audit.tiles import Table, TileTree
from audit.treehead import TreeHead

PRIVATE: Final = "note.key"
_MAX_FILE: Final = 65_536


class Heads:
    """Grows with the log; signs whichever head is asked for."""

    def __init__(self, folder: Path, signer: Signer, table: sqlite3.Connection) -> None:
        self._folder = folder
        self._signer = signer
        self._connection = table
        self._table = Table(table)
        self._tiles = TileTree(self._table.tile)
        self._frontier = merkle.Frontier()
        self._pending: list[bytes] = []
        """Leaf hashes that are not in the table yet."""
        self._grow = threading.Lock()
        self._write = threading.Lock()
        self.because = ""
        """Why the checkpoint or the tree could not be written last time; empty when they could."""

    @classmethod
    def open(cls, folder: Path, origin: str, blocks: Blocks) -> Self:
        """Take up the tree of the log in ``folder``, making key and tree where there are none.

        Raises ``KeyRefused`` for a note key that is not this log's, ``Unreadable`` for a damaged log.
        """
        signer = _signer(folder / places.KEYS, origin)
        heads = cls(folder, signer, _connect(folder / places.TREE))
        top = blocks.top()
        size = 0 if top is None else top + 1
        if not heads._take_up(size):
            heads._connection.execute("DELETE FROM tiles")
            heads._tiles = TileTree(heads._table.tile)
            heads._frontier = merkle.Frontier()
        leaves = [merkle.leaf_hash(stub.hdr) for stub in blocks.stubs(heads._frontier.size)]
        heads._frontier.extend(leaves)
        heads._table.extend(leaves)
        return heads

    def _take_up(self, size: int) -> bool:
        """Go on from the table where it agrees with the last checkpoint we signed; tell whether it does."""
        try:
            held = self._table.size()
            self._frontier = merkle.Frontier.resume(held, merkle.peaks(self._tiles, held))
            if held == 0:
                return True
            signed = Note.parse(read_small(self._folder / places.CHECKPOINT, _MAX_FILE))
            head = TreeHead.parse(note.open_note(signed, [self._signer.verifier]).text)
            return held <= size and head.size <= held and merkle.tree_root(self._tiles, head.size) == head.root
        except (AuditError, OSError):
            return False

    @property
    def vkey(self) -> str:
        """The C2SP verifier key, which witnesses and auditors put into their policies."""
        return self._signer.verifier.vkey()

    @property
    def size(self) -> int:
        """How many blocks the tree covers."""
        return self._frontier.size

    def add(self, header_octets: bytes) -> None:
        """Take in the header of a block that is durable."""
        leaf = merkle.leaf_hash(header_octets)
        with self._grow:
            self._frontier.append(leaf)
            self._pending.append(leaf)

    def checkpoint(self) -> bytes:
        """Return the newest head, signed (about 50 µs)."""
        with self._grow:
            head = TreeHead(origin=self._signer.verifier.name, size=self._frontier.size, root=self._frontier.root())
        text = head.text()
        return Note(text=text, signatures=(self._signer.sign(text),)).octets()

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the tree of ``new`` blocks continues that of ``old``; raises ``Malformed``."""
        with self._write:
            self._flush()
            return merkle.consistency_proof(self._tiles, old, new)

    def sync(self) -> None:
        """Write tree and checkpoint, off the path that acknowledges; failures are kept in ``because``."""
        try:
            with self._write:
                self._flush()
                write_atomically(self._folder / places.CHECKPOINT, self.checkpoint())
        except (OSError, AuditError, sqlite3.Error) as exc:
            self.because = f"{self._folder / places.CHECKPOINT}: {exc}"
        else:
            self.because = ""

    def _flush(self) -> None:
        with self._grow:
            pending, self._pending = self._pending, []
        if pending:
            try:
                self._table.extend(pending)
            except AuditError:
                with self._grow:
                    self._pending = pending + self._pending
                raise

    def close(self) -> None:
        """Let go of the file."""
        with self._write, contextlib.suppress(sqlite3.Error):
            self._connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    """Open the table of tiles; it is derived from the log, so a damaged one is made anew."""
    try:
        return _prepared(path)
    except sqlite3.Error:
        for suffix in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return _prepared(path)


def _prepared(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = NORMAL")
        Table(connection).size()
    except BaseException:
        connection.close()
        raise
    return connection


def _signer(folder: Path, origin: str) -> Signer:
    """Load the key that signs checkpoints, or make one; raises ``KeyRefused``."""
    path = folder / PRIVATE
    if not os.path.lexists(path):
        return _made(folder, origin)
    try:
        signer = note.parse_signer(read_small(path, _MAX_FILE).decode("ascii", "replace").strip())
    except AuditError as exc:
        raise KeyRefused(f"{path}: {exc.message}", hint=f"restore it, or move it away: {_COST}") from exc
    if not isinstance(signer, Signer) or signer.verifier.name != origin:
        raise KeyRefused(f"{path} is the key of another log, {signer.verifier.name}", hint=f"move it away: {_COST}")
    return signer


_COST: Final = "a new one is made then, which witnesses and auditors must be told"


def _made(folder: Path, origin: str) -> Signer:
    if not os.path.lexists(folder):
        folder.mkdir(mode=0o700)
        sync_folder(folder.parent)
    signer = Signer(origin, Secret.generate())
    write_atomically(folder / PRIVATE, f"{signer.skey()}\n".encode(), mode=0o600)
    write_atomically(folder / places.NOTE_PUB, f"{signer.verifier.vkey()}\n".encode())
    return signer
