"""Merkle trees as in RFC 6962 section 2.1: leaf = SHA-256(0x00 ‖ octets), node = SHA-256(0x01 ‖ left ‖ right).

Node ``(level, index)`` is the root over the leaves from ``index << level`` on, ``1 << level`` of them.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, Protocol

from audit.errors import Malformed

EMPTY_ROOT: Final = sha256(b"").digest()
HASH: Final = 32
"""Octets in a hash."""
MAX_SIZE: Final = 2**63
"""No tree has as many leaves: what does not fit a signed 64-bit integer is an attack."""


class Nodes(Protocol):
    """Whatever knows the hashes of a tree's complete subtrees."""

    def node(self, level: int, index: int) -> bytes:
        """Return the 32-byte hash of node ``(level, index)``, all of whose leaves are there."""
        ...


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


class Frontier:
    """The roots of a growing tree's complete subtrees, one for each bit of its size: enough to go on from.

    RFC 9162 calls for no more than this to append; transparency-dev calls it a compact range.
    """

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self.size = 0
        self._peaks: list[bytes] = []  # by level; b"" where the size has no such bit

    @classmethod
    def resume(cls, size: int, peaks: Sequence[bytes]) -> "Frontier":
        """Go on from what ``size`` and ``peaks`` were; raises ``Malformed`` where they do not fit each other."""
        if not 0 <= size < MAX_SIZE or len(peaks) != size.bit_count() or any(len(peak) != HASH for peak in peaks):
            raise Malformed(f"{len(peaks)} hashes are not the frontier of {size} leaves")
        frontier, left = cls(), list(peaks)
        frontier._peaks = [left.pop() if size >> level & 1 else b"" for level in range(size.bit_length())]
        frontier.size = size
        return frontier

    @property
    def peaks(self) -> list[bytes]:
        """The roots of the complete subtrees, the largest (leftmost) first."""
        return [peak for peak in reversed(self._peaks) if peak]

    def append(self, leaf: bytes) -> None:
        """Add one leaf by its hash."""
        peaks, level = self._peaks, 0
        while level < len(peaks) and peaks[level]:
            leaf = node_hash(peaks[level], leaf)
            peaks[level] = b""
            level += 1
        if level == len(peaks):
            peaks.append(leaf)
        else:
            peaks[level] = leaf
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaves by their hashes, a level at a time, which is faster than one by one."""
        digest, peaks = sha256, self._peaks
        nodes, level = list(leaves), 0
        self.size += len(nodes)
        while nodes:
            if level == len(peaks):
                peaks.append(b"")
            if peaks[level]:
                nodes.insert(0, peaks[level])
            peaks[level] = nodes.pop() if len(nodes) % 2 else b""
            pairs = iter(nodes)
            nodes = [digest(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            level += 1

    def root(self) -> bytes:
        """Return the root over all leaves so far; of none it is SHA-256 of nothing."""
        return _folded(self.peaks)


def inclusion_proof(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """Return the path from leaf ``index`` to the root of the first ``size`` leaves (RFC 6962 section 2.1.1).

    Raises ``Malformed`` where the tree has no such leaf.
    """
    if not 0 <= index < size < MAX_SIZE:
        raise Malformed(f"a tree of {size} leaves has no leaf {index}")
    return _path(nodes, 0, index, size)


def consistency_proof(nodes: Nodes, size1: int, size2: int) -> list[bytes]:
    """Return the proof that the first ``size1`` of ``size2`` leaves were kept (RFC 6962 section 2.1.2).

    Raises ``Malformed`` unless 0 < ``size1`` <= ``size2``: everything is consistent with nothing.
    """
    if not 0 < size1 <= size2 < MAX_SIZE:
        raise Malformed(f"nothing can be proved from a tree of {size1} leaves to one of {size2}")
    if size1 == size2:
        return []
    level = (size1 & -size1).bit_length() - 1  # of the last complete subtree in the smaller tree
    index = (size1 >> level) - 1
    # A smaller tree that is one complete subtree is known by its root; otherwise the proof begins with the last one.
    seed = [nodes.node(level, index)] if index else []
    return seed + _path(nodes, level, index, size2)


def _path(nodes: Nodes, level: int, index: int, size: int) -> list[bytes]:
    """Return the siblings of node ``(level, index)`` on its way up to the root of ``size`` leaves."""
    inner, last = 0, (size - 1) >> level
    proof = []
    while index != last:
        sibling = index ^ 1
        if sibling == last:  # the right edge, where the subtree may be incomplete
            proof.append(_folded(_peaks_from(nodes, last << (level + inner), size)))
        else:
            proof.append(nodes.node(level + inner, sibling))
        index, last, inner = index >> 1, last >> 1, inner + 1
    level += inner
    while index:
        if index & 1:
            proof.append(nodes.node(level, index - 1))
        index, level = index >> 1, level + 1
    return proof


def _peaks_from(nodes: Nodes, start: int, size: int) -> list[bytes]:
    """Return the complete subtrees over the leaves from ``start`` to ``size``, the largest first."""
    peaks = []
    while start < size:
        level = (size - start).bit_length() - 1
        peaks.append(nodes.node(level, start >> level))
        start += 1 << level
    return peaks


def _folded(peaks: Sequence[bytes]) -> bytes:
    """Return the root over complete subtrees, the largest first."""
    if not peaks:
        return EMPTY_ROOT
    root_so_far = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root_so_far = node_hash(peak, root_so_far)
    return root_so_far


def tree_root(nodes: Nodes, size: int) -> bytes:
    """Return the root of the first ``size`` leaves; raises ``Malformed`` for a size that cannot be."""
    if not 0 <= size < MAX_SIZE:
        raise Malformed(f"no tree has {size} leaves")
    return _folded(peaks(nodes, size))


def peaks(nodes: Nodes, size: int) -> list[bytes]:
    """Return the complete subtrees of the first ``size`` leaves, the largest first: what ``Frontier.resume`` takes."""
    return _peaks_from(nodes, 0, size)


def verify_inclusion(index: int, size: int, leaf: bytes, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that ``leaf`` (its hash) is number ``index`` of the ``size`` under ``root``, or raise ``Malformed``.

    RFC 9162 section 2.1.3.2. ``size`` and ``root`` must come from one signed text: the path from a leaf has the same
    shape in trees of several sizes, so that a proof alone does not tell them apart.
    """
    if not 0 <= index < size < MAX_SIZE:
        raise Malformed(f"a tree of {size} leaves has no leaf {index}")
    _check_hashes([leaf, *proof])
    inner = (index ^ (size - 1)).bit_length()
    expected = inner + (index >> inner).bit_count()
    if len(proof) != expected:
        raise Malformed(f"the proof of leaf {index} of {size} has {expected} hashes, not {len(proof)}")
    digest, found = sha256, leaf
    for level, sibling in enumerate(proof):
        # Beyond the level where the last leaf's way joins this one's, only left siblings are left.
        left = level >= inner or index >> level & 1
        found = digest(b"\x01" + sibling + found if left else b"\x01" + found + sibling).digest()
    if found != root:
        raise Malformed(f"the proof does not lead from leaf {index} to the root of {size} leaves")


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of ``size2`` leaves begins with that of ``size1``, or raise ``Malformed``.

    RFC 9162 section 2.1.4.2. From size 0 there is nothing to prove, and a proof of it is refused. Each size must come
    from one signed text with its root, as for ``verify_inclusion``.
    """
    if size1 == 0:
        raise Malformed("everything is consistent with an empty tree: such a proof says nothing")
    verify_subtree_consistency(0, size1, size2, root1, root2, proof)


def verify_subtree_inclusion(
    index: int, start: int, end: int, leaf: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that leaf ``index`` is in the subtree over ``start`` to ``end`` with that ``root``, or raise ``Malformed``.

    Subtrees are those of draft-ietf-plants-merkle-tree-certs section 4.1.
    """
    _check_subtree(start, end)
    if not start <= index < end:
        raise Malformed(f"leaf {index} is not among {start} to {end}")
    verify_inclusion(index - start, end - start, leaf, root, proof)


