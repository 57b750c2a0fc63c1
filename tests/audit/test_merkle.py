"""Roots are those of RFC 6962, and no change of a leaf leaves one alone."""

import json
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from audit import merkle


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
