"""Merkle trees as in RFC 6962 section 2.1: leaf = SHA-256(0x00 ‖ octets), node = SHA-256(0x01 ‖ left ‖ right)."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(octets: bytes) -> bytes:
    """Return the 32-byte hash of one leaf."""
    return sha256(b"\x00" + octets).digest()


def leaf_hashes(leaves: Iterable[bytes]) -> list[bytes]:
    """Return the hash of each leaf, in order."""
    digest = sha256  # a local name: this loop runs a million times
    return [digest(b"\x00" + leaf).digest() for leaf in leaves]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes; of no leaves it is SHA-256 of nothing."""
    if not hashes:
        return EMPTY_ROOT
    digest = sha256
    level = list(hashes)
    while len(level) > 1:
        # A last node without a partner moves up as it is; that gives the split of RFC 6962 at the power of two.
        odd = level.pop() if len(level) % 2 else None
        pairs = iter(level)
        level = [digest(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
        if odd is not None:
            level.append(odd)
    return level[0]
