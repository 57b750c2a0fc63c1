"""Roots and proofs are those of RFC 6962, and no change of a leaf, a place or a proof goes unnoticed."""

import base64
import json
from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import merkle
from audit.errors import Malformed


def root_by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + root_by_definition(leaves[:split]) + root_by_definition(leaves[split:])).digest()


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_roots_follow_the_definition(leaves):
    assert merkle.root(merkle.leaf_hashes(leaves)) == root_by_definition(leaves)


@settings(max_examples=5, deadline=None)
@given(st.integers(1000, 10_000))
def test_large_trees_follow_the_definition(count):
    leaves = [number.to_bytes(4, "big") for number in range(count)]
    assert merkle.root(merkle.leaf_hashes(leaves)) == root_by_definition(leaves)


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=20), st.data())
def test_a_changed_leaf_changes_the_root(leaves, data):
    changed = list(leaves)
    changed[data.draw(st.integers(0, len(leaves) - 1))] += b"!"
    assert merkle.root(merkle.leaf_hashes(changed)) != merkle.root(merkle.leaf_hashes(leaves))


def test_published_roots(vectors):
    published = json.loads((vectors / "rfc6962-reference" / "rfc6962_reference.json").read_text())
    leaves = [bytes.fromhex(leaf) for leaf in published["leaf_inputs_hex"]]
    for size, root in enumerate(published["root_hashes_hex_by_tree_size"]):
        assert merkle.root(merkle.leaf_hashes(leaves[:size])).hex() == root


def test_a_leaf_is_never_a_node():
    left, right = merkle.leaf_hash(b"l"), merkle.leaf_hash(b"r")
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)
    assert merkle.root([left, right]) == merkle.node_hash(left, right)


# ------------------------------------------------------------------------------------------------ proofs


class Tree:
    """Every complete subtree of a tree, kept."""

    def __init__(self, size: int) -> None:
        self.leaves = merkle.leaf_hashes(number.to_bytes(4, "big") for number in range(size))
        self.levels = [self.leaves]
        while len(self.levels[-1]) > 1:
            below = self.levels[-1]
            self.levels.append([merkle.node_hash(*below[at : at + 2]) for at in range(0, len(below) - 1, 2)])

    def node(self, level: int, index: int) -> bytes:
        return self.levels[level][index]

    def root(self, start: int, end: int) -> bytes:
        return merkle.root(self.leaves[start:end])


BIG = Tree(10_000)


