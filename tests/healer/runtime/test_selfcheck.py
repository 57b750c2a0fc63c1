import asyncio
import hashlib
import itertools
import sqlite3
import sys
import time
from contextlib import closing

import pytest

from audit.attack.stamping import Authority
from audit.clock import SystemClock
from audit.ed25519 import Secret
from audit.note import Kind, Note, Signer
from audit.writer import Writer
from healer.errors import HealerError
from healer.runtime import selfcheck
from healer.runtime.selfcheck import Trust

EVENT = {"kind": "event", "type": "user.x", "data": {}}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    with Writer.open(folder, node="here") as writer:
        for _ in range(3):
            writer.append(EVENT)
    return folder


async def test_an_untouched_log_is_verified_by_a_process_of_its_own(log):
    checked = await selfcheck.check(log, now=5.0)
    assert (checked.verified, checked.tampered, checked.at) == (True, False, 5.0)
    assert (log / "verified").exists()
    again = await selfcheck.check(log, now=6.0, whole=True)
    assert again.verified


async def test_no_log_is_neither_verified_nor_tampered(tmp_path):
    checked = await selfcheck.check(tmp_path, now=0.0)
    assert (checked.verified, checked.tampered) == (False, False)
    assert checked.summary


async def test_a_verifier_that_cannot_be_run_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(HealerError, match="cannot run the verifier"):
        await selfcheck.check(tmp_path, now=0.0)


