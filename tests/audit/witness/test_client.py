"""A log asks its witnesses: quorum, garbage, and what a witness that knows more proves."""

import json
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from audit.clock import SystemClock
from audit.ed25519 import Secret
from audit.errors import Malformed
from audit.note import Kind, Note, Signer, open_note, parse_lines
from audit.policy import parse as parse_policy
from audit.witness.client import Witnesses, newest, submit
from audit.witness.judge import Witness
from audit.witness.protocol import Conflict, OutOfReach, Refused
from audit.witness.state import State


class Fleet:
    """Real witnesses on real sockets, and one log that asks them."""

    def __init__(self, log, stack, tmp_path, serving, count, quorum):
        self.log, self.folder = log, tmp_path / "client"
        self.lines = [f"log {log.signer.verifier.vkey()}"]
        self.witnesses, self.urls = [], []
        for at in range(count):
            signer = Signer(f"witness.example/{at}", Secret.generate(), Kind.COSIGNATURE)
            state = State.open(tmp_path / f"w{at}")
            stack.callback(state.close)
            witness = Witness(logs=[log.signer.verifier], cosigners=[signer], state=state, clock=SystemClock())
            self.witnesses.append(witness)
            self.add(f"w{at}", signer.verifier, stack.enter_context(serving(witness)))
        self.quorum = quorum

    def add(self, name, verifier, url):
        self.urls.append(url)
        self.lines.append(f"witness {name} {verifier.vkey()} {url}")

    def policy(self):
        names = " ".join(line.split()[1] for line in self.lines if line.startswith("witness"))
        return parse_policy("\n".join([*self.lines, f"group all {self.quorum} {names}", "quorum all", ""]))

    def client(self, **more):
        return Witnesses(self.policy(), self.folder, timeout_s=more.pop("timeout_s", 5.0), **more)

    def cosign(self, log=None, client=None):
        log = log or self.log
        return (client or self.client()).cosign(log.note().octets(), log.prove)


@pytest.fixture
def fleet(log, tmp_path, serving):
    with ExitStack() as stack:
        yield lambda count=3, quorum=2: Fleet(log, stack, tmp_path, serving, count, quorum)


