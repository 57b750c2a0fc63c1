"""Single entries proved without their log, and every lie about them seen."""

import shutil
import sqlite3
from dataclasses import replace
from hashlib import sha256

import pytest

from audit import block, bundle, merkle, proof
from audit.ask import Ask
from audit.ed25519 import Secret
from audit.errors import Malformed
from audit.note import Kind, Note, Signer
from audit.opening import is_bundle
from audit.reader import Log
from audit.treehead import TreeHead
from audit.writer import Writer


@pytest.fixture
def place(tmp_path, key, event):
    """A log of nine blocks of one to nine entries, its checkpoint, and what an auditor holds."""
    with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0) as writer:
        for number in range(9):
            writer.submit([event(number) for _ in range(number + 1)]).result()
    (tmp_path / "pinned.pub").write_bytes(key.public.pem)
    shutil.copy(tmp_path / "s/checkpoint", tmp_path / "kept.note")
    return tmp_path


def make(place, *seqs: int, tree: bool = True, checkpoint: bytes | None = None) -> bytes:
    with Log.open(place / "s") as log:
        note = checkpoint or (place / "s/checkpoint").read_bytes()
        return proof.make(log, seqs, note, place / "s/tree.db" if tree else None)


def check(place, octets: bytes, **more):
    (place / "bundle").write_bytes(octets)
    anchors = (place / "kept.note",)
    return proof.verify(Ask(**{"log": place / "bundle", "key": place / "pinned.pub", "anchors": anchors, **more}))


def test_entries_are_proved_and_handed_out(place):
    octets = make(place, 0, 7, 8, 44)
    assert is_bundle(place / "kept.note") is False
    seen = []
    (place / "b").write_bytes(octets)
    asked = Ask(log=place / "b", key=place / "pinned.pub", anchors=(place / "kept.note",), deep=True)
    report = proof.verify(asked, sink=lambda sealed: seen.append(sealed.seq))
    assert is_bundle(place / "b")
    assert (report.exit_code, report.level, report.entries, seen) == (0, "L1", 4, [0, 7, 8, 44]), report.text()
    assert "single entries" in report.limits()[0]
    assert (report.first, report.last) == (0, 8)


def test_with_and_without_the_kept_tree_the_proof_is_the_same(place):
    assert make(place, 20) == make(place, 20, tree=False)
    (place / "s/tree.db").write_bytes(b"junk")
    assert check(place, make(place, 20)).exit_code == 0


def test_a_proof_is_small(place):
    assert len(make(place, 3)) < 6000


def test_what_the_checkpoint_does_not_cover_is_refused_with_the_way_out(place, key, event):
    old = (place / "kept.note").read_bytes()
    with Writer.open(place / "s", node="n", signer=key, reserve_bytes=0) as writer:
        writer.append(event())
    with pytest.raises(Malformed, match="not block 9") as caught:
        make(place, 45, checkpoint=old)
    assert "--checkpoint" in caught.value.hint
    with pytest.raises(Malformed, match="no entry 99"):
        make(place, 99)


def test_a_checkpoint_of_another_log_is_refused(place, tmp_path, key, event):
    with Writer.open(tmp_path / "other", node="n", signer=key, reserve_bytes=0) as writer:
        for _ in range(9):
            writer.append(event())
    with pytest.raises(Malformed, match="not one of this log"):
        make(place, 1, checkpoint=(tmp_path / "other/checkpoint").read_bytes())


def test_nothing_pinned_or_nobody_outside_is_not_proven(place):
    octets = make(place, 5)
    assert check(place, octets, key=None).exit_code == 2
    assert check(place, octets, anchors=()).exit_code == 2
    assert check(place, octets, min_level="L2").exit_code == 2
    assert check(place, octets, expect_origin="other").exit_code == 1


def test_an_anchor_of_its_block_vouches_for_it(place):
    with Log.open(place / "s") as log:
        last = log.top()
    assert last == 8
    assert check(place, make(place, 44), anchors=(place / "s/anchor",)).exit_code == 0
    assert check(place, make(place, 0), anchors=(place / "s/anchor",)).exit_code == 2, "another block's"


def test_witnesses_vouch_for_it_without_an_anchor(place):
    unsigned = Note.parse((place / "s/checkpoint").read_bytes())
    witness = Signer("w", Secret.generate(), Kind.COSIGNATURE)
    cosigned = unsigned.plus([witness.sign(unsigned.text, 1_795_000_000)]).octets()
    vkey = (place / "s/keys/note.pub").read_text().strip()
    (place / "policy").write_text(f"log {vkey}\nwitness w {witness.verifier.vkey()}\nquorum w\n")
    octets = make(place, 5, checkpoint=cosigned)
    report = check(place, octets, anchors=(), policy=place / "policy", min_level="L3")
    assert (report.exit_code, report.level, report.witnessed_s) == (0, "L3", 1_795_000_000)
    assert check(place, octets, anchors=(), policy=place / "policy", max_age_s=60.0).exit_code == 2


