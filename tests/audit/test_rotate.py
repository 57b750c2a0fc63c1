"""Handing a log over from the command line, and proving it across the change from every side."""

import base64
import json
import os
import random
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict
from pathlib import Path

import pytest

from audit import block, canonical, checkpoint, keys, succession
from audit.cli import main
from audit.group import Receipt
from audit.keys import SealingKey
from audit.memory import Memory
from audit.reader import Log
from audit.verifier import Ask, verify
from audit.writer import Writer


def opened(folder: Path, **more: object) -> Writer:
    return Writer.open(folder, **{"node": "web-1", "reserve_bytes": 0, "inline": True, **more})


@pytest.fixture(scope="session")
def made_before() -> list[SealingKey]:
    return [SealingKey.generate() for _ in range(4)]


@pytest.fixture(autouse=True)
def keys_made_before(made_before, monkeypatch):
    """Hand out keys that were made once: chance is not what is tested here, and a key takes up to a second."""
    ready = iter(made_before)
    monkeypatch.setattr(SealingKey, "generate", lambda bits=3072: next(ready))


@pytest.fixture
def state(tmp_path, event):
    """A log of three blocks with its own key."""
    folder = tmp_path / "s"
    with opened(folder) as writer:
        for number in range(3):
            writer.append(event(number))
    return folder


@pytest.fixture
def pinned(state, tmp_path):
    path = tmp_path / "pinned.pub"
    path.write_bytes((state / "keys" / "seal.pub").read_bytes())
    return path


def rotate(state: Path, *argv: str) -> int:
    return main(["rotate", str(state), "--because", "yearly", *map(str, argv)])


def grow(state: Path, event, count: int = 3, **more: object) -> None:
    with opened(state, **more) as writer:
        for number in range(count):
            writer.append(event(number))


def codes(report, weight: str) -> set[str]:
    return {finding.code for finding in report.findings if finding.weight == weight}


