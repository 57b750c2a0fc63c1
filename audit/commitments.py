"""Concealed texts: the log seals a salted hash, the text itself lies beside it where it can be erased."""

import contextlib
import os
import re
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

from audit.errors import DiskFull, Poisoned, Unreadable
from audit.files import sync_folder

FILE_NAME: Final = "private.db"
SALT: Final = 32
VEIL: Final = "[concealed]"
MARK: Final = b'{"c":"'
"""In the octets of every entry that holds a commitment, and of a few that do not."""
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_TABLE: Final = "CREATE TABLE private (c TEXT NOT NULL PRIMARY KEY, salt BLOB, value TEXT, seq INTEGER NOT NULL) STRICT"

# What orders, joins and counts entries stays readable: verifying, and what the agent remembers, rest on it.
PLAIN: Final = frozenset({
    "v", "kind", "seq", "ts", "mono", "boot", "node", "id", "of", "corr", "action", "target", "generation", "rule",
    "rules_hash", "step", "attempt", "mode", "request", "result", "subject", "from", "to", "gate", "verb", "answer",
    "intent_id", "decision", "op", "selector", "scope", "hash", "phase", "type", "sha256", "output_sha256",
    "approval", "recurrence",
})  # fmt: skip
"""Fields that are never concealed, nor anything in them."""


class Private(NamedTuple):
    """What a commitment stands for."""

    c: str
    """SHA-256(salt ‖ UTF-8 of the value), hex."""
    salt: bytes
    value: str


class Found(NamedTuple):
    """What is known of a commitment."""

    state: str
    """``kept``; ``erased``; ``unknown``: never kept here; ``false``: what is kept is not what was sealed."""
    value: str = ""
    """The text, where it is kept."""


def commit(value: str, salt: bytes) -> str:
    """Return the hash that stands for ``value`` in the log, hex."""
    return sha256(salt + value.encode()).hexdigest()


def is_commitment(value: object) -> bool:
    """Tell whether this is the object that stands for a text."""
    if type(value) is not dict or len(value) != 1:
        return False
    c = value.get("c")
    return type(c) is str and _HASH.fullmatch(c) is not None


def may_conceal(path: str) -> bool:
    """Tell whether a dotted path, or a glob for some, can mean anything that may be concealed."""
    return path.partition(".")[0] not in PLAIN


def conceal(
    fields: Mapping[str, object],
    globs: Sequence[str],
    *,
    random: Callable[[int], bytes] = os.urandom,
    clean: Callable[[str], str] = str,
) -> tuple[dict[str, object], list[Private]]:
    """Replace the texts whose dotted path matches a glob; return the fields as they are sealed, and what was taken out.

    Paths are ``output``, ``params.password``, ``evidence.0.value``; ``*`` matches dots too. `PLAIN` fields stay.
    ``clean`` is asked what may be kept of each text. ``random`` gives that many octets nobody can guess.
    """
    taken: list[Private] = []

    def walk(value: object, path: str) -> object:
        if isinstance(value, dict):
            return value if is_commitment(value) else {name: walk(one, f"{path}.{name}") for name, one in value.items()}
        if isinstance(value, list):
            return [walk(one, f"{path}.{index}") for index, one in enumerate(value)]
        if isinstance(value, str) and any(fnmatchcase(path, glob) for glob in globs):
            salt, kept = random(SALT), clean(value)
            taken.append(Private(commit(kept, salt), salt, kept))
            return {"c": taken[-1].c}
        return value

    return {name: walk(value, name) if name not in PLAIN else value for name, value in fields.items()}, taken


