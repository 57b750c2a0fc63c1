"""Which key is in force at which height: from the pinned one on, each new key is vouched for by the one before it."""

import base64
import binascii
import contextlib
from typing import Final, Literal, NamedTuple

from audit import block
from audit.block import Header
from audit.errors import KeyRefused, Malformed, UnknownVersion
from audit.signature import PublicKey

ROTATES: Final = b',"why":"rotate"}'
"""How the header of such a block ends: ``why`` is its last field."""
_DATA: Final = frozenset({"new", "fingerprint"})


class Problem(NamedTuple):
    """What is wrong with a block's signature; the fields are those of a finding."""

    weight: Literal["tampered", "unproven"]
    code: str
    """``rekeyed``, ``signature``, ``rotation``, ``due``, ``version`` or ``pruned``."""
    because: str


class Rotation(NamedTuple):
    """What the one entry of a ``rotate`` block says."""

    new: PublicKey
    trusted_to: int | None
    """The last height that the old key is still trusted at, where it is revoked."""


class Succession:
    """The key in force, moved on by each ``rotate`` block that both keys have signed."""

    def __init__(self, pinned: PublicKey) -> None:
        """Start with the key that is in force where the walk begins."""
        self.current: PublicKey | None = pinned
        """None after a rotation whose new key could not be learned: nothing can be checked from there on."""
        self.fingerprint = pinned.fingerprint
        self.history: list[tuple[int, str]] = [(0, pinned.fingerprint)]
        """(first height, fingerprint) of each key; the first height of the pinned one is not known here."""
        self.revoked: list[tuple[int, int]] = []
        """(first, last) heights that a stolen key may have signed."""

    def check(self, header: Header, octets: bytes, sig: bytes, body: bytes) -> list[Problem]:
        """Return what is wrong with the signature of the next block; ``octets`` is its ``hdr`` column.

        A good ``rotate`` block puts its new key in force.
        """
        if header.keys[0] != self.fingerprint:
            return [Problem("tampered", "rekeyed", f"it is signed by another key, {header.keys[0][:16]}…")]
        if len(header.keys) != (2 if header.why == "rotate" else 1):
            because = f"a block of the kind {header.why} cannot have {len(header.keys)} keys"
            return [Problem("tampered", "rekeyed", because)]
        if self.current is None:
            return [Problem("unproven", "pruned", "its key is not known: the rotate block before it was not readable")]
        if header.why == "rotate":
            return self._rotate(self.current, header, octets, sig, body)
        if sig == bytes(self.current.size):
            return [Problem("unproven", "due", "its signature has not been made yet")]
        if not self.current.verify(sig, block.signed_octets(octets)):
            return [Problem("tampered", "signature", "its signature does not fit the key in force")]
        return []

    def received(self, header: Header, octets: bytes, sig: bytes) -> bool:
        """Tell whether a ``rotate`` block hands the log over to the key in force, and that key signed it."""
        if self.current is None or header.why != "rotate" or header.keys[1:] != (self.fingerprint,):
            return False
        return self.current.verify(sig[-self.current.size :], block.signed_octets(octets))

    def names(self, octets: bytes) -> bool:
        """Tell whether a header says that the key in force signed its block."""
        with contextlib.suppress(Malformed):
            return block.parse_header(octets).keys[0] == self.fingerprint
        return False

    def skip(self, octets: bytes, sig: bytes, body: bytes) -> None:
        """Take in a ``rotate`` block below the range that is being proved; one that is not good changes nothing."""
        with contextlib.suppress(Malformed):
            self.check(block.parse_header(octets), octets, sig, body)
        self.revoked.clear()  # what it revokes lies below the range, too

    def _rotate(self, old: PublicKey, header: Header, octets: bytes, sig: bytes, body: bytes) -> list[Problem]:
        message = block.signed_octets(octets)
        if not old.verify(sig[: old.size], message):
            return [Problem("tampered", "signature", "the old key did not sign the rotate block")]
        if not body:
            self._advance(header, None)
            return [Problem("unproven", "pruned", "the new key was pruned with the rotate block's body")]
        try:
            found = parse(header, body)
        except UnknownVersion as exc:
            self._advance(header, None)
            return [Problem("unproven", "version", exc.message)]
        except (Malformed, KeyRefused) as exc:
            return [Problem("tampered", "rotation", f"its rotation is not valid: {exc.message}")]
        if any(found.new.fingerprint == fingerprint for _, fingerprint in self.history):
            return [Problem("tampered", "rotation", "its rotation is not valid: that key has been in force before")]
        if not found.new.verify(sig[old.size :], message):
            return [Problem("tampered", "signature", "the new key did not sign the rotate block")]
        self._advance(header, found)
        return []

    def _advance(self, header: Header, found: Rotation | None) -> None:
        self.current = found.new if found else None
        self.fingerprint = header.keys[1]
        self.history.append((header.height + 1, self.fingerprint))
        if found is not None and found.trusted_to is not None and found.trusted_to + 1 < header.height:
            self.revoked.append((found.trusted_to + 1, header.height - 1))


def parse(header: Header, body: bytes) -> Rotation:
    """Read the entry of a ``rotate`` block; raises ``Malformed``, ``UnknownVersion`` or ``KeyRefused``."""
    block.check_flat(header, body)
    entries = block.split_body(body)
    if len(entries) != 1 or header.count != 1:
        raise Malformed(f"a rotate block holds one entry, not {len(entries)}")
    from audit import entry  # only who reads entries needs to know what they look like

    fields = entry.parse(entries[0])
    data = fields.get("data")
    if fields["kind"] != "rotate" or not isinstance(data, dict):
        raise Malformed("its entry is not a rotation")
    if data.keys() - {"trusted_to"} != _DATA:
        raise Malformed(f"its data has {', '.join(sorted(map(str, data)))[:200] or 'nothing'}")
    new = PublicKey.from_der(_octets(data["new"]))
    if not new.fingerprint == data["fingerprint"] == header.keys[1]:
        raise Malformed("the new key is not the one whose fingerprint is given")
    trusted_to = data.get("trusted_to")
    if "trusted_to" in data and not (type(trusted_to) is int and 0 <= trusted_to < header.height):
        raise Malformed("trusted_to is not a height before it")
    return Rotation(new, trusted_to)


def describe(new: PublicKey, trusted_to: int | None) -> dict[str, object]:
    """Return the ``data`` of a rotate entry."""
    data: dict[str, object] = {"new": base64.b64encode(new.der).decode(), "fingerprint": new.fingerprint}
    return data if trusted_to is None else {**data, "trusted_to": trusted_to}


def _octets(text: object) -> bytes:
    try:
        octets = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise Malformed("the new key is not base64") from exc
    if base64.b64encode(octets).decode() != text:
        raise Malformed("the new key is not canonical base64")
    return octets