class Liar(BaseHTTPRequestHandler):
    """Answers what it was told to, whatever it is asked."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        status, body, wait_s = self.server.says
        time.sleep(wait_s)
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", str(len(self.server.shows)))
        self.end_headers()
        self.wfile.write(self.server.shows)

    def log_message(self, *_):
        pass


@pytest.fixture
def liar():
    with ThreadingHTTPServer(("127.0.0.1", 0), Liar) as server:
        server.daemon_threads = True
        server.shows = b"nothing of note"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        server.handle_error = lambda *_: None  # clients hang up here on purpose
        server.url = f"http://127.0.0.1:{server.server_port}"
        server.verifier = Signer("liar.example", Secret.generate(), Kind.COSIGNATURE).verifier
        yield server
        server.shutdown()


def test_submit_tells_a_cosignature_from_a_conflict_from_a_refusal(fleet, log, another):
    url = fleet(1, 1).urls[0]
    lines = submit(url, log.note().octets(), 0, [])
    assert [line.name for line in lines] == ["witness.example/0"]
    with pytest.raises(Conflict) as conflict:
        submit(url, log.note().octets(), 0, [])
    assert conflict.value.size == 3
    with pytest.raises(Refused, match="unknown log") as refused:
        submit(url, another("stranger").grow(1).note().octets(), 0, [])
    assert refused.value.status == 404
    assert Note.parse(newest(url, log.signer.verifier.name)).text == log.note().text
    with pytest.raises(Refused):
        newest(url, "stranger")


def test_everybody_cosigns_and_the_note_carries_it_all(fleet, log):
    all_of_us = fleet()
    client = all_of_us.client()
    for growth in (0, 1, 7, 100):
        log.grow(growth)
        done = all_of_us.cosign(client=client)
        assert (done.satisfied, done.conflicts, done.problems) == (True, (), ())
        assert set(done.times) == {"w0", "w1", "w2"}
        verifiers = [witness.verifier for witness in all_of_us.policy().witnesses]
        assert len(open_note(Note.parse(done.note), [log.signer.verifier, *verifiers]).by) == 4


def test_a_new_client_learns_the_sizes_from_the_witnesses(fleet, log):
    all_of_us = fleet()
    all_of_us.cosign()
    log.grow(5)
    for content in (None, b"", b"[]", b'{"x": "y", "z": -1}', b"[" * 100_000):
        memory = all_of_us.folder / "witnesses.json"
        memory.unlink() if content is None else memory.write_bytes(content)
        assert all_of_us.cosign().satisfied
    assert set(json.loads(memory.read_text()).values()) == {8}


def test_a_quorum_is_enough_and_the_dead_are_named(fleet, liar):
    some = fleet(2, 2)
    liar.server_close()
    some.add("dead", liar.verifier, liar.url)
    done = some.cosign()
    assert done.satisfied
    assert [(one.witness, done.conflicts) for one in done.problems] == [("dead", ())]
    some.quorum = 3
    assert not some.cosign().satisfied


@pytest.mark.parametrize(
    "says",
    [
        (200, b""),
        (200, b"\xff\xfe"),
        (200, b"no signature\n"),
        (200, b"\xe2\x80\x94 liar.example AAAAAAAA\n"),
        (409, b""),
        (409, b"-1\n"),
        (409, b"9" * 30 + b"\n"),
        (409, b"0\n"),
        (409, b"1\n"),
        (409, b"<html>"),
        (302, b""),
        (404, b"unknown log\n"),
        (500, b"\x1b[31m" * 50),
    ],
)
def test_a_witness_that_talks_nonsense_is_a_problem_and_no_conflict(fleet, liar, says):
    some = fleet(2, 2)
    some.add("liar", liar.verifier, liar.url)
    liar.says = (*says, 0.0)
    done = some.cosign()
    assert done.satisfied
    assert done.conflicts == ()
    assert {one.witness for one in done.problems} == {"liar"}
    assert all("\x1b" not in one.because for one in done.problems)


def test_a_cosignature_that_does_not_verify_counts_for_nothing(fleet, liar, log):
    some = fleet(1, 1)
    some.add("liar", liar.verifier, liar.url)
    forged = log.signer.sign("x\n")
    line = type(forged)(name="liar.example", key_id=liar.verifier.key_id, octets=bytes(8) + forged.octets)
    liar.says = (200, line.line().encode(), 0.0)
    done = some.cosign()
    assert set(done.times) == {"w0"}
    assert [one.name for one in Note.parse(done.note).signatures] == [log.signer.verifier.name, "witness.example/0"]
    assert any("does not verify" in one.because for one in done.problems)


def test_a_witness_that_hangs_holds_up_nobody_longer_than_the_time_and_is_not_piled_upon(fleet, liar):
    some = fleet(2, 2)
    some.add("slow", liar.verifier, liar.url)
    liar.says = (200, b"", 1.5)
    client = some.client(timeout_s=0.5)
    begun = time.monotonic()
    done = some.cosign(client=client)
    assert 0.4 < time.monotonic() - begun < 1.4
    assert [one.witness for one in done.problems] == ["slow"]
    assert "no answer" in done.problems[0].because
    client = some.client(timeout_s=0.5)
    client._busy.add(liar.url)  # as while a resolver hangs, which no time limit of ours ends
    done = some.cosign(client=client)
    assert [one.because for one in done.problems] == ["it has not answered the last question yet"]


def test_who_is_in_a_hurry_waits_for_the_quorum_only(fleet, liar):
    some = fleet(2, 2)
    some.add("slow", liar.verifier, liar.url)
    liar.says = (200, b"", 3.0)
    begun = time.monotonic()
    done = some.client().cosign(some.log.note().octets(), some.log.prove, patient=False)
    assert (done.satisfied, set(done.times)) == (True, {"w0", "w1"})
    assert time.monotonic() - begun < 2.5


def test_patience_may_end_while_somebody_waits(fleet, liar):
    some = fleet(2, 2)
    some.add("slow", liar.verifier, liar.url)
    liar.says = (200, b"", 3.0)
    client, patient = some.client(), [True]

    def lose_patience() -> None:
        patient.clear()
        client.hurry()

    client.hurry()  # nobody waits yet: nothing happens
    timer = threading.Timer(0.4, lose_patience)
    timer.start()
    begun = time.monotonic()
    done = client.cosign(some.log.note().octets(), some.log.prove, patient=lambda: bool(patient))
    assert done.satisfied
    assert 0.3 < time.monotonic() - begun < 2.5
    timer.join()


def test_a_restored_copy_is_told_that_it_is_one(fleet, log):
    """The witness shows a note our own key has signed: nobody needs to take its word."""
    all_of_us = fleet()
    old = log.twin(3)
    log.grow(10)
    assert all_of_us.cosign().satisfied
    done = all_of_us.cosign(old)
    assert not done.satisfied
    assert {(one.witness, one.size) for one in done.conflicts} == {("w0", 13), ("w1", 13), ("w2", 13)}
    for one in done.conflicts:
        assert open_note(Note.parse(one.evidence), [log.signer.verifier]).text == log.note().text
    assert {one.because for one in done.conflicts} == {"it has cosigned 13 leaves of this log, and we have 3"}


@pytest.mark.parametrize("regrown", [10, 11, 40])
def test_a_restored_copy_that_went_on_is_a_fork_and_is_told(fleet, log, regrown):
    all_of_us = fleet()
    fork = log.twin(3).grow(regrown, b"other")
    log.grow(10)
    all_of_us.cosign()
    for client in (all_of_us.client(), Witnesses(all_of_us.policy(), all_of_us.folder / "new")):
        done = all_of_us.cosign(fork, client)
        assert not done.satisfied
        assert [one.size for one in done.conflicts] == [13, 13, 13]
        assert all(one.evidence for one in done.conflicts)
        assert all("does not begin with the 13 leaves" in one.because for one in done.conflicts)


def test_a_witness_that_refuses_a_good_proof_is_not_believed(fleet, log, monkeypatch):
    some = fleet(1, 1)
    some.cosign()
    log.grow(1)
    monkeypatch.setattr("audit.witness.judge.verify_consistency", _always_wrong)
    done = some.cosign()
    assert done.conflicts == ()
    assert "refuses a good proof" in done.problems[0].because


def _always_wrong(*_):
    raise Malformed("no")


def test_its_bare_word_of_a_larger_log_is_a_conflict_without_evidence(fleet, liar):
    some = fleet(1, 1)
    some.add("liar", liar.verifier, liar.url)
    liar.says = (409, b"99\n", 0.0)
    done = some.cosign()
    assert [(one.witness, one.size, one.evidence) for one in done.conflicts] == [("liar", 99, b"")]


def test_only_what_our_own_key_has_signed_is_evidence(fleet, liar, log, another):
    some = fleet(1, 1)
    some.add("liar", liar.verifier, liar.url)
    larger = log.twin(3).grow(6)
    forged = another(log.signer.verifier.name).grow(9)
    liar.says = (409, b"9\n", 0.0)
    for shows, accepted in (
        (forged.note(), False),
        (larger.note(8), False),
        (another("stranger").grow(9).note(), False),
        (larger.note(), True),
    ):
        liar.shows = shows.octets()
        (conflict,) = some.cosign().conflicts
        assert (conflict.size, bool(conflict.evidence)) == (9, accepted)
    some.lines.pop(0)  # a policy of witnesses alone; our key is known otherwise
    assert some.cosign(client=some.client(own=[log.signer.verifier])).conflicts[0].evidence
    assert not some.cosign().conflicts[0].evidence


def test_a_note_that_a_newer_one_of_ours_has_overtaken_is_no_rollback(fleet, log):
    some = fleet(1, 1)
    client = some.client()
    old = log.twin(3)
    log.grow(4)
    some.cosign(client=client)
    done = some.cosign(old, client)
    assert done.conflicts == ()
    assert "already" in done.problems[0].because


def test_a_witness_that_has_lost_its_state_is_named(fleet, log):
    some = fleet(1, 1)
    client = some.client()
    some.cosign(client=client)
    some.witnesses[0].state._held.clear()
    log.grow(1)
    done = some.cosign(client=client)
    assert done.satisfied
    assert "lost its state" in done.problems[0].because


def test_a_proof_that_cannot_be_made_costs_that_witness_only(fleet, log):
    some = fleet(2, 1)
    some.cosign()
    log.grow(1)

    def prove(_):
        raise Malformed("those leaves are pruned")

    done = some.client().cosign(log.note().octets(), prove)
    assert [one.because for one in done.problems] == ["no proof from 3: those leaves are pruned"] * 2


def test_answers_of_strangers_at_a_witnesss_address_are_not_its_own(fleet, liar, log):
    some = fleet(1, 1)
    some.add("liar", liar.verifier, liar.url)
    stranger = Signer("liar.example", Secret.generate(), Kind.COSIGNATURE)
    liar.says = (200, stranger.sign(log.note().text, 5).line().encode(), 0.0)
    done = some.cosign()
    assert set(done.times) == {"w0"}
    assert done.problems[0].because == "it answered without its cosignature"


def test_what_is_no_checkpoint_is_not_sent(fleet):
    with pytest.raises(Malformed):
        fleet(1, 1).client().cosign(b"nonsense", lambda _: [])


def test_garbage_is_out_of_reach(liar, log):
    liar.says = (200, b"garbage", 0.0)
    with pytest.raises(OutOfReach, match="nobody can read"):
        submit(liar.url, log.note().octets(), 0, [])
    assert parse_lines(log.note().signatures[0].line())


class ShortOfMemory(SystemClock):
    """A clock that breaks the threads that ask, once each."""

    def __init__(self):
        self.broken = set()

    def mono_us(self):
        name = threading.current_thread().name
        if name.startswith("witness ") and name not in self.broken:
            self.broken.add(name)
            raise MemoryError("no room for the answer")
        return super().mono_us()


def test_a_question_that_breaks_is_told_and_the_witness_is_asked_again(fleet):
    alone = fleet(1, 1)
    client = alone.client(clock=ShortOfMemory())
    assert "MemoryError no room" in alone.cosign(client=client).problems[0].because
    assert alone.cosign(client=client).satisfied
