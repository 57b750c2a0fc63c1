import contextlib
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import audit
from audit import block, holding
from audit.attack.stamping import Authority
from audit.clock import SystemClock as WitnessClock
from audit.ed25519 import Secret
from audit.keys import SealingKey
from audit.note import Kind, Note, Signer, Verifier
from audit.reader import Log
from audit.witness.client import submit
from audit.witness.judge import Witness
from audit.witness.state import State
from audit.writer import Writer
from healer.cli import sealing
from healer.config import load_config
from healer.config.values import Retention, Timestamps
from tests.audit.witness.conftest import Limits, _serving

DAY = 86_400.0


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A log of two blocks, and its newest checkpoint as the log signed it."""
    folder = tmp_path_factory.mktemp("log") / "s"
    with Writer.open(folder, node="here", reserve_bytes=0) as writer:
        writer.append({"kind": "heartbeat"})
        writer.append({"kind": "heartbeat"})
        note = writer.heads.checkpoint()
    return SimpleNamespace(folder=folder, note=note, ours=Verifier.parse(holding.vkey(folder)))


@pytest.fixture
def asked(sealed, tmp_path):
    """A policy with one witness, and the configuration that names it."""
    cosigner = Signer("w.example/a", Secret.generate(), Kind.COSIGNATURE)
    path = tmp_path / "policy"

    def at(url):
        path.write_text(f"witness a {cosigner.verifier.vkey()} {url}\nquorum a\n")
        return configured(audit={"policy": str(path)})

    return SimpleNamespace(at=at, path=path, cosigner=cosigner)


@contextlib.contextmanager
def serving(sealed, asked, folder, clock=None):
    state = State.open(folder)
    with _serving(
        Witness(logs=[sealed.ours], cosigners=[asked.cosigner], state=state, clock=clock or WitnessClock()),
        "127.0.0.1:0",
        Limits(),
    ) as url:
        yield url
    state.close()


def configured(**more):
    return load_config({"version": 1, **more}, environ={})


def told(found):
    return {one.what: one for one in found}


def test_a_log_that_nobody_vouches_for_is_looked_at_and_nothing_is_wrong(sealed):
    found = told(sealing.looks(configured(), sealed.folder))
    assert {what: one.how for what, one in found.items()} == {"note key": "ok", "witnesses": "ok"}
    assert "goes unnoticed" in found["witnesses"].says
    assert sealed.ours.name in found["note key"].says


def test_the_key_of_the_checkpoints_is_there_is_closed_to_others_and_is_readable(tmp_path):
    keys = tmp_path / "keys"
    keys.mkdir()
    (found,) = sealing.note_key(tmp_path)
    assert (found.how, "makes one" in found.fix) == ("warn", True)
    signer = Signer("log.example", Secret.generate())
    (keys / "note.key").write_text(signer.skey() + "\n")
    (keys / "note.key").chmod(0o644)
    (found,) = sealing.note_key(tmp_path)
    assert (found.how, "is missing" in found.says) == ("fail", True)
    (keys / "note.pub").write_text(signer.verifier.vkey() + "\n")
    (found,) = sealing.note_key(tmp_path)
    assert (found.how, "0644" in found.says, "chmod 600" in found.fix) == ("fail", True, True)
    (keys / "note.pub").write_text("\0garbage")
    (found,) = sealing.note_key(tmp_path)
    assert found.how == "fail"


def test_a_policy_that_cannot_be_used_or_names_another_key_fails(sealed, asked):
    config = asked.at("http://127.0.0.1:1")
    other = Signer(sealed.ours.name, Secret.generate()).verifier.vkey()
    asked.path.write_text(asked.path.read_text() + f"log {other}\n")
    (found,) = sealing.witnesses(config, sealed.folder)
    assert (found.how, "another key" in found.says) == ("fail", True)
    asked.path.write_text("quorum none\n")
    (found,) = sealing.witnesses(config, sealed.folder)
    assert (found.how, "asks for nobody" in found.says) == ("fail", True)


def test_a_witness_out_of_reach_is_told_and_one_that_knows_nothing_answers(sealed, asked, tmp_path):
    found = told(sealing.witnesses(asked.at("http://127.0.0.1:1"), sealed.folder))
    assert (found["witnesses"].how, found["witness a"].how) == ("ok", "warn")
    with serving(sealed, asked, tmp_path / "w") as url:
        found = told(sealing.witnesses(asked.at(url), sealed.folder))
        assert (found["witness a"].how, "nothing of this log" in found["witness a"].says) == ("ok", True)
        found = told(sealing.witnesses(asked.at(url), tmp_path / "no log"))
        assert found["witness a"].how == "ok"


def test_a_witness_shows_how_far_it_has_seen_and_that_a_log_was_rolled_back(sealed, asked, tmp_path):
    with serving(sealed, asked, tmp_path / "w") as url:
        submit(url, sealed.note, 0, [])
        found = told(sealing.witnesses(asked.at(url), sealed.folder))["witness a"]
        assert (found.how, found.says) == ("ok", "it has cosigned 2 blocks")
        ahead = tmp_path / "older"
        ahead.mkdir()
        (ahead / "keys").symlink_to(sealed.folder / "keys")
        with Writer.open(tmp_path / "short", node="here", reserve_bytes=0) as writer:
            writer.append({"kind": "heartbeat"})
        (ahead / "audit.db").write_bytes((tmp_path / "short" / "audit.db").read_bytes())
        found = told(sealing.witnesses(asked.at(url), ahead))["witness a"]
        assert (found.how, "which has 1: it was rolled back" in found.says) == ("fail", True)


@pytest.mark.parametrize(
    ("off", "how", "says"), [(0, "ok", "cosigned 2"), (600, "warn", "ahead of ours by"), (-600, "warn", "by its clock")]
)
def test_a_witness_whose_clock_contradicts_ours_is_told(sealed, asked, off, how, says):
    plain = Note.parse(sealed.note)
    octets = plain.plus([asked.cosigner.sign(plain.text, int(time.time()) + off)]).octets()
    witness = SimpleNamespace(verifier=asked.cosigner.verifier)
    found = sealing._weighed("witness a", witness, octets, sealed.ours, sealed.folder)
    assert (found.how, says in found.says) == (how, True)


@pytest.mark.parametrize("octets", [b"", b"\0", b"no note\n\n", b"x" * 100_000])
def test_an_answer_that_is_no_checkpoint_is_told(sealed, asked, octets):
    witness = SimpleNamespace(verifier=asked.cosigner.verifier)
    found = sealing._weighed("witness a", witness, octets, sealed.ours, sealed.folder)
    assert (found.how, "cannot be compared" in found.says) == ("warn", True)


def test_certificates_that_are_missing_or_out_of_date_fail(tmp_path):
    path = tmp_path / "roots.pem"
    plan = Timestamps(url="http://h/", roots=str(path))
    assert list(sealing.roots(None)) == []
    assert next(sealing.roots(plan)).how == "fail"
    path.write_bytes(Authority(WitnessClock()).pem)
    assert next(sealing.roots(plan)).how == "ok"
    long_ago = SimpleNamespace(wall_us=lambda: 1_000_000_000_000_000)
    path.write_bytes(Authority(long_ago).pem)
    assert "valid now" in next(sealing.roots(plan)).says


def test_an_archive_that_nobody_can_write_to_fails(tmp_path):
    (tmp_path / "file").touch()
    assert list(sealing.archive(None, tmp_path)) == []
    (found,) = sealing.archive(Retention(keep=DAY), tmp_path)
    assert (found.how, found.says) == ("ok", f"{tmp_path / 'archive'} will be made")
    (found,) = sealing.archive(Retention(keep=DAY, archive=str(tmp_path)), tmp_path)
    assert (found.how, found.says) == ("ok", str(tmp_path))
    (found,) = sealing.archive(Retention(keep=DAY, archive=str(tmp_path / "file" / "a")), tmp_path)
    assert found.how == "fail"


@pytest.mark.parametrize(
    ("policy", "size", "age", "free", "how"),
    [
        (None, 100, 0.5 * DAY, 0, None),
        (None, 100, 10 * DAY, 10_000, "ok"),
        (None, 100, 10 * DAY, 100, "warn"),
        (Retention(keep=400 * DAY), 100, 10 * DAY, 1000, "warn"),
        (Retention(keep=400 * DAY), 100, 10 * DAY, 4000, "ok"),
        (Retention(keep=10 * DAY), 100, 1000 * DAY, 0, "ok"),
    ],
)
def test_what_the_log_is_to_keep_is_held_against_the_room_there_is(monkeypatch, tmp_path, policy, size, age, free, how):
    monkeypatch.setattr(sealing, "_grown", lambda _: (size, age))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    assert [one.how for one in sealing.room(policy, tmp_path)] == ([how] if how else [])


def test_how_fast_a_log_grows_is_known_from_its_first_block(sealed, tmp_path):
    size, age = sealing._grown(sealed.folder)
    with Log.open(sealed.folder) as log:
        first = block.parse_header(log.row(0).hdr)
    assert size > 0
    assert age == pytest.approx(time.time() - first.sealed / 1e6, abs=5)
    assert sealing._grown(tmp_path) == (0, 0.0)


def test_a_program_that_does_not_sign_fails_and_a_passphrase_that_cannot_be_read(tmp_path):
    public = tmp_path / "seal.pub"
    key = SealingKey.generate()
    public.write_bytes(key.public.pem)
    for command in (["/bin/cat"], [str(tmp_path / "gone")], [sys.executable, "-c", "pass"]):
        config = configured(audit={"signer": {"command": command, "public": str(public)}})
        (found,) = sealing.signer(config)
        assert (found.what, found.how, bool(found.fix)) == ("signer", "fail", True)
    (tmp_path / "seal.pem").write_bytes(key.pem())
    script = (
        f"import base64, sys; sys.path.insert(0, {str(Path(audit.__file__).parents[1])!r}); from audit import keys\n"
        f"from pathlib import Path; key = keys.load(Path({str(tmp_path)!r}))\n"
        "for line in sys.stdin: print(base64.b64encode(key.sign(base64.b64decode(line))).decode(), flush=True)"
    )
    (tmp_path / "seal.pem").chmod(0o600)
    tmp_path.chmod(0o700)
    config = configured(audit={"signer": {"command": [sys.executable, "-c", script], "public": str(public)}})
    assert [one.how for one in sealing.signer(config)] == ["ok"]
    (found,) = sealing.signer(configured(audit={"passphrase": {"file": str(tmp_path / "gone")}}))
    assert (found.what, found.how) == ("passphrase", "fail")
    (tmp_path / "there").write_text("open sesame\n")
    (tmp_path / "there").chmod(0o600)
    (found,) = sealing.signer(configured(audit={"passphrase": {"file": str(tmp_path / "there")}}))
    assert (found.how, "sesame" in found.says) == ("ok", False)
    assert list(sealing.signer(configured())) == []
