"""Headers and bodies."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import block, canonical, merkle
from audit.errors import Malformed, UnknownVersion

HEADER = block.Header(
    origin="web-1/ab",
    height=0,
    first=0,
    count=1,
    root="a" * 64,
    body="b" * 64,
    body_len=10,
    prev=block.GENESIS,
    opened=1,
    sealed=2,
    mono=3,
    boot="b",
    open=0,
    keys=("c" * 64,),
)


def with_fields(**changes: object) -> bytes:
    fields = canonical.decode(HEADER.encode())
    fields.update(changes)
    return canonical.encode({name: value for name, value in fields.items() if value != "absent"})


def test_a_header_reads_back_as_it_was_written():
    assert block.parse_header(HEADER.encode()) == HEADER
    assert block.signed_octets(b"{}") == b"sealed-log/block/v1\n{}"


@pytest.mark.parametrize(
    "changes",
    [
        {"height": "0"},
        {"height": -1},
        {"height": True},
        {"count": 0},
        {"count": 4097},
        {"body_len": block.MAX_BODY + 1},
        {"origin": ""},
        {"origin": "a b"},
        {"origin": "a+b"},
        {"origin": "ä"},
        {"origin": "x" * 201},
        {"origin": 5},
        {"root": "A" * 64},
        {"body": "b" * 63},
        {"prev": ""},
        {"beacon": "xyz"},
        {"next": "g"},
        {"keys": []},
        {"keys": ["c" * 63]},
        {"keys": [5]},
        {"keys": ["c" * 64] * 9},
        {"keys": "c" * 64},
        {"why": "late"},
        {"more": 1},
        {"boot": "absent"},
    ],
)
def test_a_header_outside_the_format_is_malformed(changes):
    with pytest.raises(Malformed):
        block.parse_header(with_fields(**changes))


@pytest.mark.parametrize("version", [0, 2, "1", True, "absent"])
def test_another_version_is_told_apart(version):
    with pytest.raises(UnknownVersion):
        block.parse_header(with_fields(v=version))


def test_a_header_may_be_as_long_as_canonical_json_and_no_longer():
    """The page knows no other bound, and neither do the other verifiers."""
    assert len(block.parse_header(with_fields(boot="b" * 10_000)).boot) == 10_000
    with pytest.raises(Malformed, match="more than"):
        block.parse_header(with_fields(boot="b" * 60_000)[:-1] + b" " * 6000 + b"}")


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=20))
def test_bodies_come_apart_as_they_were_joined(entries):
    assert block.split_body(block.join_body(entries)) == entries


@given(st.binary(max_size=64))
def test_arbitrary_bodies_are_refused_or_join_again(body):
    try:
        entries = block.split_body(body)
    except Malformed:
        return
    assert block.join_body(entries) == body


@pytest.mark.parametrize("body", [b"\x00", b"\x00\x00\x00\x02a", b"\xff\xff\xff\xffa", b"\x00\x00\x00\x01ab"])
def test_lengths_that_do_not_add_up_are_refused(body):
    with pytest.raises(Malformed, match="do not add up"):
        block.split_body(body)


def test_a_body_is_compared_by_length_digest_number_and_root():
    entries = [b"one", b"two"]
    body = block.join_body(entries)
    root = merkle.root(merkle.leaf_hashes(entries)).hex()
    from hashlib import sha256

    header = replace(HEADER, count=2, body_len=len(body), body=sha256(body).hexdigest(), root=root)
    block.check_flat(header, body)
    assert block.check_entries(header, body) == merkle.leaf_hashes(entries)
    with pytest.raises(Malformed, match="octets"):
        block.check_flat(header, body + b"x")
    with pytest.raises(Malformed, match="not the one"):
        block.check_flat(header, body[:-1] + b"x")
    with pytest.raises(Malformed, match="holds 1 entries"):
        block.check_entries(header, block.join_body(entries[:1]))
    with pytest.raises(Malformed, match="holds 3 entries"):
        block.check_entries(header, body + bytes(4))
    with pytest.raises(Malformed, match="Merkle root"):
        block.check_entries(header, block.join_body(entries[::-1]))


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=9), st.integers(-2, 2), st.binary(max_size=9))
def test_leaf_hashes_come_from_exactly_the_entries_counted(entries, more, tail):
    body, count = block.join_body(entries) + tail, len(entries) + more
    leaves = merkle.leaf_hashes(entries)
    header = replace(HEADER, count=count, root=merkle.root(leaves).hex())
    if more == 0 and not tail:
        assert block.check_entries(header, body) == leaves
    else:
        with pytest.raises(Malformed):
            block.check_entries(header, body)


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00\x00\x00\x02a", b"\xff\xff\xff\xffa", bytes(3)])
def test_a_body_that_does_not_come_apart_has_no_leaf_hashes(body):
    with pytest.raises(Malformed, match=r"do not add up|holds 0 entries"):
        block.check_entries(replace(HEADER, count=1), body)


def test_each_way_of_not_following_is_named():
    first = HEADER
    digest = block.hash_of(first.encode())
    second = replace(first, height=1, first=1, prev=digest, mono=4)
    assert block.check_follows(first, None, block.GENESIS) == []
    assert block.check_follows(second, first, digest) == []
    for changes, word in (
        ({"height": 2}, "height 2"),
        ({"first": 2}, "entry 2"),
        ({"prev": "d" * 64}, "follow"),
        ({"origin": "other"}, "another log"),
        ({"mono": 2}, "monotonic"),
    ):
        (because,) = block.check_follows(replace(second, **changes), first, digest)
        assert word in because
    assert block.check_follows(replace(second, mono=0, boot="next"), first, digest) == []
