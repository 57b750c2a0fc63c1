"""What of a log is given to others to hold: its newest checkpoint, and the line by which a policy names it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audit import note, places
from audit.errors import AuditError, Unreadable
from audit.files import read_small
from audit.note import Note, Verifier
from audit.treehead import TreeHead

_MAX: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A checkpoint of a state folder whose own signature verifies."""

    path: Path
    octets: bytes
    head: TreeHead
    cosigners: tuple[str, ...]
    """Names of the keys, besides the log's, that say they signed: whether they did, a policy decides."""


def vkey(state: Path) -> str:
    """Return the log's verifier key, the word after ``log`` in a policy; raises ``AuditError``."""
    path = state / places.KEYS / places.NOTE_PUB
    if not state.is_dir():
        raise Unreadable(f"{state} is no state folder", hint="give the folder that the log lies in")
    try:
        text = read_small(path, _MAX).decode("ascii", "replace").strip()
    except FileNotFoundError as exc:
        raise Unreadable(f"{path} is missing", hint="an agent of this version makes it at its start") from exc
    try:
        return Verifier.parse(text).vkey()
    except AuditError as exc:
        raise Unreadable(f"{path} is no key: {exc.message}") from exc


def newest(state: Path, *, cosigned: bool = True) -> Held:
    """Return the newest checkpoint in a state folder: the newest that others cosigned, where there is one.

    One that is not signed by this log's own key is passed over. Raises ``AuditError`` where there is none at all.
    """
    ours = Verifier.parse(vkey(state))
    kept = sorted((state / places.WITNESSED).glob("*.note"), reverse=True) if cosigned else []
    for path in (*kept, state / places.CHECKPOINT):
        held = _read(path, ours)
        if held is not None and (held.cosigners or path.name == places.CHECKPOINT):
            return held
    raise Unreadable(f"there is no checkpoint of this log in {state}", hint="has its agent ever run?")


def _read(path: Path, ours: Verifier) -> Held | None:
    try:
        octets = read_small(path, _MAX)
        parsed = Note.parse(octets)
        note.open_note(parsed, [ours])
        head = TreeHead.parse(parsed.text)
    except (AuditError, OSError):
        return None
    others = tuple(one.name for one in parsed.signatures if one.name != ours.name)
    return Held(path=path, octets=octets, head=head, cosigners=others)
