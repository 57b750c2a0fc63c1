"""What is said between a log and a witness: one request, and the answers that are not a cosignature."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from audit.errors import AuditError, Malformed
from audit.note import Note
from audit.treehead import parse_hash, parse_size

MAX_BODY: Final = 131_072
"""Octets in a request: 16 signatures of 5 kB, 63 hashes, and some room."""
MAX_PROOF: Final = 63
SIZE_TYPE: Final = "text/x.tlog.size"
LINES_TYPE: Final = "text/plain; charset=utf-8"


class OutOfReach(AuditError):
    """A witness that gave no answer worth the name within the time."""


class Refused(AuditError):
    """A witness's answer that is not a cosignature."""

    def __init__(self, status: int, message: str, *, hint: str = "") -> None:
        """Keep the HTTP status beside the words."""
        super().__init__(message, hint=hint)
        self.status = status


class Conflict(Refused):
    """HTTP 409: the witness remembers another state of this log than the request starts from."""

    def __init__(self, size: int, message: str, *, hint: str = "") -> None:
        """Keep the size of the newest tree head the witness has cosigned."""
        super().__init__(409, message, hint=hint)
        self.size = size


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The body of ``add-checkpoint``: a tree head, and why it follows from what the witness has."""

    old: int
    """The size the proof starts from: what the log believes the witness has cosigned last."""
    proof: tuple[bytes, ...]
    """RFC 6962 consistency proof from ``old`` to the note's size; empty from 0."""
    note: Note

    def octets(self) -> bytes:
        """Return the body as it is sent."""
        return submission(self.old, self.proof, self.note.octets())

    @classmethod
    def parse(cls, body: bytes) -> "Submission":
        """Read a body; raises ``Malformed``."""
        if len(body) > MAX_BODY:
            raise Malformed(f"a request of more than {MAX_BODY} bytes is refused")
        head, separator, note = body.partition(b"\n\n")
        try:
            first, *hashes = head.decode("ascii").split("\n")
        except UnicodeDecodeError as exc:
            raise Malformed("the proof is not ASCII") from exc
        if not separator or not first.startswith("old "):
            raise Malformed("a request starts with 'old SIZE', and has an empty line before the note")
        if len(hashes) > MAX_PROOF:
            raise Malformed(f"a proof has no more than {MAX_PROOF} hashes")
        old = parse_size(first.removeprefix("old "))
        return cls(old=old, proof=tuple(map(parse_hash, hashes)), note=Note.parse(note))


def submission(old: int, proof: tuple[bytes, ...], note: bytes) -> bytes:
    """Return a request's body around a note that is already written."""
    return b"".join([b"old %d\n" % old, *(b64encode(one) + b"\n" for one in proof), b"\n", note])


def log_id(origin: str) -> str:
    """Return the 64 hex digits under which a log's newest cosigned checkpoint is asked for."""
    return sha256(origin.encode()).hexdigest()