async def test_a_verifier_that_says_nothing_readable_is_told(tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho oops >&2\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(HealerError, match="ended with 3 and no report: oops"):
        await selfcheck.check(tmp_path, now=0.0)


async def test_a_verifier_that_hangs_is_killed(tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexec sleep 1000\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(selfcheck, "PATIENCE", 0.2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await selfcheck.check(tmp_path, now=0.0)


class Vouched:
    """A log with a witness and a time-stamp authority, neither of whom is asked over any network."""

    def __init__(self, folder):
        self.folder, self.state = folder, folder / "s"
        self.witness = Signer("w.example/a", Secret.generate(), Kind.COSIGNATURE)
        self.authority = Authority(SystemClock())
        (folder / "policy").write_text(f"witness a {self.witness.verifier.vkey()} http://127.0.0.1:1\nquorum a\n")
        (folder / "roots.pem").write_bytes(self.authority.pem)
        self.trust = Trust(policy=folder / "policy", roots=folder / "roots.pem")

    def seal(self, blocks=1, *, witnessed=False, dated=False, at=None, crash=False):
        writer = Writer.open(self.state, node="here", reserve_bytes=0)
        for _ in range(blocks):
            writer.append(EVENT)
        plain = Note.parse(writer.heads.checkpoint())
        note = plain.plus([self.witness.sign(plain.text, int(at or time.time()))]) if witnessed else plain
        path = self.state / "witnessed" / f"{int(plain.text.splitlines()[1]):012}.note"
        path.parent.mkdir(exist_ok=True)
        if witnessed or dated:
            path.write_bytes(note.octets())
        if dated:
            path.with_suffix(".tsr").write_bytes(self.authority.token(hashlib.sha256(plain.text.encode()).digest()))
        (writer.abandon if crash else writer.close)()

    async def check(self, *, trust=None, before=None, whole=False):
        trust = self.trust if trust is None else trust
        return await selfcheck.check(self.state, now=0.0, whole=whole, trust=trust, before=before)


@pytest.fixture
def vouched(tmp_path):
    return Vouched(tmp_path)


async def test_the_level_proven_is_told_with_what_keeps_it_from_more(vouched):
    vouched.seal(2)
    for trust, because in [
        (Trust(), "no witnesses are configured (audit.policy)"),
        (vouched.trust, "no witnessed checkpoint was found"),
    ]:
        found = await vouched.check(trust=trust, whole=True)
        assert (found.verified, found.level, found.because) == (True, "L2", because)
    vouched.seal(witnessed=True)
    found = await vouched.check(trust=Trust(policy=vouched.trust.policy), whole=True)
    assert (found.level, found.because) == ("L3", "no time-stamp authority is configured (audit.timestamps)")
    found = await vouched.check(whole=True)
    assert (found.level, found.because, found.vouched_to) == ("L3", "its newest part is not dated", None)
    vouched.seal(witnessed=True, dated=True)
    found = await vouched.check(whole=True)
    assert (found.verified, found.level, found.because, found.vouched_to) == (True, "L4", "", 3)


async def test_a_look_at_what_is_new_proves_no_less_than_one_at_the_whole(vouched):
    vouched.seal(witnessed=True, dated=True)
    first = await vouched.check(whole=True)
    vouched.seal(3)
    second = await vouched.check(before=first)
    third = await vouched.check(before=second)  # nothing new: the head is what was proved last
    assert [one.level for one in (first, second, third)] == ["L4", "L4", "L4"]
    assert second.report["range"]["seen"] == [0, 3]
    assert [one.vouched_to for one in (second, third)] == [0, 0]
    vouched.seal(witnessed=True, dated=True)
    fourth = await vouched.check(before=third)
    assert (await vouched.check(before=fourth)).report["range"]["seen"] == [4, 4]


async def test_what_is_too_far_back_is_not_read_again(vouched, monkeypatch):
    monkeypatch.setattr(selfcheck, "FAR", 1)
    vouched.seal(witnessed=True, dated=True)
    first = await vouched.check(whole=True)
    vouched.seal(3)
    second = await vouched.check(before=first)
    assert (second.verified, second.report["range"]["seen"]) == (True, [0, 3])
    third = await vouched.check(before=second)
    assert (third.verified, third.report["range"]["seen"]) == (True, [3, 3])


async def test_witnesses_who_went_silent_take_the_level_and_are_no_tampering(vouched):
    vouched.seal(witnessed=True, at=time.time() - 2 * 86_400)
    found = await vouched.check(trust=Trust(policy=vouched.trust.policy), whole=True)
    assert (found.verified, found.tampered, found.level) == (True, False, "L2")
    assert "older than 86400 s" in found.because


async def test_what_cannot_be_used_proves_nothing_and_alarms_nobody(vouched):
    vouched.seal(witnessed=True, dated=True)
    gone = vouched.folder / "gone"
    found = await vouched.check(trust=Trust(policy=gone, roots=gone), whole=True)
    assert (found.verified, found.level) == (True, "L2")
    assert "audit.policy" in found.because
    assert "audit.timestamps.roots" in found.because


async def test_a_policy_with_another_key_for_this_log_is_left_out(vouched):
    vouched.seal(witnessed=True)
    name = (vouched.state / "keys" / "note.pub").read_text().partition("+")[0]
    other = Signer(name, Secret.generate()).verifier.vkey()
    path = vouched.trust.policy
    path.write_text(path.read_text() + f"log {other}\n")
    found = await vouched.check(trust=Trust(policy=path), whole=True)
    assert (found.verified, found.level) == (True, "L2")
    assert "another key" in found.because


async def test_a_break_of_the_ratchet_counts_until_a_witness_has_seen_it(vouched):
    vouched.seal(2, crash=True)
    vouched.seal(2)
    trust = Trust(policy=vouched.trust.policy)
    first = await vouched.check(trust=trust, whole=True)
    assert (first.verified, first.level, first.broken) == (True, "L1", (2,))
    assert "broke at block 2" in first.because
    vouched.seal()
    second = await vouched.check(trust=trust, before=first)
    assert (second.report["level"], second.level, second.broken) == ("L2", "L1", (2,))
    vouched.seal(witnessed=True)
    third = await vouched.check(trust=trust, before=second)
    assert (third.level, third.broken) == ("L3", ())


def unsign(state, height):
    """Leave a block as one that waits for its RSA signature; returns what takes that back."""
    with closing(sqlite3.connect(state / "audit.db")) as connection:
        (sig,) = connection.execute("SELECT sig FROM blocks WHERE height = ?", (height,)).fetchone()

    def put(octets):
        with closing(sqlite3.connect(state / "audit.db")) as connection, connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
            sql = [one for (one,) in connection.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")]
            for (name,) in names:
                connection.execute(f"DROP TRIGGER {name}")
            connection.execute("UPDATE blocks SET sig = ? WHERE height = ?", (octets, height))
            for one in sql:
                connection.execute(one)

    put(bytes(len(sig)))
    return lambda: put(sig)


def between(monkeypatch, *steps):
    """Do one of these instead of each wait."""
    left = iter(steps)

    async def sleep(_):
        next(left)()

    monkeypatch.setattr(selfcheck.asyncio, "sleep", sleep)
    return left


async def test_a_signature_that_is_due_is_waited_for_once(vouched, monkeypatch):
    vouched.seal(3)
    left = between(monkeypatch, unsign(vouched.state, 2))
    found = await vouched.check(trust=Trust(), whole=True)
    assert (found.verified, found.level) == (True, "L2")
    assert list(left) == []


async def test_one_that_never_comes_is_told_and_is_no_tampering(vouched, monkeypatch):
    vouched.seal(3)
    unsign(vouched.state, 2)
    between(monkeypatch, lambda: None)
    found = await vouched.check(trust=Trust(), whole=True)
    assert (found.verified, found.tampered, found.level) == (False, False, "L0")
    assert "has not been made yet" in found.because


async def test_on_a_busy_log_others_wait_by_the_second_look(vouched, monkeypatch):
    vouched.seal(3)
    signed = unsign(vouched.state, 2)

    def busy():
        signed()
        vouched.seal(2)
        unsign(vouched.state, 4)

    between(monkeypatch, busy)
    found = await vouched.check(trust=Trust(), whole=True)
    assert (found.verified, found.tampered, found.level) == (True, False, "L1")
    assert "up to block 3" in found.summary
    assert found.because == "the newest blocks wait for their RSA signature"


async def test_an_agent_that_seals_without_end_with_rsa_later_is_not_alarmed(tmp_path):
    state = tmp_path / "s"
    with Writer.open(state, node="here", reserve_bytes=0, rsa_later=True) as writer:
        checking = asyncio.create_task(selfcheck.check(state, now=0.0, whole=True))
        for _ in itertools.takewhile(lambda _: not checking.done(), itertools.count()):
            await asyncio.get_running_loop().run_in_executor(None, writer.append, EVENT)
        assert (await checking).verified
