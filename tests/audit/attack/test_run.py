"""The command: on the demonstration, on a log of one's own, on what is no log."""

import hashlib
import json
import shutil

import pytest

from audit.cli import main
from audit.keys import SealingKey
from audit.writer import Writer


@pytest.fixture
def own(tmp_path, event, key):
    """A state folder as an agent leaves it at a clean stop."""
    state = tmp_path / "state"
    (state / "keys").mkdir(parents=True, mode=0o700)
    state.chmod(0o700)
    (state / "keys" / "seal.pem").write_bytes(key.pem())
    (state / "keys" / "seal.pem").chmod(0o600)
    (state / "keys" / "seal.pub").write_bytes(key.public.pem)
    with Writer.open(state, node="own", signer=key, inline=True, reserve_bytes=0) as writer:
        for number in range(9):
            writer.append(event(number))
    return state


def everything(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def test_a_log_of_ones_own_is_attacked_and_never_changed(own, capsys):
    before = everything(own)
    assert main(["attack", str(own), "--only", "resealed"]) == 0
    assert everything(own) == before
    said = capsys.readouterr().out
    assert "all 9 blocks" in said
    assert "each seen as it must be" in said
    assert "not tried" not in said.split("tried;")[0]


def test_without_the_private_key_what_needs_it_is_left_out_and_said(own, tmp_path, capsys):
    shutil.copy(own / "keys" / "seal.pub", tmp_path / "pinned.pub")
    file = str(own / "audit.db")
    assert main(["attack", file, "--key", str(tmp_path / "pinned.pub"), "--only", "*cut*"]) == 0
    assert "not tried: the private key is not in the state folder" in capsys.readouterr().out
    assert main(["attack", file, "--key", str(tmp_path / "pinned.pub"), "--only", "future-written"]) == 2, "none tried"


def test_json_has_a_line_for_each_attack_and_a_last_one(own, capsys):
    assert main(["attack", str(own), "--only", "octets", "--json"]) == 0
    *lines, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert {line["family"] for line in lines} == {"octets"}
    assert lines[0]["cells"]["witness"]["verdict"] == "seen"
    assert last["exit"] == 0


def test_an_unnoticed_attack_makes_the_run_fail(own, capsys, monkeypatch):
    from audit import ratchet

    monkeypatch.setattr(ratchet, "check", lambda *_: "")
    assert main(["attack", str(own), "--only", "ratchet-removed"]) == 1
    assert "WRONG" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--demo", "LOG"], ["none"], ["--demo", "--only", "no-such-attack"]])
def test_what_cannot_be_attacked_is_not_proven(own, arguments, capsys):
    assert main(["attack", *(str(own) if one == "LOG" else one for one in arguments)]) == 2
    assert capsys.readouterr().err.startswith("healer-audit: ")


def test_a_log_that_is_not_proven_is_not_attacked(own, tmp_path, capsys):
    other = tmp_path / "other.pub"
    other.write_bytes(SealingKey.generate().public.pem)
    assert main(["attack", str(own), "--key", str(other)]) == 2
    assert "the log itself is tampered" in capsys.readouterr().err


def test_a_log_too_short_or_without_a_key_is_refused_with_a_sentence(tmp_path, event, key, capsys):
    with Writer.open(tmp_path / "s", node="n", signer=key, inline=True, reserve_bytes=0) as writer:
        writer.append(event())
    assert main(["attack", str(tmp_path / "s")]) == 2
    assert "no public key" in capsys.readouterr().err
    (tmp_path / "pub").write_bytes(key.public.pem)
    assert main(["attack", str(tmp_path / "s"), "--key", str(tmp_path / "pub")]) == 2
    assert "too short" in capsys.readouterr().err


def test_of_a_long_log_the_first_blocks_are_attacked(own, capsys, monkeypatch):
    from audit.attack import world

    monkeypatch.setattr(world, "MAX_BLOCKS", 6)
    assert main(["attack", str(own), "--only", "cut-tail"]) == 0
    assert "the first 6 blocks" in capsys.readouterr().out