def veil(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy in which each commitment is a text that says so, for those who need a text in its place."""
    return {name: _replaced(value, lambda _: VEIL) for name, value in fields.items()}


def found_in(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (dotted path, commitment) for each commitment in an entry."""
    if is_commitment(value):
        yield path, str(value["c"])  # type: ignore[index] # is_commitment says that it is a dict
    elif isinstance(value, dict | list):
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from found_in(one, f"{path}.{name}" if path else str(name))


def reveal(fields: Mapping[str, Any], vault: "Vault") -> dict[str, Any]:
    """Return a copy in which each commitment has its text, or says in words why not."""
    told = {"erased": "[erased]", "unknown": VEIL, "false": "[FALSE: what is kept is not what was sealed]"}

    def open_one(c: str) -> str:
        found = vault.find(c)
        return told.get(found.state, found.value)

    return {name: _replaced(value, open_one) for name, value in fields.items()}


def _replaced(value: object, by: Callable[[str], str]) -> object:
    if is_commitment(value):
        return by(str(value["c"]))  # type: ignore[index] # is_commitment says that it is a dict
    if isinstance(value, dict):
        return {name: _replaced(one, by) for name, one in value.items()}
    if isinstance(value, list):
        return [_replaced(one, by) for one in value]
    return value


class Vault:
    """The side file that holds salts and texts, and forgets them when told."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Use ``open``."""
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> Self:
        """Open the file, or with ``write`` make one; raises ``Unreadable``, also where others could read it."""
        try:
            if write:
                _make(path)
            mode = path.lstat().st_mode
        except OSError as exc:
            raise Unreadable(f"{path} cannot be opened: {exc.strerror}") from exc
        if not stat.S_ISREG(mode) or stat.S_IMODE(mode) & 0o077:
            raise Unreadable(f"{path} is open to others, or no file", hint=f"chmod 600 {path}")
        how = "rw" if write else "ro"
        try:
            connection = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode={how}",
                uri=True,
                isolation_level=None,
                timeout=5.0,
                check_same_thread=False,  # one thread at a time
            )
        except sqlite3.Error as exc:
            raise Unreadable(f"{path} cannot be opened: {exc}") from exc
        vault = cls(path, connection)
        try:
            vault._prepare(write=write)
        except sqlite3.Error as exc:
            connection.close()
            raise Unreadable(f"{path} is not what was written there: {exc}") from exc
        return vault

    def _prepare(self, *, write: bool) -> None:
        run = self._connection.execute
        if write:
            # Erasing must reach the disk: no write-ahead file in which an older page could be left over.
            run("PRAGMA journal_mode = DELETE").fetchall()
            run("PRAGMA synchronous = FULL").fetchall()
            run("PRAGMA secure_delete = ON").fetchall()
            run(_TABLE.replace("TABLE", "TABLE IF NOT EXISTS"))
        run("SELECT c, salt, value, seq FROM private LIMIT 1").fetchall()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def keep(self, rows: Iterable[tuple[int, Private]]) -> None:
        """Keep texts with the numbers of their entries, durably; raises ``DiskFull`` (nothing kept) or ``Poisoned``."""
        try:
            with self._transaction():
                self._connection.executemany(
                    "INSERT OR REPLACE INTO private (c, salt, value, seq) VALUES (?, ?, ?, ?)",
                    [(one.c, one.salt, one.value, seq) for seq, one in rows],
                )
        except sqlite3.Error as exc:
            if not self._connection.in_transaction and exc.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
                raise DiskFull(
                    "no space is left for what is concealed", hint=f"free space on the file system of {self.path}"
                ) from exc
            raise Poisoned(f"{self.path} cannot be written: {exc}", hint="what cannot be kept is not sealed") from exc

    def find(self, c: str) -> Found:
        """Return what is known of a commitment, checked against it; raises ``Unreadable``."""
        try:
            row = self._connection.execute("SELECT salt, value FROM private WHERE c = ?", (c,)).fetchone()
        except sqlite3.Error as exc:
            raise Unreadable(f"{self.path} cannot be read: {exc}") from exc
        if row is None:
            return Found("unknown")
        salt, value = row
        if salt is None and value is None:
            return Found("erased")
        if type(salt) is not bytes or type(value) is not str or commit(value, salt) != c:
            return Found("false")
        return Found("kept", value)

    def of(self, seq: int) -> list[str]:
        """Return the commitments in the entry of that number; raises ``Unreadable``."""
        try:
            return [c for (c,) in self._connection.execute("SELECT c FROM private WHERE seq = ?", (seq,))]
        except sqlite3.Error as exc:
            raise Unreadable(f"{self.path} cannot be read: {exc}") from exc

    def erase(self, commitments: Iterable[str]) -> int:
        """Forget the salts and texts of these; return how many there were. Raises ``Unreadable``.

        What was there is overwritten in the file. The log keeps the hashes, which say nothing without their salts.
        """
        erased = 0
        try:
            with self._transaction():
                for c in commitments:
                    cursor = self._connection.execute(
                        "UPDATE private SET salt = NULL, value = NULL WHERE c = ? AND salt IS NOT NULL", (c,)
                    )
                    erased += cursor.rowcount
        except sqlite3.Error as exc:
            raise Unreadable(f"{self.path} cannot be written: {exc}", hint="nothing was erased") from exc
        return erased

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        run = self._connection.execute
        run("BEGIN IMMEDIATE")
        try:
            yield
            run("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    run("ROLLBACK")
            raise


def _make(path: Path) -> None:
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        sync_folder(path.parent)