def split(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def path_by_definition(tree: Tree, index: int, start: int, end: int) -> list[bytes]:
    """RFC 6962 section 2.1.1, word for word."""
    if end - start == 1:
        return []
    middle = start + split(end - start)
    if index < middle:
        return [*path_by_definition(tree, index, start, middle), tree.root(middle, end)]
    return [*path_by_definition(tree, index, middle, end), tree.root(start, middle)]


def subproof_by_definition(tree: Tree, wanted: tuple[int, int], start: int, end: int, *, known: bool) -> list[bytes]:
    """RFC 6962 section 2.1.2, and draft-ietf-plants-merkle-tree-certs section 4.4.1 where it does not start at 0."""
    if wanted == (start, end):
        return [] if known else [tree.root(start, end)]
    middle = start + split(end - start)
    if wanted[1] <= middle:
        return [*subproof_by_definition(tree, wanted, start, middle, known=known), tree.root(middle, end)]
    if wanted[0] >= middle:
        return [*subproof_by_definition(tree, wanted, middle, end, known=known), tree.root(start, middle)]
    rest = subproof_by_definition(tree, (middle, wanted[1]), middle, end, known=False)
    return [*rest, tree.root(start, middle)]


@given(st.integers(1, 130), st.data())
def test_inclusion_proofs_follow_the_definition(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(BIG, index, size)
    assert proof == path_by_definition(BIG, index, 0, size)
    merkle.verify_inclusion(index, size, BIG.leaves[index], BIG.root(0, size), proof)
    assert merkle.tree_root(BIG, size) == BIG.root(0, size)


@given(st.integers(1, 130), st.data())
def test_consistency_proofs_follow_the_definition(size2, data):
    size1 = data.draw(st.integers(1, size2))
    proof = merkle.consistency_proof(BIG, size1, size2)
    assert proof == subproof_by_definition(BIG, (0, size1), 0, size2, known=True)
    merkle.verify_consistency(size1, size2, BIG.root(0, size1), BIG.root(0, size2), proof)


def test_every_proof_of_every_small_tree_is_accepted_at_its_place_only():
    roots = [BIG.root(0, size) for size in range(34)]
    for size in range(1, 34):
        for index in range(size):
            proof = merkle.inclusion_proof(BIG, index, size)
            places = [
                other for other in range(size + 2) if included(other, size, BIG.leaves[index], roots[size], proof)
            ]
            assert places == [index]
        for earlier in range(1, size + 1):
            proof = merkle.consistency_proof(BIG, earlier, size)
            sizes = [other for other in range(size + 2) if consistent(other, size, roots[earlier], roots[size], proof)]
            assert sizes == [earlier]


def test_every_subtree_of_every_small_tree_is_consistent_with_it():
    for size in range(1, 34):
        for end in range(1, size + 1):
            for start in range(end):
                if start % (1 << (end - start - 1).bit_length()):
                    with pytest.raises(Malformed, match="no tree has a node"):
                        merkle.verify_subtree_consistency(start, end, size, b"", b"", [])
                    continue
                proof = subproof_by_definition(BIG, (start, end), 0, size, known=True)
                own, whole = BIG.root(start, end), BIG.root(0, size)
                merkle.verify_subtree_consistency(start, end, size, own, whole, proof)
                for bad in (proof[1:], proof[:-1], [*proof, whole], [own, *proof]):
                    if bad != proof:
                        with pytest.raises(Malformed):
                            merkle.verify_subtree_consistency(start, end, size, own, whole, bad)


def included(index: int, size: int, leaf: bytes, root: bytes, proof: list[bytes]) -> bool:
    try:
        merkle.verify_inclusion(index, size, leaf, root, proof)
    except Malformed:
        return False
    return True


def consistent(size1: int, size2: int, root1: bytes, root2: bytes, proof: list[bytes]) -> bool:
    try:
        merkle.verify_consistency(size1, size2, root1, root2, proof)
    except Malformed:
        return False
    return True


def flipped(octets: bytes, bit: int) -> bytes:
    return (int.from_bytes(octets, "big") ^ (1 << bit)).to_bytes(len(octets), "big")


@st.composite
def mangled(draw: st.DrawFn, proof: list[bytes]) -> list[bytes]:
    """The proof with one thing wrong: a bit, a length, an order, a hash too many or too few."""
    changed = list(proof)
    at = draw(st.integers(0, len(proof)))
    kind = draw(st.sampled_from(["flip", "drop", "insert", "swap", "cut", "grow"]))
    if kind == "insert" or not proof:
        changed.insert(at, draw(st.sampled_from([bytes(32), *proof])))
        return changed
    at %= len(proof)
    if kind == "flip":
        changed[at] = flipped(changed[at], draw(st.integers(0, 255)))
    elif kind == "drop":
        del changed[at]
    elif kind == "swap":
        changed.insert(draw(st.integers(0, len(proof) - 1)), changed.pop(at))
    else:
        changed[at] = changed[at][:-1] if kind == "cut" else changed[at] + b"\0"
    return changed


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10_000), st.data())
def test_honest_inclusion_is_accepted_and_any_change_refused(size, data):
    index = data.draw(st.integers(0, size - 1))
    leaf, root = BIG.leaves[index], merkle.tree_root(BIG, size)
    proof = merkle.inclusion_proof(BIG, index, size)
    assert included(index, size, leaf, root, proof)
    other = data.draw(mangled(proof))
    assert included(index, size, leaf, root, other) is (other == proof)
    bit = data.draw(st.integers(0, 255))
    assert not included(index, size, flipped(leaf, bit), root, proof)
    assert not included(index, size, leaf, flipped(root, bit), proof)
    elsewhere = data.draw(st.integers(-1, size + 1).filter(lambda at: at != index))
    assert not included(elsewhere, size, leaf, root, proof)
    assert not included(index, size, proof[0] if proof else b"", root, proof)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10_000), st.data())
def test_honest_consistency_is_accepted_and_any_change_refused(size2, data):
    size1 = data.draw(st.integers(1, size2))
    root1, root2 = merkle.tree_root(BIG, size1), merkle.tree_root(BIG, size2)
    proof = merkle.consistency_proof(BIG, size1, size2)
    assert consistent(size1, size2, root1, root2, proof)
    other = data.draw(mangled(proof))
    assert consistent(size1, size2, root1, root2, other) is (other == proof)
    bit = data.draw(st.integers(0, 255))
    assert not consistent(size1, size2, flipped(root1, bit), root2, proof)
    assert not consistent(size1, size2, root1, flipped(root2, bit), proof)
    assert consistent(size1, size2, root2, root1, proof) is (size1 == size2)
    earlier = data.draw(st.integers(-1, size2 + 1).filter(lambda size: size != size1))
    assert not consistent(earlier, size2, root1, root2, proof)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10_000), st.data())
def test_another_size_is_refused_but_where_the_path_has_the_same_shape(size, data):
    """Known of RFC 6962: it is the signature over both that ties a size to its root."""
    index = data.draw(st.integers(0, size - 1))
    near = st.integers(max(0, size - 40), size + 40)
    other = data.draw((near | st.integers(0, 20_000)).filter(lambda found: found != size))
    proof = merkle.inclusion_proof(BIG, index, size)
    accepted = included(index, other, BIG.leaves[index], merkle.tree_root(BIG, size), proof)
    assert accepted is (index < other and sides(index, other) == sides(index, size))


def sides(index: int, size: int) -> list[bool]:
    """On which side the siblings stand, by the definition's recursion."""
    if size == 1:
        return []
    if index < split(size):
        return [*sides(index, split(size)), True]
    return [*sides(index - split(size), size - split(size)), False]


