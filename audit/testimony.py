"""What a checkpoint is worth to this auditor: which of his keys signed it, which witnesses, which time stamp."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from audit.errors import AuditError, Unsigned
from audit.files import read_small
from audit.report import Report
from audit.signature import PublicKey

# A log verified with key and anchor alone needs none of these, and they take as long to import as all the rest.
if TYPE_CHECKING:
    from audit import note, x509
    from audit.note import Note, Verifier
    from audit.policy import Policy
    from audit.treehead import TreeHead

MAX_NOTE: Final = 65_536
MAX_TOKEN: Final = 65_536
_MAX_FILE: Final = 1024 * 1024
_MAX_KEY_FILE: Final = 65_536


def pinned_key(path: Path | None, report: Report) -> PublicKey | None:
    """Load the key that an auditor pinned; None, and a finding, where there is none that can be used."""
    if path is None:
        report.add("unproven", "key", "no public key was given (--key)")
        return None
    try:
        key = PublicKey.from_pem(read_small(path, _MAX_KEY_FILE))
    except FileNotFoundError:
        report.add("unproven", "key", f"the key {path} is missing")
    except AuditError as exc:
        report.add("unproven", "key", f"the key {path} is refused: {exc.message}")
    else:
        report.key = key.fingerprint
        return key
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """A checkpoint, and who stands behind it."""

    head: "TreeHead"
    log_signed: bool = False
    """Whether a key of the policy signed it for the log itself."""
    witnessed_s: int | None = None
    """Seconds since 1970 of the newest cosignatures that satisfy the quorum; None where none do."""
    dated_us: int | None = None
    """Wall time, µs, by which it existed for certain, by the authority's clock; None without a valid token."""


@dataclass(slots=True, kw_only=True)
class Given:
    """What the auditor trusts: a policy, time-stamp authorities, and the loose tokens he brought."""

    policy: "Policy | None" = None
    roots: "Sequence[x509.Certificate]" = ()
    tokens: list[bytes] = field(default_factory=list)
    checkpoints: tuple[Path, ...] = ()
    own: bool = False
    """Whether nobody gave a policy, so that the log's own key from its own folder serves, as its own anchor does."""

    @classmethod
    def read(
        cls,
        rules: Path | None,
        tsa: Path | None,
        tokens: Iterable[Path],
        checkpoints: tuple[Path, ...],
        report: Report,
    ) -> Self:
        """Read the files; what cannot be read is a finding, and counts for nothing."""
        given = cls(checkpoints=checkpoints)
        if rules is not None:
            given.policy = _parsed(_read(rules, "policy", report), rules, report)
        if tsa is not None:
            from audit import x509

            octets = _read(tsa, "tsa", report)
            try:
                given.roots = x509.from_pem(octets)
            except AuditError as exc:
                report.add("unproven", "tsa", f"the certificates {tsa} cannot be used: {exc.message}")
        given.tokens = [octets for path in tokens if (octets := _read(path, "token", report))]
        if given.tokens and tsa is None:
            report.add("note", "token", "the time-stamp tokens date nothing: no authority is trusted (--tsa)")
        return given

    def take_own(self, path: Path) -> None:
        """Let the key that the log itself says it has speak for it; it vouches for nothing, and may contradict."""
        from audit import policy
        from audit.note import Verifier

        try:
            key = Verifier.parse(read_small(path, MAX_NOTE).decode("utf-8", "replace").strip())
        except (AuditError, FileNotFoundError):
            return
        self.own = True
        self.policy = policy.Policy(logs=(policy.Log(verifier=key),), witnesses=(), groups=(), quorum=policy.NONE)

    def judge(self, octets: bytes, path: Path) -> Testimony:
        """Weigh a checkpoint read from ``path`` (its token may lie beside it); raises ``AuditError``."""
        from audit.note import Note
        from audit.treehead import TreeHead

        found = Note.parse(octets)
        head = TreeHead.parse(found.text)
        # Every key of the policy is looked for, also those of other logs: a bad signature is never passed over.
        signed = self._signed(found, [log.verifier for log in self.policy.logs] if self.policy else ())
        log_signed = any(key.name == head.origin for key, _ in signed)
        witnessed_s = self._witnessed(found)
        return Testimony(
            head=head,
            log_signed=log_signed,
            witnessed_s=witnessed_s if log_signed else None,
            dated_us=self._dated(found, path) if self.roots else None,
        )

    @staticmethod
    def _signed(found: "Note", keys: "Iterable[Verifier]") -> "tuple[tuple[Verifier, note.Signature], ...]":
        """Return whose signatures verify; raises ``Forged`` where a known key's does not."""
        from audit import note

        try:
            return note.open_note(found, keys).by
        except Unsigned:
            return ()

    def _witnessed(self, found: "Note") -> int | None:
        """Return the newest time such that the cosignatures not older than it satisfy the quorum."""
        from audit import note

        rules = self.policy
        if rules is None or rules.asks_for_nobody:
            return None
        signed = self._signed(found, {witness.verifier for witness in rules.witnesses})
        named: set[str] = set()
        for key, one in sorted(signed, key=lambda pair: note.time_of(pair[1].octets), reverse=True):
            named |= rules.names_of([key])
            if rules.satisfied(named):
                return note.time_of(one.octets)
        return None

    def _dated(self, found: "Note", path: Path) -> int | None:
        """Return when an authority saw this checkpoint's text; the earliest of several."""
        from audit import timestamp

        imprint = hashlib.sha256(found.text.encode()).digest()
        times = []
        for token in (*self.tokens, *_beside(path)):
            try:
                stamp = timestamp.check(token, imprint, self.roots)
                times.append(stamp.time_us + (stamp.accuracy_us or 0))
            except AuditError:
                continue  # a token of another checkpoint, or one nobody trusts: it dates nothing
        return min(times, default=None)


def _beside(path: Path) -> list[bytes]:
    try:
        return [read_small(path.with_suffix(".tsr"), MAX_TOKEN)]
    except (AuditError, FileNotFoundError):
        return []


def _read(path: Path, code: str, report: Report) -> bytes:
    try:
        return read_small(path, _MAX_FILE)
    except FileNotFoundError:
        report.add("unproven", code, f"{path} is missing")
    except AuditError as exc:
        report.add("unproven", code, exc.message)
    return b""


def _parsed(octets: bytes, path: Path, report: Report) -> "Policy | None":
    from audit import policy

    try:
        return policy.parse(octets)
    except AuditError as exc:
        report.add("unproven", "policy", f"the policy {path} cannot be used: {exc}")
        return None