def test_the_pinned_key_stays_good(state, pinned, event, capsys):
    assert rotate(state, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["height"] == 3
    assert facts["new"] == keys.load(state / "keys").public.fingerprint
    grow(state, event)
    report = verify(Ask(log=state, key=pinned, deep=True))
    assert (report.exit_code, report.last) == (0, 6), report.text()
    with Log.open(state) as log:
        sealed = next(iter(log.entries_of(3)))
    assert canonical.decode(sealed.octets)["node"] == "web-1"


def test_keys_are_told_apart_after_a_change(state, pinned, capsys):
    began = keys.load_public(pinned).fingerprint
    assert main(["keys", str(state), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["first"] == ""
    assert rotate(state, "--json") == 0
    new = json.loads(capsys.readouterr().out)["new"]
    assert main(["keys", str(state)]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith(new)
    assert second.startswith(began)


def test_the_report_for_people_says_from_which_key_to_which(state, capsys):
    assert rotate(state) == 0
    out = capsys.readouterr().out
    assert "block 3 hands the log over" in out
    assert (state / "keys" / "first.pub").exists()


def test_a_log_in_use_is_not_rotated(state, capsys):
    with opened(state):
        assert rotate(state) == 2
    assert "stop it first" in capsys.readouterr().err
    assert not (state / "keys" / "next.pem").exists()


def test_only_the_agents_own_user_rotates(state, capsys):
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(state, 65534, 65534)
    assert rotate(state) == 2
    assert "runuser -u nobody -- healer-audit rotate" in capsys.readouterr().err
    os.chown(state, 4_000_000, 65534)
    assert rotate(state) == 2
    assert "belongs to 4000000" in capsys.readouterr().err


def test_a_log_that_was_rolled_back_is_not_rotated(state, tmp_path, event, capsys):
    old = (state / "audit.db").read_bytes()
    grow(state, event)
    (state / "audit.db").write_bytes(old)
    assert rotate(state) == 2
    assert "remembers block 5" in capsys.readouterr().err
    assert not (state / "keys" / "next.pem").exists()


def test_an_empty_state_folder_is_told(tmp_path, capsys):
    (tmp_path / "s").mkdir()
    assert rotate(tmp_path / "s") == 2
    opened(tmp_path / "t").close()
    assert rotate(tmp_path / "t") == 2
    assert "empty" in capsys.readouterr().err


def test_a_log_after_a_crash_is_rotated_too(state, pinned, event):
    writer = opened(state)
    writer.append(event())
    writer.abandon()
    assert rotate(state) == 0
    grow(state, event)
    report = verify(Ask(log=state, key=pinned, deep=True))
    assert report.exit_code == 0, report.text()


# ------------------------------------------------------------------------------------- walks that begin later


def test_a_walk_may_begin_after_the_change_with_either_key(state, pinned, tmp_path, event):
    assert rotate(state) == 0
    with opened(state) as writer:
        head = writer.head
    grow(state, event)
    anchor = tmp_path / "anchor"
    anchor.write_bytes(head.encode())
    for key in (pinned, state / "keys" / "seal.pub"):
        for more in ({"since_head": anchor}, {"since": 4}, {"since": 5}):
            report = verify(Ask(log=state, key=key, deep=True, **more))
            assert report.exit_code == 0, (key, more, report.text())
    report = verify(Ask(log=state, key=pinned, since=3))
    assert report.exit_code == 0, report.text()


def test_the_newest_key_proves_nothing_before_it_was_in_force(state, event):
    assert rotate(state) == 0
    report = verify(Ask(log=state, key=state / "keys" / "seal.pub"))
    assert codes(report, "tampered") == {"rekeyed"}


def test_a_remembered_head_is_gone_on_from_across_two_changes(state, pinned, tmp_path, event):
    memory = Memory(tmp_path / "memory")
    ask = Ask(log=state, key=pinned, deep=True, memory=memory, incremental=True)
    assert verify(ask).exit_code == 0
    assert rotate(state) == 0
    assert verify(ask).exit_code == 0
    grow(state, event)
    assert rotate(state) == 0
    report = verify(ask)
    assert (report.exit_code, report.first) == (0, 3), report.text()
    grow(state, event)
    report = verify(ask)
    assert (report.exit_code, report.asked_from) == (0, 8), report.text()


# ---------------------------------------------------------------------------------------------- revocation


def test_blocks_of_a_stolen_key_are_not_proven_unless_somebody_saw_them(state, pinned, tmp_path, event):
    with opened(state) as writer:
        head = writer.head
    seen = tmp_path / "seen"
    seen.write_bytes(head.encode())
    assert rotate(state, "--revoke-after", "1") == 0
    grow(state, event)
    report = verify(Ask(log=state, key=pinned, deep=True))
    assert report.exit_code == 2
    assert codes(report, "unproven") >= {"revoked"}
    assert report.level == "L0"
    report = verify(Ask(log=state, key=pinned, anchors=(seen,), deep=True))
    assert report.exit_code == 0, report.text()
    grow(state, event)
    assert verify(Ask(log=state, key=pinned, anchors=(seen,))).exit_code == 0


def test_a_head_remembered_after_the_change_says_nothing_about_what_was_revoked(state, pinned, tmp_path):
    with opened(state) as writer:
        early = writer.head
    assert rotate(state, "--revoke-after", "0") == 0
    late = tmp_path / "late"
    late.write_bytes((state / "anchor").read_bytes())
    report = verify(Ask(log=state, key=pinned, anchors=(late,), deep=True))
    assert report.exit_code == 2
    assert codes(report, "unproven") >= {"revoked"}
    (tmp_path / "early").write_bytes(early.encode())
    report = verify(Ask(log=state, key=pinned, anchors=(late, tmp_path / "early"), deep=True))
    assert report.exit_code == 0, report.text()


def test_what_nobody_saw_of_a_revoked_stretch_is_named(state, pinned, tmp_path, event):
    with opened(state) as writer:
        seen = writer.head
    (tmp_path / "seen").write_bytes(seen.encode())
    grow(state, event, 2)
    assert rotate(state, "--revoke-after", "0") == 0
    report = verify(Ask(log=state, key=pinned, anchors=(tmp_path / "seen",)))
    (finding,) = [finding for finding in report.findings if finding.code == "revoked"]
    assert "blocks 3 to 4" in finding.because


def test_a_revocation_of_what_is_not_there_is_refused(state, capsys):
    assert rotate(state, "--revoke-after", "3") == 2
    assert "the log ends at block 2" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------ keys elsewhere


def test_a_key_file_elsewhere_stays_there(state, pinned, tmp_path, event, key):
    vault = tmp_path / "vault"
    keys.make(vault, b"sesame")
    words = tmp_path / "words"
    words.write_bytes(b"sesame\n")
    words.chmod(0o400)
    assert rotate(state, "--to-key", vault / "seal.pem", "--passphrase-file", words) == 0
    assert not (state / "keys" / "seal.pem").exists()
    assert rotate(state, "--from-key", vault / "seal.pem", "--passphrase-file", words) == 2
    other = tmp_path / "vault2"
    keys.make(other, b"sesame")
    argv = ["--from-key", vault / "seal.pem", "--to-key", other / "seal.pem", "--passphrase-file", words]
    assert rotate(state, *argv) == 0
    grow(state, event, signer=keys.load(other, b"sesame"))
    assert verify(Ask(log=state, key=pinned, deep=True)).exit_code == 0


def test_a_passphrase_closes_the_new_key_too(tmp_path, event):
    words = tmp_path / "words"
    words.write_bytes(b"sesame")
    words.chmod(0o600)
    grow(tmp_path / "s", event, passphrase=b"sesame")
    assert rotate(tmp_path / "s") == 2
    assert rotate(tmp_path / "s", "--passphrase-file", words) == 0
    assert b"ENCRYPTED" in (tmp_path / "s" / "keys" / "seal.pem").read_bytes()
    grow(tmp_path / "s", event, passphrase=b"sesame")
    assert verify(Ask(log=tmp_path / "s", deep=True)).exit_code == 0


def test_a_command_signs_for_the_new_key(state, pinned, tmp_path, event, key):
    vault = tmp_path / "vault"
    made = keys.make(vault)
    script = tmp_path / "signer.py"
    script.write_text(
        f"import base64, sys\nsys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r})\n"
        f"from pathlib import Path\nfrom audit import keys\nkey = keys.load(Path({str(vault)!r}))\n"
        "for line in sys.stdin:\n"
        "    print(base64.b64encode(key.sign(base64.b64decode(line))).decode(), flush=True)\n"
    )
    command = f"{sys.executable} {script}"
    assert rotate(state, "--to-command", command) == 2
    assert rotate(state, "--to-command", command, "--to-public", vault / "seal.pub") == 0
    grow(state, event, signer=made)
    assert verify(Ask(log=state, key=pinned, deep=True)).exit_code == 0


# ------------------------------------------------------------------------------------------------- tampering


class Rewriter:
    """A thief with both keys, or with one of them, who writes the rotate block of a log anew."""

    def __init__(self, forge, key, other_key, event) -> None:
        self.forge, self.key, self.other_key = forge, key, other_key
        self.keys = [key.public.fingerprint, other_key.public.fingerprint]
        self.signers: list[SealingKey] = [key, other_key]
        self.data = succession.describe(other_key.public, None)
        self.why = "rotate"
        forge.seal([forge.event(0)])

    def rotate(self):
        forge = self.forge
        entry = forge.entry(1, {"kind": "rotate", "because": "x", "data": self.data})
        forge.seal([entry], keys=tuple(self.keys), why=self.why)
        height, first, count, octets, _, rsig, body = forge.rows.pop()
        message = block.signed_octets(octets)
        sig = b"".join(signer.sign(message) for signer in self.signers)
        forge.rows.append((height, first, count, octets, sig, rsig, body))
        forge.key = self.signers[-1]
        forge.seal([forge.event(2)])
        forge.key = self.key
        return forge.write()


@pytest.fixture
def rewriter(forge, key, other_key, event):
    return Rewriter(forge, key, other_key, event)


def proof(built, **more: object):
    return verify(Ask(log=built.db, key=built.key, anchors=(built.anchor,), deep=True, **more))


def test_an_honest_rewriting_is_proven(rewriter):
    report = proof(rewriter.rotate())
    assert report.exit_code == 0, report.text()


def test_a_rotation_without_the_new_keys_signature_is_tampering(rewriter):
    rewriter.signers = [rewriter.key]
    assert codes(proof(rewriter.rotate()), "tampered") == {"signature"}


def test_signatures_in_the_other_order_are_tampering(rewriter):
    rewriter.signers.reverse()
    assert "signature" in codes(proof(rewriter.rotate()), "tampered")


def test_another_new_key_than_the_sealed_one_is_tampering(rewriter, made_before):
    rewriter.data = {**rewriter.data, "new": base64.b64encode(made_before[0].public.der).decode()}
    assert codes(proof(rewriter.rotate()), "tampered") == {"rotation", "rekeyed"}


def test_a_rotation_in_a_plain_block_is_tampering(rewriter):
    rewriter.why = "commit"
    rewriter.keys, rewriter.signers = rewriter.keys[:1], [rewriter.key]
    report = proof(rewriter.rotate())
    assert codes(report, "tampered") == {"rotation"}


def test_a_changed_body_of_a_rotation_is_tampering(rewriter, event):
    built = rewriter.rotate()
    built.edit(
        "UPDATE blocks SET body = CAST(substr(body, 1, 60) || x'41' || substr(body, 62) AS BLOB) WHERE height = 1"
    )
    assert codes(proof(built), "tampered") >= {"body", "rotation"}


def test_a_rotation_that_is_cut_out_is_tampering(rewriter):
    built = rewriter.rotate()
    built.edit("DELETE FROM blocks WHERE height = 1")
    assert codes(proof(built), "tampered") >= {"chain", "rekeyed"}


def test_the_old_key_signs_nothing_any_more(rewriter):
    built = rewriter.rotate()
    with Log.open(built.db) as log:
        row = log.row(2)
    header = block.parse_header(row.hdr)
    octets = canonical.encode({**asdict(header), "keys": [rewriter.key.public.fingerprint]})
    sig = rewriter.key.sign(block.signed_octets(octets))
    built.edit(("UPDATE blocks SET hdr = ?, sig = ? WHERE height = 2", (octets, sig)))
    built.anchor.write_bytes(checkpoint.of_header(block.parse_header(octets), block.hash_of(octets)).encode())
    assert codes(proof(built), "tampered") == {"rekeyed"}


def test_many_writers_see_one_change_and_nothing_else(state, pinned, event, made_before):
    """Blocks are made and signed while others are on their way to the disk; the change waits for its turn."""
    with Writer.open(state, node="n", reserve_bytes=0) as writer:
        going = threading.Event()

        def submit() -> None:
            for number in range(60):
                futures.append(writer.submit([event(number), event(number)]))
                going.set()

        futures: list[Future[Sequence[Receipt]]] = []
        threads = [threading.Thread(target=submit) for _ in range(4)]
        for thread in threads:
            thread.start()
        going.wait(5)
        receipts = [writer.rotate(key, because="under load") for key in made_before[1:3]]
        for thread in threads:
            thread.join()
        sealed = [receipt for future in futures for receipt in future.result()]
    assert len({receipt.seq for receipt in sealed}) == 480
    assert not {receipt.height for receipt in sealed} & {receipt.height for receipt in receipts}
    report = verify(Ask(log=state, key=pinned, deep=True))
    assert report.exit_code == 0, report.text()


def test_every_octet_of_a_change_counts(rewriter):
    """A sample of single flips in each column of the rotate block: none goes unnoticed."""
    built = rewriter.rotate()
    with Log.open(built.db) as log:
        row = log.row(1)
    chance = random.Random(5)
    for column in ("hdr", "sig", "body"):
        octets = getattr(row, column)
        for at in chance.sample(range(len(octets)), 40):
            changed = bytearray(octets)
            changed[at] ^= 1 << chance.randrange(8)
            built.edit((f"UPDATE blocks SET {column} = ? WHERE height = 1", (bytes(changed),)))
            assert proof(built).exit_code == 1, (column, at)
        for wrong in (octets[:-1], octets + b"\0", octets[:384], b""):
            built.edit((f"UPDATE blocks SET {column} = ? WHERE height = 1", (wrong,)))
            assert proof(built).exit_code == 1, (column, len(wrong))
        built.edit((f"UPDATE blocks SET {column} = ? WHERE height = 1", (octets,)))
    assert proof(built).exit_code == 0