def test_what_cannot_be_is_refused_before_anything_is_hashed():
    hashes = [bytes(32)]
    for index, size in ((0, 0), (-1, 5), (5, 5), (0, -1), (0, 2**63), (2**70, 2**71)):
        with pytest.raises(Malformed, match="has no leaf"):
            merkle.inclusion_proof(BIG, index, size)
        with pytest.raises(Malformed, match="has no leaf"):
            merkle.verify_inclusion(index, size, bytes(32), bytes(32), hashes)
    for size1, size2 in ((0, 5), (6, 5), (-1, 5), (1, 2**63)):
        with pytest.raises(Malformed, match="nothing can be proved"):
            merkle.consistency_proof(BIG, size1, size2)
        with pytest.raises(Malformed):
            merkle.verify_consistency(size1, size2, bytes(32), bytes(32), hashes)
    for size in (-1, 2**63):
        with pytest.raises(Malformed, match="no tree"):
            merkle.tree_root(BIG, size)
    with pytest.raises(Malformed, match="says nothing"):
        merkle.verify_consistency(0, 0, merkle.EMPTY_ROOT, merkle.EMPTY_ROOT, [])
    for octets in (0, 31, 33, 64):
        with pytest.raises(Malformed, match=f"32 octets, not {octets}"):
            merkle.verify_inclusion(0, 2, bytes(32), bytes(32), [bytes(octets)])
        with pytest.raises(Malformed, match=f"32 octets, not {octets}"):
            merkle.verify_consistency(1, 2, bytes(32), bytes(32), [bytes(octets)])
    with pytest.raises(Malformed, match="has 2 hashes, not 100000"):
        merkle.verify_inclusion(1, 3, bytes(32), bytes(32), hashes * 100_000)
    with pytest.raises(Malformed, match="too long"):
        merkle.verify_consistency(1, 2, bytes(32), bytes(32), hashes * 100_000)


def test_all_518_published_proofs(vectors):
    folder = vectors / "transparency-dev-merkle" / "testdata"
    seen: Counter[str] = Counter()
    for path in sorted(folder.rglob("*.json")):
        kind = path.relative_to(folder).parts[0]
        case = json.loads(path.read_text())
        assert published_is_accepted(kind, case) is not case["wantErr"], (kind, case)
        seen[kind] += 1
    assert seen == {"inclusion": 98, "consistency": 98, "subtreeinclusion": 204, "subtreeconsistency": 118}


def published_is_accepted(kind: str, case: dict) -> bool:
    def octets(name: str) -> bytes:
        return base64.b64decode(case[name] or "")

    proof = [base64.b64decode(item) for item in case["proof"] or []]
    try:
        if kind == "inclusion":
            merkle.verify_inclusion(case["leafIdx"], case["treeSize"], octets("leafHash"), octets("root"), proof)
        elif kind == "consistency":
            merkle.verify_consistency(case["size1"], case["size2"], octets("root1"), octets("root2"), proof)
        elif kind == "subtreeinclusion":
            place = case["leafIdx"], case["start"], case["end"]
            merkle.verify_subtree_inclusion(*place, octets("leafHash"), octets("root"), proof)
        else:
            place = case["start"], case["end"], case["size"]
            merkle.verify_subtree_consistency(*place, octets("root1"), octets("root2"), proof)
    except Malformed:
        return False
    return True


# ---------------------------------------------------------------------------------------------- frontier


@given(st.lists(st.integers(0, 40), max_size=12), st.booleans())
def test_a_frontier_has_the_root_of_all_that_was_added(steps, one_by_one):
    frontier, size = merkle.Frontier(), 0
    for step in steps:
        added = BIG.leaves[size : size + step]
        if one_by_one:
            for leaf in added:
                frontier.append(leaf)
        else:
            frontier.extend(iter(added))
        size += step
        assert frontier.size == size
        assert frontier.root() == BIG.root(0, size)
    again = merkle.Frontier.resume(size, frontier.peaks)
    again.append(BIG.leaves[size])
    assert again.root() == BIG.root(0, size + 1)
    assert frontier.size == size


def test_a_frontier_of_published_leaves_has_the_published_roots(vectors):
    published = json.loads((vectors / "rfc6962-reference" / "rfc6962_reference.json").read_text())
    frontier = merkle.Frontier()
    for leaf, root in zip(
        [*published["leaf_inputs_hex"], None], published["root_hashes_hex_by_tree_size"], strict=True
    ):
        assert frontier.root().hex() == root
        if leaf is not None:
            frontier.append(merkle.leaf_hash(bytes.fromhex(leaf)))


@pytest.mark.parametrize(
    ("size", "peaks"),
    [(1, []), (0, [bytes(32)]), (3, [bytes(32)]), (1, [bytes(31)]), (-1, []), (2**63, [bytes(32)])],
)
def test_a_frontier_that_does_not_fit_its_size_is_refused(size, peaks):
    with pytest.raises(Malformed, match="frontier"):
        merkle.Frontier.resume(size, peaks)
