"""Proofs that a leaf is in a log, as text that needs no log to check (c2sp.org/tlog-proof@v1)."""

import base64
from dataclasses import dataclass
from typing import Final

from audit.errors import Malformed, UnknownVersion
from audit.treehead import MAX_SIZE, parse_base64, parse_hash, parse_size

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
MAX_PATH: Final = 63
"""No tree is higher."""
MAX_EXTRA: Final = 16 * 1024 * 1024
"""Octets of ``extra`` before base64."""
MAX_CHECKPOINT: Final = 1_000_000
FAMILY: Final = "c2sp.org/tlog-proof@"
_MAX_HEAD: Final = 4 * (MAX_EXTRA // 3 + 1) + 50 * MAX_PATH + 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One leaf's way to a checkpoint; well written, and nothing of it believed yet."""

    index: int
    """The leaf's place in the log, from 0."""
    path: tuple[bytes, ...]
    """The inclusion proof, 32 octets each, the leaf's sibling first (RFC 6962 section 2.1.1)."""
    checkpoint: bytes
    """The signed note, verbatim."""
    extra: bytes | None = None
    """What the application added: nobody has signed it."""

    def __post_init__(self) -> None:
        """Refuse what has no text; raises ``Malformed``."""
        if not 0 <= self.index <= MAX_SIZE:
            raise Malformed(f"{str(self.index)[:25]} is not the place of a leaf")
        if len(self.path) > MAX_PATH or any(len(item) != 32 for item in self.path):
            raise Malformed(f"a path has at most {MAX_PATH} hashes of 32 octets each")
        if not self.checkpoint.endswith(b"\n") or len(self.checkpoint) > MAX_CHECKPOINT:
            raise Malformed(f"a checkpoint ends in a newline and has at most {MAX_CHECKPOINT} octets")
        if self.extra is not None and not 1 <= len(self.extra) <= MAX_EXTRA:
            raise Malformed(f"extra data has 1 to {MAX_EXTRA} octets, or is left out")

    def encode(self) -> bytes:
        """Return the document; ``parse`` gives the same proof back."""
        lines = [FIRST_LINE]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(item).decode() for item in self.path]
        return "\n".join([*lines, "", ""]).encode() + self.checkpoint

    @classmethod
    def parse(cls, octets: bytes) -> "Proof":
        """Read one document; raises ``Malformed`` for anything ``encode`` would have written otherwise.

        Of another version it is ``UnknownVersion``.
        """
        head, separator, checkpoint = octets[: _MAX_HEAD + MAX_CHECKPOINT + 1].partition(b"\n\n")
        if not head.startswith(FAMILY.encode()):
            raise Malformed(f"a proof begins with the line {FIRST_LINE}")
        if not separator or len(head) > _MAX_HEAD:
            raise Malformed("no empty line comes between the proof and its checkpoint")
        try:
            first, *lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as exc:
            raise Malformed("the lines before the checkpoint are not ASCII") from exc
        if first != FIRST_LINE:
            raise UnknownVersion(f"{first[:60]!r} is not the version known here", hint="use a newer verifier")
        extra = _value(lines.pop(0), "extra") if lines and lines[0].startswith("extra") else None
        index = _value(lines.pop(0), "index") if lines else ""
        return cls(
            index=parse_size(index),
            path=tuple(parse_hash(line) for line in lines[: MAX_PATH + 1]),
            checkpoint=checkpoint,
            extra=None if extra is None else parse_base64(extra),
        )


def _value(line: str, name: str) -> str:
    if not line.startswith(f"{name} "):
        raise Malformed(f"{line[:60]!r} stands where '{name}' is due")
    return line.removeprefix(f"{name} ")
