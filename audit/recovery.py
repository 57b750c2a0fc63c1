"""What a writer looks at before it goes on with a log: its tail, its anchors, the intents left open."""

import contextlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit import block, canonical, checkpoint, keyring, keys, orders, places, ratchet
from audit.checkpoint import Anchor
from audit.errors import AuditError, Damaged, KeyRefused, Malformed, Unreadable
from audit.intents import OpenIntent, open_intent
from audit.late import MAX_WAITING
from audit.reader import Blocks, Row
from audit.signature import PublicKey
from audit.succession import Succession

TAIL: Final = 32
"""So many blocks are verified at each start; the whole log is the verifier's work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The end of a log, verified."""

    header: block.Header
    hash: str
    waiting: Mapping[str, OpenIntent]
    unsigned: tuple[tuple[int, bytes], ...] = ()
    """(height, header) of blocks that wait for their RSA signature; the ratchet has vouched for them."""


def tail(log: Blocks, public: PublicKey, retired: Iterable[PublicKey] = ()) -> Tail | None:
    """Verify the last blocks with our own key, None for an empty log; raises ``Damaged``.

    ``retired`` are keys that were in force before: one of the last blocks may be the one that replaced such a key.
    """
    try:
        top = log.top()
        if top is None:
            return None
        header, digest, unsigned = _check_tail(log, top, public, retired)
        return Tail(header=header, hash=digest, waiting=_waiting(log, header), unsigned=tuple(unsigned))
    except (Malformed, Unreadable) as exc:
        raise Damaged(
            f"the log does not verify: {exc.message}", hint="run: healer audit verify; restore it from a backup"
        ) from exc


def _check_tail(
    log: Blocks, top: int, public: PublicKey, retired: Iterable[PublicKey]
) -> tuple[block.Header, str, list[tuple[int, bytes]]]:
    previous: block.Header | None = None
    digest = block.GENESIS
    start = max(0, min(top - TAIL, _last_signed(log, top)))
    unsigned: list[tuple[int, bytes]] = []
    keys_of = Succession(_in_force_at(log, start, public, retired))
    bare: list[int] = []
    for row in log.rows(start):
        header = check_row(row, keys_of)
        if not row.body:
            bare.append(row.height)
        if waits(row):
            if previous is None:
                raise Malformed(f"block {row.height} is not signed, and more than {MAX_WAITING} others are not")
            unsigned.append((row.height, row.hdr))
        elif unsigned:
            raise Malformed(f"block {unsigned[0][0]} is not signed by the sealing key, but one after it is")
        # The first one looked at has its predecessor outside the window.
        wrong = block.check_follows(header, previous, digest) if previous or start == 0 else []
        broken = ratchet.check(header, row.hdr, row.rsig, previous) if previous or start == 0 else ""
        if wrong or broken:
            raise Malformed(f"block {row.height}: {wrong[0] if wrong else broken}")
        previous, digest = header, block.hash_of(row.hdr)
    if previous is None or previous.height != top:
        raise Malformed(f"block {top} cannot be found")
    if keys_of.fingerprint != public.fingerprint:
        raise Malformed(f"the key in force is {keys_of.fingerprint[:16]}…, not the sealing key")
    if bare:
        _check_pruned(log, bare)
    return previous, digest, unsigned


def waits(row: Row) -> bool:
    """Tell whether a block's RSA signature has still to be made; only where the ratchet vouches for it may it wait."""
    return bool(row.rsig) and not any(row.sig)


def _last_signed(log: Blocks, top: int) -> int:
    """Return the height below the blocks at the end that still wait, of which there are never more than so many."""
    for height in range(top, max(0, top - MAX_WAITING), -1):
        row = log.row(height)
        if row is None or row.wrong_types() or not waits(row):
            return height
    return max(0, top - MAX_WAITING)


def _check_pruned(log: Blocks, bare: Sequence[int]) -> None:
    ordered = list(orders.of(log, bare[0]))
    for height in bare:
        if not any(order.first <= height <= order.last < order.height for order in ordered):
            raise Malformed(f"block {height} has lost its body, and nothing says that it was pruned")


def _in_force_at(log: Blocks, height: int, public: PublicKey, retired: Iterable[PublicKey]) -> PublicKey:
    """Return the key that a block names as its own; the sealing key where it names none that we know."""
    row = log.row(height)
    if row is None or row.wrong_types():
        return public
    named = block.parse_header(row.hdr).keys[0]
    return next((one for one in retired if one.fingerprint == named), public)


def check_row(row: Row, in_force: Succession) -> block.Header:
    """Check one block by itself: header, signature, and the body unless it is empty; raises ``Malformed``.

    Of a block that waits for its signature the caller must check the ratchet's.
    """
    wrong = row.wrong_types()
    if wrong:
        raise Malformed(f"block {row.height}: column {wrong} has the wrong type")
    header = block.parse_header(row.hdr)
    if (header.height, header.first, header.count) != (row.height, row.first, row.n):
        raise Malformed(f"block {row.height}: the columns beside the header contradict it")
    for problem in in_force.check(header, row.hdr, row.sig, row.body):
        if problem.code == "due" and waits(row):
            continue
        raise Malformed(f"block {row.height} is not signed by the sealing key: {problem.because}")
    if row.body or not row.height:  # block 0 is never pruned
        block.check_flat(header, row.body)
        block.check_entries(header, row.body)
    return header


