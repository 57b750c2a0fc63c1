"""Going on with a log, or beginning one: lock, store and key are taken, and the end is compared with the anchors."""

import contextlib
import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit import block, keyring, places, recovery
from audit.errors import Damaged, DiskFull, Unreadable
from audit.files import write_atomically
from audit.heads import Heads
from audit.keys import Signer
from audit.postgres import POINTER, PostgresStore, dsn_of
from audit.reader import FILE_NAME
from audit.recovery import Standing, Tail
from audit.storage import Lock, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A log that this process may write to, and nobody else."""

    folder: Path
    origin: str
    lock: Lock
    store: Store | PostgresStore
    signer: Signer
    end: Tail | None
    """None where nothing is sealed yet."""
    standing: Standing
    heads: Heads | None
    """None where the tree is to be opened when it is asked for."""


@contextlib.contextmanager
def begin(  # noqa: PLR0913 - all but one by name, as in Writer.open
    folder: Path,
    *,
    node: str,
    origin: str | None,
    anchors: Sequence[Path],
    signer: Signer | None,
    passphrase: bytes | None,
    credentials: Path | None,
    postgres: Path | None,
    tree: bool,
) -> Iterator[Begun]:
    """Take everything a writer needs; let go of it again where the body of the ``with`` raises.

    The arguments are those of ``Writer.open``; ``tree`` opens the tree over the headers, too. Raises what that says.
    """
    with usable(folder), contextlib.ExitStack() as stack:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = Lock(folder / places.LOCK)
        stack.callback(lock.release)
        paths = (folder / places.ANCHOR, *anchors)
        key_folder = None if signer else folder / places.KEYS
        store = _store(folder, postgres, key_folder, paths)
        stack.callback(store.close)
        log = store.blocks
        signer = signer or recovery.key(
            folder / places.KEYS, log, paths, passphrase=passphrase, credentials=credentials
        )
        end = recovery.tail(log, signer.public, keyring.retired(folder / places.KEYS))
        if key_folder is not None:
            keyring.settle(key_folder, signer.public)
        if end is not None and end.unsigned:
            store.sign([(height, signer.sign(block.signed_octets(header))) for height, header in end.unsigned])
        origin = recovery.name_log(origin, node, signer.public, end)
        standing = recovery.compare(log, end, paths, origin)
        if end is None and standing.rollback:
            raise Damaged(f"the log was emptied: {standing.rollback}", hint="restore it from a backup")
        heads = Heads.open(folder, origin, log) if tree else None
        if heads is not None:
            stack.callback(heads.close)
        yield Begun(
            folder=folder,
            origin=origin,
            lock=lock,
            store=store,
            signer=signer,
            end=end,
            standing=standing,
            heads=heads,
        )
        stack.pop_all()


def _store(
    folder: Path, postgres: Path | None, key_folder: Path | None, anchors: Sequence[Path]
) -> Store | PostgresStore:
    path = folder / FILE_NAME
    if postgres is None:
        return Store(path, create=recovery.may_begin(path, key_folder, anchors))
    if path.exists():
        raise Damaged(f"{folder} holds a log of its own, {path.name}", hint="PostgreSQL needs another state folder")
    store = PostgresStore(dsn_of(postgres), create=recovery.may_begin(None, key_folder, anchors))
    write_atomically(folder / POINTER, f"{postgres.absolute()}\n".encode())
    return store


@contextlib.contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Say in words what the system says of a folder that is full, read-only, not ours or not there."""
    try:
        yield
    except OSError as exc:
        about = exc.filename or folder
        if exc.errno == errno.ENOSPC:
            raise DiskFull("no space is left for the log", hint=f"free space on the file system of {folder}") from exc
        raise Unreadable(
            f"the log in {folder} cannot be opened: {about}: {exc.strerror}",
            hint="is the file system mounted and writable, and the folder the agent's own?",
        ) from exc
