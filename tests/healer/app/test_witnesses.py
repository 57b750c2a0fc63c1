import hashlib
import shutil

import pytest

from audit import authority, x509
from audit.clock import SystemClock as WitnessClock
from audit.ed25519 import Secret
from audit.errors import AuditError
from audit.note import Kind, Note, Signer, Verifier
from audit.policy import parse
from audit.witness.judge import Witness
from audit.witness.state import State
from audit.writer import Writer
from healer.app.notes import Notes
from healer.app.witnesses import EVIDENCE, Asker, Stamper
from healer.clock import SystemClock
from healer.errors import ConfigError
from healer.record import AuditClock
from tests.audit.witness.conftest import Limits, _serving

NOBODY = "http://127.0.0.1:1"


class Party:
    """A log, one real witness of it, and the asker between them."""

    def __init__(self, folder, begun):
        self.folder = folder
        self.writer = Writer.open(begun, node="here")
        self.heads = self.writer.heads
        self.cosigner = Signer("w.example/a", Secret.generate(), Kind.COSIGNATURE)
        self.state = State.open(folder / "w")
        self.notes = Notes(begun, clock=SystemClock(), size=self.heads.size)

    def serve(self):
        ours = Verifier.parse(self.heads.vkey)
        witness = Witness(logs=[ours], cosigners=[self.cosigner], state=self.state, clock=WitnessClock())
        return _serving(witness, "127.0.0.1:0", Limits())

    def policy(self, url, more="", quorum="a"):
        return parse(f"{more}witness a {self.cosigner.verifier.vkey()} {url}\nquorum {quorum}\n")

    def asker(self, url=NOBODY, policy=None):
        clock = AuditClock(SystemClock())
        policy = policy or self.policy(url)
        return Asker(policy, heads=self.heads, notes=self.notes, timeout=3.0, clock=clock)

    def grow(self, blocks=1):
        for _ in range(blocks):
            self.writer.append({"kind": "heartbeat"})

    def close(self):
        self.writer.close()
        self.state.close()


@pytest.fixture
def party(tmp_path, begun):
    shutil.copytree(begun, tmp_path / "s")
    party = Party(tmp_path, tmp_path / "s")
    yield party
    party.close()


def patient():
    return True


def test_a_log_of_nothing_is_shown_to_nobody(party):
    answer = party.asker().ask(patient)
    assert (answer.size, answer.reached) == (0, False)
    assert "nothing is sealed" in answer.because


def test_what_the_quorum_has_cosigned_is_kept_and_becomes_the_beacon(party):
    party.grow(3)
    with party.serve() as url:
        asker = party.asker(url)
        answer = asker.ask(patient)
    assert (answer.size, answer.reached, answer.because, answer.witnesses) == (3, True, "", {"a": ""})
    kept = party.notes.read(3)
    assert asker.beacon == hashlib.sha256(kept).hexdigest()
    assert {one.name for one in Note.parse(kept).signatures} == {party.writer.origin, "w.example/a"}


def test_who_cannot_be_reached_is_named_and_nothing_is_kept(party):
    party.grow()
    answer = party.asker().ask(patient)
    assert not answer.reached
    assert "a: no answer" in answer.because
    assert answer.witnesses["a"]
    assert party.notes.newest == 0


def test_a_witness_that_has_more_than_we_is_a_contradiction_with_evidence(party):
    party.grow(3)
    older = party.heads.checkpoint()
    party.grow(2)
    with party.serve() as url:
        assert party.asker(url).ask(patient).reached
        party.heads.checkpoint = lambda: older  # as if the state folder had been put back
        answer = party.asker(url).ask(patient)
    (one,) = answer.contradictions
    assert (one.witness, one.size, one.ours) == ("a", 5, 3)
    assert one.because in answer.witnesses["a"]
    (evidence,) = (party.notes.folder.parent / EVIDENCE).iterdir()
    assert hashlib.sha256(evidence.read_bytes()).hexdigest() == one.evidence


