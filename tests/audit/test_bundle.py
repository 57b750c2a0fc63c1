"""The text file that proves single entries: written one way, read strictly."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import bundle
from audit.bundle import Item, Part
from audit.errors import Malformed, UnknownVersion

NOTE = b"log/1\n9\nAAAA\n\n\xe2\x80\x94 log/1 AAAAAAAA\n"
PART = Part(
    hdr=b"header",
    sig=b"s" * 384,
    rsig=b"",
    items=(Item(at=1, octets=b"entry", path=(b"a" * 32,)), Item(at=3, octets=b"", path=())),
    height=7,
    path=(b"p" * 32, b"q" * 32),
    checkpoint=NOTE,
)
hashes = st.lists(st.binary(min_size=32, max_size=32), max_size=5).map(tuple)
items = st.builds(Item, at=st.integers(0, 4095), octets=st.binary(max_size=50), path=hashes)
parts = st.builds(
    Part,
    hdr=st.binary(max_size=50),
    sig=st.binary(max_size=50),
    rsig=st.binary(max_size=50),
    items=st.lists(items, min_size=1, max_size=4).map(tuple),
    height=st.integers(0, 2**40),
    path=hashes,
    checkpoint=st.just(NOTE),
)


@given(st.lists(parts, min_size=1, max_size=4))
def test_what_is_written_is_read_back(several):
    octets = bundle.encode(several)
    assert bundle.parse(octets) == several
    assert bundle.encode(bundle.parse(octets)) == octets


def with_extra(change) -> bytes:
    """A bundle whose extra line was changed."""
    head, _, rest = bundle.encode([PART]).partition(b"\nextra ")
    extra, _, rest = rest.partition(b"\n")
    fields = change(json.loads(base64.b64decode(extra)))
    text = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return head + b"\nextra " + base64.b64encode(text) + b"\n" + rest


ODD = {
    "another version": lambda f: {**f, "v": 2},
    "a version that is true": lambda f: {**f, "v": True},
    "a member too many": lambda f: {**f, "x": 1},
    "a member too few": lambda f: {k: v for k, v in f.items() if k != "rsig"},
    "no entries": lambda f: {**f, "entries": []},
    "entries that are none": lambda f: {**f, "entries": {}},
    "an entry that is none": lambda f: {**f, "entries": [1]},
    "an entry at no place": lambda f: {**f, "entries": [{**f["entries"][0], "at": -1}]},
    "an entry at a true place": lambda f: {**f, "entries": [{**f["entries"][0], "at": True}]},
    "a path that is none": lambda f: {**f, "entries": [{**f["entries"][0], "path": "x"}]},
    "a path without end": lambda f: {**f, "entries": [{**f["entries"][0], "path": ["A" * 44] * 64}]},
    "text for base64": lambda f: {**f, "hdr": "ü"},
    "base64 with stray bits": lambda f: {**f, "hdr": "aGVhZGVyAB=="},
    "a number for base64": lambda f: {**f, "hdr": 7},
    "no object": lambda f: [f],
    "no JSON": lambda f: b"{",
    "no UTF-8": lambda f: b"\xff",
    "a name twice": lambda f: json.dumps(f).encode().replace(b'"v": 1', b'"v": 1, "v": 1'),
    "too deep": lambda f: b"[" * 100_000,
}


@pytest.mark.parametrize("what", ODD)
def test_a_bundle_in_any_other_form_is_malformed(what):
    with pytest.raises(Malformed):
        bundle.parse(with_extra(ODD[what]))


@pytest.mark.parametrize("octets", [b"", b"junk", b"c2sp.org/tlog-proof@v1\n", b"\n" + bundle.encode([PART])])
def test_what_is_no_bundle_is_malformed(octets):
    with pytest.raises(Malformed):
        bundle.parse(octets)


def test_a_proof_without_entries_is_no_bundle():
    octets = bundle.encode([PART])
    start, end = octets.index(b"extra "), octets.index(b"index ")
    with pytest.raises(Malformed, match="extra line"):
        bundle.parse(octets[:start] + octets[end:])


def test_half_a_bundle_is_malformed():
    octets = bundle.encode([PART, PART])
    for end in range(0, len(octets) - 1, 7):
        try:
            found = bundle.parse(octets[:end])
        except Malformed:
            continue
        assert PART not in found[1:], "a checkpoint cut at a line's end is for its own signatures to settle"


def test_a_later_version_is_not_known_rather_than_malformed():
    first = bundle.encode([PART])
    later = with_extra(lambda f: {**f, "v": 2})
    for octets in (first.replace(b"tlog-proof@v1", b"tlog-proof@v2", 1), later):
        with pytest.raises(UnknownVersion):
            bundle.parse(octets)
