"""Proofs as text: read strictly, written one way."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import tlogproof
from audit.errors import Malformed, UnknownVersion
from audit.tlogproof import Proof

HASH = base64.b64encode(bytes(range(32))).decode()
BECAUSE = {
    "missing header": "begins with the line",
    "invalid extra": "not base64",
    "missing index": "not a tree size|'index' is due",
    "index NaN": "not a tree size",
    "index negative": "not a tree size",
    "hash not base64": "not base64",
    "hash length 64": "32 octets, not",
    "line over 64 KiB": "no empty line",  # it has no end at all
}


def document(*lines: str, checkpoint: str = "log\n0\nroot\n\n") -> bytes:
    return "\n".join([tlogproof.FIRST_LINE, *lines, "", checkpoint]).encode()


def test_published_proofs_are_read_and_written_back(vectors):
    published = json.loads((vectors / "tlog-proof" / "tlog_proof.json").read_text())
    for case in published["good"]:
        proof = Proof.parse(case["text"].encode())
        assert proof.encode().decode() == case["text"]
    assert [len(Proof.parse(case["text"].encode()).path) for case in published["good"]] == [2, 1, 0]
    assert Proof.parse(published["good"][1]["text"].encode()).extra == b"extra information"


def test_published_mistakes_are_refused_for_their_reason(vectors):
    published = json.loads((vectors / "tlog-proof" / "tlog_proof.json").read_text())
    assert {case["desc"] for case in published["bad"]} == set(BECAUSE)
    for case in published["bad"]:
        with pytest.raises(Malformed, match=BECAUSE[case["desc"]]):
            Proof.parse(case["text"].encode())


@given(
    st.builds(
        Proof,
        index=st.integers(0, 2**63 - 1),
        path=st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple),
        checkpoint=st.binary(max_size=200).map(lambda octets: octets + b"\n"),
        extra=st.none() | st.binary(min_size=1, max_size=200),
    )
)
def test_what_is_written_is_read_back(proof):
    assert Proof.parse(proof.encode()) == proof


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda octets: document() + octets))
def test_what_is_read_is_written_back_or_refused(octets):
    try:
        proof = Proof.parse(octets)
    except Malformed:
        return
    else:
        assert proof.encode() == octets


@pytest.mark.parametrize(
    ("octets", "because"),
    [
        (b"", "begins with"),
        (b"c2sp.org/tlog-proof@v1", "empty line"),
        (b"c2sp.org/tlog-proof@v1\nindex 0\n", "empty line"),
        (b"c2sp.org/tlog-proof@v1\n\nlog\n", "not a tree size"),
        (b"c2sp.org/tlog-proof@v1\r\nindex 0\n\nlog\n", "not the version"),
        (b" " + document("index 0"), "begins with"),
        (document("index 0", checkpoint=""), "ends in a newline"),
        (document("index 0", checkpoint="log"), "ends in a newline"),
        (document("index 00"), "not a tree size"),
        (document("index +1"), "not a tree size"),
        (document("index 1 "), "not a tree size"),
        (document("index  1"), "not a tree size"),
        (document("index 9223372036854775808"), "not a tree size"),
        (document("index \u0661"), "ASCII"),
        (document("index"), "'index' is due"),
        (document("Index 1"), "'index' is due"),
        (document("extra", "index 1"), "'extra' is due"),
        (document("extra ", "index 1"), "extra data has 1"),
        (document("extra AA", "index 1"), "base64"),
        (document("extra AB==", "index 1"), "stray bits"),
        (document("extra AA==", "extra AA==", "index 1"), "'index' is due"),
        (document("index 1", "extra AA=="), "not base64"),
        (document("index 1", HASH + " "), "base64"),
        (document("index 1", HASH[:-1]), "base64"),
        (document("index 1", *[HASH] * 64), "at most 63"),
        (document("index 1", *["A"] * 100_000), "base64"),
        (document("index 0", checkpoint="a" * 1_000_000 + "\n"), "at most 1000000"),
    ],
)
def test_other_spellings_are_refused(octets, because):
    with pytest.raises(Malformed, match=because):
        Proof.parse(octets)


def test_another_version_is_unknown_not_wrong():
    with pytest.raises(UnknownVersion, match="v2"):
        Proof.parse(document("index 0").replace(b"@v1", b"@v2"))


def test_extra_data_has_a_limit_and_something_beyond_it_costs_little():
    proof = Proof(index=0, path=(), checkpoint=b"log\n", extra=bytes(tlogproof.MAX_EXTRA))
    assert Proof.parse(proof.encode()) == proof
    with pytest.raises(Malformed, match="extra data"):
        Proof(index=0, path=(), checkpoint=b"log\n", extra=bytes(tlogproof.MAX_EXTRA + 1))
    with pytest.raises(Malformed):
        Proof.parse(document("extra " + "A" * 30_000_000, "index 0"))


@pytest.mark.parametrize("change", [{"index": -1}, {"index": 2**63}, {"path": (bytes(31),)}, {"path": (b"",) * 64}])
def test_a_proof_that_has_no_text_cannot_be_made(change):
    with pytest.raises(Malformed):
        Proof(**{"index": 0, "path": (), "checkpoint": b"log\n", **change})
