"""The anchor: the log's last head, kept where the log is not, so that a cut or an older copy shows."""

import contextlib
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from audit import canonical
from audit.block import Header, check_origin
from audit.errors import AuditError, Malformed, UnknownVersion
from audit.files import read_small, write_atomically

VERSION: Final = 1
MAX_FILE: Final = 4096
INTERVAL_S: Final = 0.25
"""At most so often is an anchor rewritten; well within the second the specification allows."""
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_INTEGERS: Final = ("v", "height", "count", "sealed")
_TEXTS: Final = ("origin", "head", "key", "root")


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A head of one log: whoever holds it can tell whether a log still contains it."""

    v: int = VERSION
    origin: str
    height: int
    """Height of the head block."""
    count: int
    """How many entries the log holds up to it."""
    head: str
    """SHA-256 of the head block's header, hex."""
    key: str
    """Fingerprint of the key that signed it."""
    sealed: int
    """Wall clock, µs, from the header."""
    root: str = ""
    """Root of the tree over all headers; empty until witnesses use it."""

    def encode(self) -> bytes:
        """Return the file's content: one line of canonical JSON."""
        return canonical.encode(asdict(self)) + b"\n"


def of_header(header: Header, header_hash: str) -> Anchor:
    """Return the anchor that names this block as head."""
    return Anchor(
        origin=header.origin,
        height=header.height,
        count=header.first + header.count,
        head=header_hash,
        key=header.keys[0],
        sealed=header.sealed,
    )


def parse(data: bytes) -> Anchor:
    """Read an anchor strictly; raises ``Malformed``, or ``UnknownVersion`` for another version."""
    if not data.endswith(b"\n"):
        raise Malformed("an anchor is one line that ends with a newline")
    return from_fields(canonical.decode(data[:-1]))


def from_fields(fields: dict[str, object]) -> Anchor:
    """Build an anchor from decoded fields; raises as ``parse`` does."""
    if fields.get("v") != VERSION:
        raise UnknownVersion(f"anchor version {str(fields.get('v'))[:20]} is not known here")
    if fields.keys() != {*_INTEGERS, *_TEXTS}:
        raise Malformed("not the fields of an anchor")
    for name in _INTEGERS:
        value = fields[name]
        if type(value) is not int or value < 0:
            raise Malformed(f"anchor field {name} is not a natural number")
    if not all(type(fields[name]) is str for name in _TEXTS):
        raise Malformed("an anchor field that must be text is not")
    anchor = Anchor(**fields)  # type: ignore[arg-type] # names and types were checked above
    if not (_HASH.fullmatch(anchor.head) and _HASH.fullmatch(anchor.key) and re.fullmatch("[0-9a-f]*", anchor.root)):
        raise Malformed("an anchor field that must be a hash is not")
    check_origin(anchor.origin)
    return anchor


def read(path: Path) -> Anchor | None:
    """Read an anchor file, None where there is none; raises ``Malformed`` or ``Unreadable``."""
    try:
        return parse(read_small(path, MAX_FILE))
    except FileNotFoundError:
        return None


class Keeper:
    """Keeps one anchor file at the newest head, off the path on which a commit is acknowledged.

    Each file has a thread of its own: an anchor on a dead network mount must not hold up the others.
    """

    def __init__(
        self,
        path: Path,
        known: Anchor | None,
        on_conflict: Callable[[str], None],
        then: Callable[[], None] | None = None,
    ) -> None:
        """Watch ``path``, which holds ``known`` now; ``on_conflict`` is told when somebody else moves it.

        ``then`` is called after each write, in the same thread: for what is kept beside the anchor.
        """
        self.path = path
        self.because = ""
        """Why the file could not be written last time; empty when it could."""
        self._known = known
        self._attempted = known
        self._newest = known
        self._on_conflict = on_conflict
        self._then = then
        self._write = threading.Lock()
        self._dirty = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to follow; without this, only ``flush`` writes."""
        self._thread = threading.Thread(target=self._follow, name=f"anchor {self.path.name}", daemon=True)
        self._thread.start()

    def offer(self, head: Anchor) -> None:
        """Take note of a newer head; returns at once."""
        self._newest = head
        self._dirty.set()

    def flush(self) -> None:
        """Write the newest head now. Failures are kept in ``because``: a lost anchor must not stop the sealing."""
        with self._write:
            newest = self._newest
            if newest is None or newest == self._known:
                return
            try:
                self._swap(newest)
            except (OSError, AuditError) as exc:
                self.because = f"{self.path}: {exc}"
            else:
                self.because = ""
            if self._then is not None:
                self._then()

    def stop(self, *, flush: bool = True, patience_s: float = 2.0) -> None:
        """End the thread, after a last write if asked; a path that hangs is given up after ``patience_s``."""
        if self._thread is None:
            if flush:
                self.flush()
            return
        if not flush:
            self._newest = self._known
        self._stopping.set()
        self._dirty.set()
        self._thread.join(patience_s)

    def adopt(self) -> None:
        """Accept whatever the file holds now, so that the next write replaces it."""
        with contextlib.suppress(AuditError, OSError):
            self._known = read(self.path)

    def _swap(self, newest: Anchor) -> None:
        """Write, unless the file holds a head that we did not put there."""
        found = read(self.path)
        # A write that failed may have arrived all the same: its flush of the folder comes after the rename.
        if found is not None and found == self._attempted:
            self._known = found
        if found is not None and found != self._known:
            because = f"the anchor {self.path} was moved to height {found.height} by another writer"
            self._on_conflict(because)
            raise Malformed(because)
        self._attempted = newest
        write_atomically(self.path, newest.encode())
        self._known = newest

    def _follow(self) -> None:
        while not self._stopping.is_set():
            self._dirty.wait()
            self._dirty.clear()
            self.flush()
            self._stopping.wait(INTERVAL_S)
        self.flush()