def _waiting(log: Blocks, head: block.Header) -> dict[str, OpenIntent]:
    """Find the open intents by walking back until as many are found as the head's header counts."""
    found: dict[str, OpenIntent] = {}
    closed: set[str] = set()
    for height in range(head.height, -1, -1):
        if len(found) >= head.open:
            break
        for sealed in reversed(list(log.entries_of(height))):
            entry = canonical.decode(sealed.octets)
            if entry["kind"] == "outcome":
                closed.add(str(entry["of"]))
            elif entry["kind"] == "intent" and sealed.leaf not in closed:
                found[sealed.leaf] = open_intent(entry)
    if len(found) != head.open:
        raise Malformed(f"the head counts {head.open} open intents, the log holds {len(found)}")
    return dict(sorted(found.items(), key=lambda item: item[1].seq))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the log stands beside its anchors."""

    rollback: str
    """Why the log is older than, or another than, the one its anchors remember; empty when it is not."""
    caught_up: bool
    """Whether the log was ahead of its own anchor, as after a crash."""
    notes: tuple[str, ...]
    known: Mapping[Path, Anchor | None]


def compare(log: Blocks, end: Tail | None, paths: Sequence[Path], origin: str) -> Standing:
    """Compare the log with every anchor that can be read; raises ``Damaged`` for an anchor of another log."""
    known, notes, rollback = _read_all(paths)
    for path, anchor in known.items():
        if anchor is None:
            continue
        if anchor.origin != origin:
            raise Damaged(
                f"the anchor {path} belongs to another log, {anchor.origin}", hint="each log needs an anchor of its own"
            )
        rollback.extend(_older(log, end, path, anchor))
    own = known.get(paths[0])
    if own is None and end is not None and end.header.height > 0 and not paths[0].exists():
        notes.append(f"the anchor {paths[0]} is missing; it will be written again")
    caught_up = end is not None and (own is None or own.height < end.header.height)
    return Standing(rollback="; ".join(rollback), caught_up=caught_up, notes=tuple(notes), known=known)


def _read_all(paths: Iterable[Path]) -> tuple[dict[Path, Anchor | None], list[str], list[str]]:
    known: dict[Path, Anchor | None] = {}
    notes: list[str] = []
    lies: list[str] = []
    for path in paths:
        known[path] = None
        try:
            known[path] = checkpoint.read(path)
        except Malformed as exc:
            lies.append(f"the anchor {path} is damaged: {exc.message}")
        except AuditError as exc:  # out of reach: a note, because losing an anchor must not stop the host's care
            notes.append(exc.message)
    return known, notes, lies


def _older(log: Blocks, end: Tail | None, path: Path, anchor: Anchor) -> list[str]:
    if end is None or anchor.height > end.header.height:
        top = "is empty" if end is None else f"ends at block {end.header.height}"
        return [f"the anchor {path} remembers block {anchor.height}, the log {top}"]
    row = log.row(anchor.height)
    if row is None or block.hash_of(row.hdr) != anchor.head:
        return [f"block {anchor.height} is not the one the anchor {path} remembers"]
    return []


def may_begin(log: Path | None, key_folder: Path | None, anchors: Sequence[Path]) -> bool:
    """Tell whether a log may be begun here; raises ``Damaged`` where one is missing rather than not begun.

    ``log`` is its file; None where it is kept elsewhere, and whoever keeps it is told not to begin one.

    The file is made before the key, so a key without a file is never what a crash at the first start leaves.
    """
    keyed = key_folder is not None and (keys.exists(key_folder) or os.path.lexists(key_folder / places.SEAL_PUB))
    begun = keyed or _any(anchors)
    if begun and log is not None and not (os.path.lexists(log) and log.stat().st_size > 0):
        what = "its key" if keyed else "its anchor"
        raise Damaged(
            f"the log {log} is missing or empty, but {what} is there",
            hint=f"restore it from a backup; to begin anew on purpose, move {log.parent} and its anchors away",
        )
    return not begun


def key(
    folder: Path,
    log: Blocks,
    anchors: Sequence[Path],
    *,
    passphrase: bytes | None = None,
    credentials: Path | None = None,
) -> keys.SealingKey:
    """Load the sealing key, or make one where no log ever was; raises ``KeyRefused``."""
    passphrase = passphrase or keyring.lent_passphrase(credentials)
    _finish_rotation(folder, log, passphrase)
    found = keyring.load(folder, passphrase, credentials)
    if found is not None:
        return found
    if log.top() is not None or _any(anchors):
        raise KeyRefused(
            f"the key {folder / keys.PRIVATE} is missing, but the log is not empty",
            hint="restore it from your backup; a new one would make a new log of it",
        )
    return keys.make(folder, passphrase)


def _finish_rotation(folder: Path, log: Blocks, passphrase: bytes | None) -> None:
    top = log.top()
    row = None if top is None else log.row(top)
    if row is None:
        keyring.finish(folder, passphrase)
        return
    with contextlib.suppress(Malformed):  # a head that cannot be read decides nothing; that it cannot is told later
        if not row.wrong_types():
            header = block.parse_header(row.hdr)
            keyring.finish(folder, passphrase, (header.keys[-1], block.signed_octets(row.hdr), row.sig))


def name_log(wanted: str | None, node: str, public: PublicKey, end: Tail | None) -> str:
    """Return the log's name: the one it has, the one wanted, or node and key, so that no two logs share it."""
    if end is not None:
        if wanted not in (None, end.header.origin):
            raise Damaged(
                f"the log here is {end.header.origin}, not {wanted}",
                hint="a log keeps its name; each needs its own folder",
            )
        return end.header.origin
    if wanted is None:
        wanted = re.sub(r"[^A-Za-z0-9._-]", "-", node)[:150] + "/" + public.fingerprint[:16]
    block.check_origin(wanted)
    return wanted


def _any(paths: Iterable[Path]) -> bool:
    return any(os.path.lexists(path) for path in paths)
