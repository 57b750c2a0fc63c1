"""Tiles: where they lie, what they hold, and that every proof can be made from them."""

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import merkle, tiles
from audit.errors import Malformed, Unreadable
from audit.tiles import Builder, Table, TileTree

LEAVES = merkle.leaf_hashes(number.to_bytes(4, "big") for number in range(70_000))


class Kept(dict[tuple[int, int], bytes]):
    """Tiles by level and number, and what was asked for."""

    def __init__(self, size: int = 0) -> None:
        self.asked: list[tuple[int, int]] = []
        builder = Builder(self.put)
        builder.extend(LEAVES[:size])
        builder.finish()

    def put(self, level: int, number: int, hashes: bytes) -> None:
        self[level, number] = hashes

    def tile(self, level: int, number: int) -> bytes | None:
        self.asked.append((level, number))
        return self.get((level, number))


def test_the_example_of_the_specification():
    kept = Kept(70_000)
    widths = {place: len(hashes) // 32 for place, hashes in kept.items()}
    expected = {(0, number): 256 for number in range(273)} | {(0, 273): 112, (1, 0): 256, (1, 1): 17, (2, 0): 1}
    assert widths == expected
    assert kept[2, 0] == merkle.root(LEAVES[:65_536])
    assert list(tiles.partial_tiles(70_000)) == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert list(tiles.partial_tiles(256)) == [(1, 0, 1)]
    assert set(Kept(256)) == {(0, 0), (1, 0)}
    assert Kept(0) == {}


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ((0, 0), "tile/0/000"),
        ((3, 999), "tile/3/999"),
        ((0, 1000), "tile/0/x001/000"),
        ((0, 1234067), "tile/0/x001/x234/067"),
        (("entries", 1234067, 7), "tile/entries/x001/x234/067.p/7"),
        ((63, 2, 255), "tile/63/002.p/255"),
    ],
)
def test_paths_are_those_of_the_specification(place, path):
    assert tiles.path_of(*place) == path


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_bundles_come_apart_as_they_were_joined(entries):
    assert tiles.split_bundle(tiles.join_bundle(entries)) == entries


@pytest.mark.parametrize(
    "octets", [b"", b"\0", b"\0\1", b"\0\2a", b"\0\1ab", b"\0\0" * 257, b"\xff\xff", b"\0\1a" * 256 + b"\0"]
)
def test_bundles_that_do_not_come_out_are_refused(octets):
    with pytest.raises(Malformed, match="whole entries"):
        tiles.split_bundle(octets)


def test_an_entry_too_long_for_a_bundle_is_refused():
    assert len(tiles.join_bundle([bytes(0xFFFF)])) == 0x10001
    with pytest.raises(Malformed, match="65536 octets"):
        tiles.join_bundle([bytes(0x10000)])


@pytest.mark.parametrize("size", [0, 1, 31, 33, 8193, 8224])
def test_tiles_of_no_whole_hashes_are_refused(size):
    with pytest.raises(Malformed, match="does not hold"):
        tiles.split_tile(bytes(size))


@settings(deadline=None)
@given(st.integers(1, 70_000), st.data())
def test_every_proof_can_be_made_from_tiles(size, data):
    tree = TileTree(BIG.tile, remembered=data.draw(st.sampled_from([1, 2, 1024])))
    frontier = merkle.Frontier()
    frontier.extend(LEAVES[:size])
    root = frontier.root()
    assert merkle.tree_root(tree, size) == root
    index = data.draw(st.integers(0, size - 1))
    merkle.verify_inclusion(index, size, LEAVES[index], root, merkle.inclusion_proof(tree, index, size))
    proof = merkle.consistency_proof(tree, index + 1, size)
    merkle.verify_consistency(index + 1, size, merkle.tree_root(tree, index + 1), root, proof)


BIG = Kept(70_000)