def test_a_log_put_back_that_has_gone_on_is_a_fork_and_proved_by_its_own_key(party, tmp_path):
    party.grow(3)
    shutil.copytree(tmp_path / "s", tmp_path / "twin")
    party.grow(2)
    with party.serve() as url:
        assert party.asker(url).ask(patient).reached
        twin = Writer.open(tmp_path / "twin", node="here")
        for _ in range(7):
            twin.append({"kind": "heartbeat"})
        notes = Notes(tmp_path / "twin", clock=SystemClock(), size=twin.heads.size)
        clock = AuditClock(SystemClock())
        answer = Asker(party.policy(url), heads=twin.heads, notes=notes, timeout=3.0, clock=clock).ask(patient)
        twin.close()
    (one,) = answer.contradictions
    assert (one.size, one.ours > 5, len(one.evidence)) == (5, True, 64)
    assert "does not begin with" in one.because
    assert not answer.reached


def test_evidence_that_cannot_be_kept_does_not_hide_the_contradiction(party, tmp_path):
    """A full disk beside a rolled-back log must not be what lets the agent go on."""
    party.grow(6)
    with party.serve() as url:
        party.asker(url).ask(patient)
        older = party.heads.checkpoint()
        party.grow()
        party.asker(url).ask(patient)
        party.heads.checkpoint = lambda: older
        (tmp_path / "s" / EVIDENCE).write_text("not a folder")
        answer = party.asker(url).ask(patient)
    (one,) = answer.contradictions
    assert one.size > one.ours
    assert one.evidence


@pytest.mark.parametrize(
    "error", [AuditError("it is damaged"), OSError("it is damaged"), RuntimeError("it is damaged")]
)
def test_what_goes_wrong_on_our_side_is_an_answer_too_and_ends_nothing(party, error):
    party.grow()

    def broken():
        raise error

    party.heads.checkpoint = broken
    answer = party.asker().ask(patient)
    assert not answer.reached
    assert "it is damaged" in answer.because


def test_a_note_that_cannot_be_kept_is_told_and_was_cosigned_all_the_same(party):
    party.grow()
    party.notes.path(1).mkdir()
    with party.serve() as url:
        asker = party.asker(url)
        assert asker.ask(patient).reached
    assert "could not be kept" in asker.trouble
    assert asker.beacon == ""


def test_the_policy_may_name_our_log_but_no_other_key_for_it(party):
    vkey = party.heads.vkey
    assert party.asker(policy=party.policy(NOBODY, f"log {vkey}\n"))
    other = Signer(party.writer.origin, Secret.generate()).verifier.vkey()
    with pytest.raises(ConfigError, match="another key for here/"):
        party.asker(policy=party.policy(NOBODY, f"log {other}\n"))


def test_a_policy_by_which_nobody_is_asked_is_refused(party):
    for policy, says in ((party.policy("", quorum="a"), "has a URL"), (party.policy(NOBODY, quorum="none"), "nobody")):
        with pytest.raises(ConfigError, match=says):
            party.asker(policy=policy)
    with pytest.raises(ConfigError, match=r"audit\.policy"):
        party.asker("ftp://h")


def test_what_is_newest_is_dated_and_what_was_cosigned_before_what_nobody_saw(party, monkeypatch):
    asked = []
    monkeypatch.setattr(authority, "ask", lambda url, imprint, *, roots: asked.append((url, imprint)) or b"token")
    stamper = Stamper("http://tsa/", list[x509.Certificate](), heads=party.heads, notes=party.notes)
    party.grow(3)
    assert stamper.stamp() == 3  # nobody cosigned it
    assert b"here/" in party.notes.read(3)
    assert party.notes.path(3).with_suffix(".tsr").read_bytes() == b"token"
    with party.serve() as url:
        party.asker(url).ask(patient)
        party.grow()
        assert stamper.stamp() == 3
        party.grow()
        assert stamper.stamp() == 5
    text = Note.parse(party.notes.read(5)).text.encode()
    assert asked[-1] == ("http://tsa/", hashlib.sha256(text).digest())
