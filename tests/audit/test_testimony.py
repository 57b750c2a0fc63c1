"""What a checkpoint is worth; the levels that follow from it are tested in test_outside."""

import os

import pytest

from audit.ed25519 import Secret
from audit.errors import AuditError, Forged, Malformed
from audit.note import Kind, Note, Signer
from audit.policy import parse
from audit.report import Report
from audit.testimony import MAX_NOTE, Given
from audit.treehead import TreeHead

TEXT = TreeHead(origin="log/1", size=7, root=bytes(32)).text()


@pytest.fixture
def parties():
    log = Signer("log/1", Secret.generate())
    first, second = (Signer(name, Secret.generate(), Kind.COSIGNATURE) for name in ("w1", "w2"))
    lines = (
        f"log {log.verifier.vkey()}\nwitness a {first.verifier.vkey()}\nwitness b {second.verifier.vkey()}\n"
        "group both 2 a b\nquorum both\n"
    )
    return log, first, second, Given(policy=parse(lines))


def test_everybody_is_named_for_what_he_signed(parties, tmp_path):
    log, first, second, given = parties
    octets = Note(text=TEXT, signatures=(log.sign(TEXT), first.sign(TEXT, 10), second.sign(TEXT, 20))).octets()
    said = given.judge(octets, tmp_path / "x.note")
    assert (said.head.size, said.log_signed, said.witnessed_s, said.dated_us) == (7, True, 10, None)


def test_witnesses_without_the_log_and_the_log_without_witnesses(parties, tmp_path):
    log, first, second, given = parties
    alone = Note(text=TEXT, signatures=(first.sign(TEXT, 10), second.sign(TEXT, 20))).octets()
    assert given.judge(alone, tmp_path / "x").witnessed_s is None
    bare = Note(text=TEXT, signatures=(log.sign(TEXT),)).octets()
    assert (given.judge(bare, tmp_path / "x").log_signed, given.judge(bare, tmp_path / "x").witnessed_s) == (True, None)


def test_the_key_of_another_log_in_the_policy_does_not_speak_for_this_one(parties, tmp_path):
    log, first, second, given = parties
    text = TreeHead(origin="log/2", size=7, root=bytes(32)).text()
    octets = Note(text=text, signatures=(log.sign(text), first.sign(text, 1), second.sign(text, 1))).octets()
    said = given.judge(octets, tmp_path / "x")
    assert (said.log_signed, said.witnessed_s) == (False, None)


def test_a_false_signature_under_a_known_name_is_told(parties, tmp_path):
    log, first, _, given = parties
    octets = Note(text=TEXT, signatures=(log.sign(TEXT + "x\n"), first.sign(TEXT, 10))).octets()
    with pytest.raises(Forged):
        given.judge(octets, tmp_path / "x")


@pytest.mark.parametrize(
    "octets", [b"", b"junk", b"a\nb\n\n", b"\xff" * 9, b"log/1\n-1\nx\n\n\xe2\x80\x94 a AAAAAAA=\n"]
)
def test_what_is_no_checkpoint_is_refused(parties, tmp_path, octets):
    with pytest.raises(AuditError):
        parties[3].judge(octets, tmp_path / "x")
    with pytest.raises(Malformed):
        parties[3].judge(octets, tmp_path / "x")


def test_files_are_read_with_care(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "huge").write_bytes(bytes(2 * 1024 * 1024))
    report = Report(log="l", flat=False, deep=False)
    given = Given.read(tmp_path / "fifo", tmp_path / "huge", [tmp_path / "none", tmp_path], (), report)
    assert (given.policy, given.roots, given.tokens) == (None, (), [])
    assert report.exit_code == 2
    assert len(report.findings) >= 4
    assert MAX_NOTE < 2 * 1024 * 1024


def test_a_token_without_an_authority_is_told_to_date_nothing(tmp_path):
    (tmp_path / "token").write_bytes(b"junk")
    report = Report(log="log", flat=False, deep=False)
    Given.read(None, None, [tmp_path / "token"], (), report)
    assert [(one.weight, "--tsa" in one.because) for one in report.findings] == [("note", True)]
