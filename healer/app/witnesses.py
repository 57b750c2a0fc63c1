"""The part of witnessing that blocks: ask the policy's witnesses, keep what they signed, have it dated."""

import hashlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from audit.errors import AuditError
from audit.files import write_atomically
from audit.heads import Heads
from audit.note import Note, Verifier
from audit.policy import Log, Policy
from audit.treehead import TreeHead
from healer.app.notes import Notes
from healer.config import policy as policy_file
from healer.errors import ConfigError
from healer.record import AuditClock
from healer.runtime.witnessing import Answer, Contradicted

if TYPE_CHECKING:  # HTTP comes in only where somebody is asked
    from audit.witness.client import Contradiction
    from audit.x509 import Certificate

_log = logging.getLogger("healer.witnesses")

EVIDENCE: Final = "contradictions"
"""Folder in the state folder: notes signed by our own key that our log does not continue."""


class Asker:
    """Shows the log's newest head to its witnesses; one question at a time."""

    def __init__(self, policy: Policy, *, heads: Heads, notes: Notes, timeout: float, clock: AuditClock) -> None:
        """Raises ConfigError for a policy by which nothing can be witnessed."""
        from audit.witness.client import Witnesses

        self._heads, self._notes = heads, notes
        self._policy = _with_our_key(policy, heads.vkey)
        try:
            self._witnesses = Witnesses(self._policy, notes.folder, timeout_s=timeout, clock=clock)
        except AuditError as exc:
            raise ConfigError(f"audit.policy: {exc.message}", hint=exc.hint) from exc
        if complaint := policy_file.complaint(policy):
            raise ConfigError(f"audit.policy: {complaint}")
        self._turn = threading.Lock()
        self.beacon = ""
        """SHA-256 (hex) of the newest note kept."""
        self.trouble = ""
        """Why the last note could not be kept; empty when it could."""

    def hurry(self) -> None:
        """Have a question under way look at its patience again."""
        self._witnesses.hurry()

    def ask(self, patient: Callable[[], bool]) -> Answer:
        """Ask once; what goes wrong is in the answer."""
        with self._turn:
            try:
                return self._ask(patient)
            except (AuditError, OSError, sqlite3.Error) as exc:
                because = f"the witnesses could not be asked: {exc}"
            except Exception as exc:  # noqa: BLE001 - whatever goes wrong in asking others must not end the healing
                _log.error("witnesses.crashed", exc_info=True)
                because = f"asking the witnesses crashed: {exc!r}"
            return Answer(size=0, reached=False, because=because)

    def _ask(self, patient: Callable[[], bool]) -> Answer:
        shown = self._heads.checkpoint()
        size = TreeHead.parse(Note.parse(shown).text).size
        if size == 0:
            return Answer(size=0, reached=False, because="nothing is sealed yet")
        told = self._witnesses.cosign(shown, lambda old: self._heads.consistency(old, size), patient=patient)
        if told.satisfied:
            self._keep(size, told.note)
        asked = {witness.name: "" for witness in self._policy.witnesses if witness.url}
        asked |= {one.witness: one.because for one in told.problems}
        asked |= {one.witness: one.because for one in told.conflicts}
        missing = "; ".join(f"{name}: {because}" for name, because in asked.items() if because)
        return Answer(
            size=size,
            reached=told.satisfied,
            because="" if told.satisfied else f"the witnesses' quorum was not reached ({missing})",
            witnesses=asked,
            contradictions=tuple(self._contradicted(one, size) for one in told.conflicts),
        )

    def _keep(self, size: int, note: bytes) -> None:
        try:
            self._notes.keep(size, note)
        except OSError as exc:
            self.trouble = f"a cosigned checkpoint could not be kept: {exc}"
        else:
            self.trouble, self.beacon = "", hashlib.sha256(note).hexdigest()

    def _contradicted(self, one: "Contradiction", ours: int) -> Contradicted:
        digest = hashlib.sha256(one.evidence).hexdigest() if one.evidence else ""
        if one.evidence:
            # Not among the notes of this log, whose history it is not.
            folder = self._notes.folder.with_name(EVIDENCE)
            try:
                folder.mkdir(mode=0o755, exist_ok=True)
                write_atomically(folder / f"{one.size:012d}-{digest[:12]}.note", one.evidence)
            except OSError as exc:
                # It stops the agent all the same: a full disk must not be the way past a witness.
                _log.warning("evidence.not-kept", extra={"witness": one.witness, "because": str(exc)})
        return Contradicted(witness=one.witness, size=one.size, ours=ours, because=one.because, evidence=digest)


class Stamper:
    """Has the newest checkpoint dated by an authority."""

    def __init__(self, url: str, roots: Sequence["Certificate"], *, heads: Heads, notes: Notes) -> None:
        self._url, self._roots = url, roots
        self._heads, self._notes = heads, notes

    def stamp(self) -> int:
        """Have it dated now; returns how many blocks are. Raises AuditError and OSError."""
        from audit import authority, timestamp

        note = self._heads.checkpoint()
        size = TreeHead.parse(Note.parse(note).text).size
        if 0 < size - 1 <= self._notes.newest:
            size = self._notes.newest  # cosigned, and all but the last block: better than what nobody has seen
        note = self._notes.pin(size, note)
        token = authority.ask(self._url, timestamp.imprint_of(note), roots=self._roots)
        self._notes.stamp(size, token)
        return size


def _with_our_key(policy: Policy, vkey: str) -> Policy:
    """The policy with this log in it: the auditor's file may be written before the log's key is made."""
    known = policy_file.names(policy, vkey)
    return policy if known else replace(policy, logs=(*policy.logs, Log(verifier=Verifier.parse(vkey))))