LIES = {
    "another entry": lambda part: replace(part, items=(replace(part.items[0], octets=part.items[0].octets + b" "),)),
    "another place": lambda part: replace(part, items=(replace(part.items[0], at=part.items[0].at + 1),)),
    "a place beyond the block": lambda part: replace(part, items=(replace(part.items[0], at=999),)),
    "a shorter path": lambda part: replace(part, items=(replace(part.items[0], path=part.items[0].path[1:]),)),
    "another height": lambda part: replace(part, height=part.height - 1),
    "another header": lambda part: replace(part, hdr=part.hdr.replace(b'"open":0', b'"open":1')),
    "no header": lambda part: replace(part, hdr=b"{"),
    "another signature": lambda part: replace(part, sig=part.sig[::-1]),
    "no signature": lambda part: replace(part, sig=b""),
    "another way to the root": lambda part: replace(part, path=part.path[::-1]),
}


@pytest.mark.parametrize("lie", LIES)
def test_every_lie_is_seen(place, lie):
    (part,) = bundle.parse(make(place, 5))
    report = check(place, bundle.encode([LIES[lie](part)]))
    assert report.exit_code == 1, report.text()


def test_a_header_of_a_later_version_is_not_proven(place):
    (part,) = bundle.parse(make(place, 5))
    report = check(place, bundle.encode([replace(part, hdr=part.hdr.replace(b'"v":1', b'"v":2'))]))
    assert (report.exit_code, report.level) == (2, "none")


def test_a_signature_that_is_due_is_not_proven(place):
    (part,) = bundle.parse(make(place, 5))
    report = check(place, bundle.encode([replace(part, sig=bytes(384))]))
    assert (report.exit_code, report.level) == (2, "L0")


def test_another_log_s_checkpoint_proves_nothing(place):
    (part,) = bundle.parse(make(place, 5))
    text = Note.parse(part.checkpoint).text.replace("n/", "m/", 1)
    stranger = Signer("m", Secret.generate())
    foreign = Note(text=text, signatures=(stranger.sign(text),)).octets()
    assert check(place, bundle.encode([replace(part, checkpoint=foreign)])).exit_code == 1


@pytest.mark.parametrize(
    "octets", [b"", b"junk", b"c2sp.org/tlog-proof@v2\nindex 0\n\nx\n", b"c2sp.org/tlog-proof@v1\n"]
)
def test_nonsense_is_a_sentence(place, octets):
    report = check(place, octets)
    assert report.exit_code != 0
    assert report.findings[0].because


def test_what_is_not_there_or_no_file_is_no_bundle(place):
    assert not is_bundle(place / "none")
    assert not is_bundle(place)
    assert proof.verify(Ask(log=place / "none", key=place / "pinned.pub")).exit_code == 2


def test_the_body_of_a_rotation_is_put_together_from_a_whole_block(place):
    (part,) = bundle.parse(make(place, 0))
    header = block.parse_header(part.hdr)
    assert proof.bundle_body(header, part.items) == block.join_body([part.items[0].octets])
    assert proof.bundle_body(header, ()) == b""
    assert proof.bundle_body(header, (replace(part.items[0], octets=b"x"),)) == b""
    assert merkle.leaf_hash(part.items[0].octets).hex() == header.root


@pytest.mark.parametrize(
    ("content", "because"), [(None, "is missing"), (b"not a key", "is refused"), (b"x" * 70_000, "is refused")]
)
def test_a_key_that_cannot_be_used_proves_nothing_and_is_named(place, content, because):
    octets = make(place, 5)
    pinned = place / "other.pub"
    if content is not None:
        pinned.write_bytes(content)
    report = check(place, octets, key=pinned)
    (finding,) = [one for one in report.findings if one.code == "key"]
    assert (report.exit_code, report.level) == (2, "L0")
    assert str(pinned) in finding.because
    assert because in finding.because


def test_what_was_pruned_or_never_was_is_no_proof_but_a_sentence(place, key):
    with pytest.raises(Malformed, match="no entry 45"):
        make(place, 45)
    with sqlite3.connect(place / "s/audit.db") as raw:
        raw.execute("DROP TRIGGER blocks_no_update")
        raw.execute("UPDATE blocks SET body = x'' WHERE height = 2")
    raw.close()
    with pytest.raises(Malformed, match="block 2 were pruned") as told:
        make(place, 3)
    assert "archive" in told.value.hint


def test_with_deep_an_entry_must_be_the_one_it_says_it_is(place, key):
    """Who holds the key can seal an entry under another one's number: only reading it tells."""
    with Log.open(place / "s") as log:
        row = log.row(0)
    header = block.parse_header(row.hdr)
    (octets,) = block.split_body(row.body)
    lied = octets.replace(b'"seq":0', b'"seq":7')
    body = block.join_body([lied])
    hdr = replace(header, root=merkle.leaf_hash(lied).hex(), body=sha256(body).hexdigest(), body_len=len(body)).encode()
    head = TreeHead(origin=header.origin, size=1, root=merkle.leaf_hash(hdr))
    item = bundle.Item(at=0, octets=lied, path=())
    signer = Signer(header.origin, Secret.generate())
    note = Note(text=head.text(), signatures=(signer.sign(head.text()),)).octets()
    part = bundle.Part(
        hdr=hdr, sig=key.sign(block.signed_octets(hdr)), rsig=b"", items=(item,), height=0, path=(), checkpoint=note
    )
    (place / "forged.note").write_bytes(note)
    (place / "policy").write_text(f"log {signer.verifier.vkey()}\nquorum none\n")
    asked = {"anchors": (place / "forged.note",), "policy": place / "policy"}
    assert check(place, bundle.encode([part]), **asked).exit_code == 0
    report = check(place, bundle.encode([part]), deep=True, **asked)
    assert report.exit_code == 1
    assert "says that it is another" in report.text()
