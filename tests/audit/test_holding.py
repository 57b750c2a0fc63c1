import json
import subprocess
import sys

import pytest

from audit import holding
from audit.cli import main
from audit.ed25519 import Secret
from audit.errors import AuditError, KeyRefused, Unreadable
from audit.note import Kind, Note, Signer
from audit.treehead import TreeHead

ORIGIN = "here/1"


class State:
    """A state folder as far as checkpoints go."""

    def __init__(self, folder):
        self.folder, self.log = folder, Signer(ORIGIN, Secret.generate())
        (folder / "keys").mkdir()
        (folder / "witnessed").mkdir()
        (folder / "keys" / "note.pub").write_text(f"{self.log.verifier.vkey()}\n")

    def note(self, size, *others, signer=None):
        text = TreeHead(origin=ORIGIN, size=size, root=bytes(32)).text()
        return Note(text=text, signatures=tuple(one.sign(text) for one in (signer or self.log, *others))).octets()

    def keep(self, size, *others, **more):
        (self.folder / "witnessed" / f"{size:012d}.note").write_bytes(self.note(size, *others, **more))

    def own(self, size):
        (self.folder / "checkpoint").write_bytes(self.note(size))


@pytest.fixture
def state(tmp_path):
    return State(tmp_path)


@pytest.fixture
def witness():
    return Signer("w.example/a", Secret.generate(), Kind.COSIGNATURE)


def test_the_newest_cosigned_checkpoint_comes_before_newer_ones_nobody_saw(state, witness):
    state.keep(3, witness)
    state.keep(7, witness)
    state.keep(8)  # stamped, not cosigned
    state.own(9)
    assert holding.newest(state.folder).head.size == 7
    assert holding.newest(state.folder).cosigners == ("w.example/a",)
    assert holding.newest(state.folder, cosigned=False).head.size == 9


def test_without_witnesses_it_is_the_logs_own(state):
    state.own(4)
    assert (holding.newest(state.folder).head.size, holding.newest(state.folder).cosigners) == (4, ())


def test_what_our_key_did_not_sign_and_what_is_no_note_is_passed_over(state, witness):
    state.keep(3, witness)
    state.keep(8, witness, signer=Signer(ORIGIN, Secret.generate()))
    (state.folder / "witnessed" / "000000000009.note").write_bytes(b"\xff\xfe half")
    (state.folder / "witnessed" / "000000000010.note").mkdir()
    (state.folder / "witnessed" / "000000000011.note").write_bytes(b"x" * 100_000)
    assert holding.newest(state.folder).head.size == 3


def test_a_folder_without_a_checkpoint_or_a_key_says_so(state, tmp_path):
    with pytest.raises(Unreadable, match="no checkpoint"):
        holding.newest(state.folder)
    (state.folder / "keys" / "note.pub").write_text("?")
    with pytest.raises((KeyRefused, AuditError)):
        holding.vkey(state.folder)
    (state.folder / "keys" / "note.pub").unlink()
    with pytest.raises(Unreadable, match="is missing"):
        holding.newest(state.folder)


def test_what_is_printed_is_the_checkpoint_to_the_octet_and_the_line_stands_beside_it(state, witness, capsys):
    state.keep(7, witness)
    assert main(["anchor", str(state.folder)]) == 0
    said = capsys.readouterr()
    assert said.out.encode() == state.note(7, witness)
    assert f"log {state.log.verifier.vkey()}" in said.err
    assert "up to block 6, cosigned by w.example/a" in said.err
    assert main(["anchor", str(state.folder), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["checkpoint"].encode() == state.note(7, witness)
    assert (facts["height"], facts["policy"]) == (6, f"log {state.log.verifier.vkey()}")
    assert main(["anchor", str(state.folder / "nowhere")]) == 2


def test_whoever_verifies_does_not_load_what_asks_witnesses():
    probe = "import sys, audit.cli; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    assert not {"audit.witness.client", "http.client", "ssl"} & set(said.stdout.split())


def test_what_is_no_state_folder_is_told_as_that(tmp_path):
    (tmp_path / "log.db").write_bytes(b"")
    for place in (tmp_path / "log.db", tmp_path / "nothing"):
        with pytest.raises(Unreadable, match="is no state folder"):
            holding.newest(place)


def test_a_key_that_was_torn_is_named(state):
    (state.folder / "keys" / "note.pub").write_text("")
    with pytest.raises(Unreadable, match=r"note\.pub is no key"):
        holding.newest(state.folder)