def test_a_partial_tile_that_has_grown_is_read_again():
    kept = Kept(300)
    tree = TileTree(kept.tile)
    assert merkle.tree_root(tree, 300) == merkle.root(LEAVES[:300])
    with pytest.raises(Malformed, match="do not hold node 300 of level 0"):
        tree.node(0, 300)
    kept.update(Kept(600))
    assert merkle.tree_root(tree, 600) == merkle.root(LEAVES[:600])


def test_tiles_asked_for_last_are_remembered_and_no_others():
    kept = Kept(1024)
    tree = TileTree(kept.tile, remembered=2)
    kept.asked.clear()
    for number in (0, 1, 0, 2, 0, 1):
        tree.node(3, number * 32)
    assert kept.asked == [(0, 0), (0, 1), (0, 2), (0, 1)]
    assert len(tree._known) == 2


def test_what_the_tiles_do_not_have_is_refused():
    tree = TileTree(Kept(300).tile)
    for level, index in ((0, 300), (3, 37), (8, 1), (16, 0), (9, 0), (0, 10**9), (80, 0)):
        with pytest.raises(Malformed, match="do not hold node"):
            tree.node(level, index)
    with pytest.raises(Malformed, match="does not hold"):
        TileTree(lambda *_: bytes(31)).node(0, 0)


def test_a_false_tile_makes_a_proof_that_does_not_verify():
    kept = Kept(300)
    kept[0, 0] = kept[0, 0][:-1] + b"!"
    proof = merkle.inclusion_proof(TileTree(kept.tile), 5, 300)
    with pytest.raises(Malformed):
        merkle.verify_inclusion(5, 300, LEAVES[5], merkle.root(LEAVES[:300]), proof)


@given(st.lists(st.integers(0, 600), max_size=8))
@settings(deadline=None, max_examples=50)
def test_a_builder_goes_on_where_another_ended(steps):
    kept, size = Kept(), 0
    for step in steps:
        builder = Builder.resume(kept.put, size, kept.tile)
        builder.extend(LEAVES[size : size + step])
        builder.finish()
        size += step
        assert builder.size == size
    assert kept == Kept(size)


@pytest.mark.parametrize("missing", [(0, 1), (1, 0)])
def test_a_builder_does_not_go_on_from_less_than_it_needs(missing):
    kept = Kept(300)
    hashes = kept.pop(missing)
    with pytest.raises(Malformed, match="there is no tile"):
        Builder.resume(kept.put, 300, kept.tile)
    kept[missing] = hashes[:-32] or b"x"
    with pytest.raises(Malformed, match=r"are due|does not hold"):
        Builder.resume(kept.put, 300, kept.tile)


@pytest.mark.parametrize("isolation", [None, "", "IMMEDIATE"])
def test_a_table_holds_the_same_tiles_and_grows_whole_or_not_at_all(isolation):
    connection = sqlite3.connect(":memory:", isolation_level=isolation)
    table = Table(connection)
    assert table.size() == 0
    assert table.tile(0, 0) is None
    for start, end in ((0, 1), (1, 255), (255, 256), (256, 256), (256, 700)):
        table.extend(LEAVES[start:end])
        assert table.size() == end
    assert not connection.in_transaction
    expected = Kept(700)
    found = {row[:2]: row[2] for row in connection.execute("SELECT level, n, hashes FROM tiles")}
    assert found == expected

    def broken():
        yield from LEAVES[700:1500]
        raise OSError("the log could not be read")

    with pytest.raises(OSError, match="could not be read"):
        table.extend(broken())
    assert table.size() == 700
    assert Table(connection).tile(1, 0) == expected[1, 0]
    connection.close()


def test_a_damaged_table_is_told_with_the_way_out(tmp_path):
    connection = sqlite3.connect(tmp_path / "derived.db", isolation_level=None)
    table = Table(connection)
    table.extend(LEAVES[:300])
    connection.execute("UPDATE tiles SET hashes = x'00' WHERE level = 1")
    with pytest.raises(Malformed, match="does not hold"):
        table.extend(LEAVES[300:301])
    assert table.size() == 300
    connection.execute("DROP TABLE tiles")
    with pytest.raises(Unreadable, match="drop it: it can be made anew"):
        table.tile(0, 0)
    connection.close()