def verify_subtree_consistency(
    start: int, end: int, size: int, subtree: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of ``size`` leaves has ``subtree`` over ``start`` to ``end``, or raise ``Malformed``.

    draft-ietf-plants-merkle-tree-certs section 4.4; with ``start`` 0 it is RFC 9162 section 2.1.4.2. An empty subtree
    has the empty root and an empty proof, whatever the tree.
    """
    _check_subtree(start, end)
    if not end <= size < MAX_SIZE:
        raise Malformed(f"a tree of {size} leaves has none from {start} to {end}")
    _check_hashes(proof)
    if start == end:
        if subtree != EMPTY_ROOT or proof:
            raise Malformed("an empty subtree has the empty root and an empty proof")
        return
    _climb(start, end - 1, size - 1, subtree, root, proof)


def _climb(first: int, last: int, top: int, subtree: bytes, root: bytes, proof: Sequence[bytes]) -> None:
    """Walk up from the subtree's last complete node, building its root and the tree's from the same siblings."""
    # Where the subtree ends with the tree, all of its own right edge is the tree's; else the last complete node is
    # where the way of its last leaf stops being a right child.
    while first != last and (last & 1 or last == top):
        first, last, top = first >> 1, last >> 1, top >> 1
    rest = iter(proof)
    own = whole = subtree if first == last else next(rest, b"")
    for sibling in rest:
        if not top:
            raise Malformed("the proof is too long")
        if last & 1 or last == top:
            if first < last:
                own = node_hash(sibling, own)
            whole = node_hash(sibling, whole)
            while not last & 1:
                first, last, top = first >> 1, last >> 1, top >> 1
        else:
            whole = node_hash(whole, sibling)
        first, last, top = first >> 1, last >> 1, top >> 1
    if top:
        raise Malformed("the proof is too short")
    if own != subtree:
        raise Malformed("the proof does not lead to the root of the earlier tree")
    if whole != root:
        raise Malformed("the proof does not lead to the root of the later tree")


def _check_subtree(start: int, end: int) -> None:
    """Raise ``Malformed`` unless the leaves ``start`` to ``end`` can be a node of some tree, perhaps its last."""
    if not 0 <= start <= end < MAX_SIZE:
        raise Malformed(f"no subtree goes from {start} to {end}")
    if start & ((1 << max(0, end - start - 1).bit_length()) - 1):
        raise Malformed(f"no tree has a node over the leaves {start} to {end}")


def _check_hashes(hashes: Sequence[bytes]) -> None:
    for item in hashes:
        if len(item) != HASH:
            raise Malformed(f"a hash has {HASH} octets, not {len(item)}")
