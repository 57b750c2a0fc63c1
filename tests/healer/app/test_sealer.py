"""The agent seals with the key it is configured for, and does not start where it cannot."""

import os
import sys
from pathlib import Path

import pytest

from audit import keys
from audit.errors import Damaged, KeyRefused
from audit.keys import SealingKey
from audit.signer import SignerFailed
from audit.verifier import Ask, verify
from healer.app import Agent
from healer.app.sealer import sealer
from healer.config.values import Audit, Signer
from healer.errors import ConfigError, HealerError
from healer.yamldoc.secret import Secret

QUIET = {"version": 1, "rules": {"files": []}}


@pytest.fixture(scope="module")
def key() -> SealingKey:
    return SealingKey.generate()


@pytest.fixture
def token(tmp_path, key):
    """A program that signs, and its public key."""
    vault = tmp_path / "vault"
    vault.mkdir(mode=0o700)
    (vault / "seal.pem").write_bytes(key.pem())
    (vault / "seal.pem").chmod(0o600)
    (vault / "seal.pub").write_bytes(key.public.pem)
    script = tmp_path / "signer.py"
    script.write_text(
        f"import base64, sys\nsys.path.insert(0, {str(Path(__file__).resolve().parents[3])!r})\n"
        f"import os\nfrom pathlib import Path\nfrom audit import keys\nkey = keys.load(Path({str(vault)!r}))\n"
        f"Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        "for line in sys.stdin:\n"
        "    print(base64.b64encode(key.sign(base64.b64decode(line))).decode(), flush=True)\n"
    )
    return {"command": ["/usr/bin/env", sys.executable, str(script)], "public": str(vault / "seal.pub")}


def test_an_agent_seals_through_a_program(tmp_path, token, key):
    config = {**QUIET, "audit": {"signer": token}}
    with Agent(config, state_dir=tmp_path / "s") as agent:
        agent.log_event("user.test", {})
        pid = (tmp_path / "pid").read_text()
        assert Path(f"/proc/{pid}").exists()
    assert sorted(path.name for path in (tmp_path / "s" / "keys").glob("seal.*")) == ["seal.pub"]
    report = verify(Ask(log=tmp_path / "s", key=Path(token["public"]), deep=True))
    assert report.exit_code == 0, report.text()
    assert not Path(f"/proc/{pid}").exists()


def test_an_agent_does_not_start_with_a_program_that_does_not_sign(tmp_path, token):
    config = {**QUIET, "audit": {"signer": {**token, "command": ["/bin/false"]}}}
    with pytest.raises(SignerFailed, match="ended with status 1"), Agent(config, state_dir=tmp_path / "s"):
        pytest.fail("it started")


@pytest.mark.parametrize("name", ["/nowhere/signer", "no-such-signer"])
def test_a_program_that_is_not_there_is_refused(token, name):
    audit = Audit(signer=Signer(command=(name,), public=token["public"]))
    with pytest.raises(ConfigError, match=r"audit\.signer"), sealer(audit, {}):
        pytest.fail("it was found")


def test_a_program_that_others_may_replace_is_refused(tmp_path, token):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o777)
    audit = Audit(signer=Signer(command=(str(program),), public=token["public"]))
    with pytest.raises(ConfigError, match=r"audit\.signer"), sealer(audit, {}):
        pytest.fail("it was trusted")


def test_an_agent_seals_with_the_key_that_systemd_lends(tmp_path, key, monkeypatch):
    lent = tmp_path / "lent"
    lent.mkdir()
    (lent / "healer-seal.pem").write_bytes(key.pem(b"sesame"))
    (lent / "healer-seal-passphrase").write_bytes(b"sesame\n")
    for path in lent.iterdir():
        path.chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(lent))
    with Agent(QUIET, state_dir=tmp_path / "s") as agent:
        agent.log_event("user.test", {})
    assert keys.load_public(tmp_path / "s" / "keys" / "seal.pub") == key.public
    assert not (tmp_path / "s" / "keys" / "seal.pem").exists()
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises((KeyRefused, Damaged)), Agent(QUIET, state_dir=tmp_path / "s"):
        pytest.fail("it went on without its key")


def test_a_passphrase_comes_from_a_file_and_is_never_shown(tmp_path):
    words = tmp_path / "words"
    words.write_text("open sesame\n")
    words.chmod(0o600)
    config = {**QUIET, "audit": {"passphrase": {"file": str(words)}}}
    with Agent(config, state_dir=tmp_path / "s") as agent:
        agent.log_event("user.test", {"text": "they said open sesame"})
    assert b"ENCRYPTED" in (tmp_path / "s" / "keys" / "seal.pem").read_bytes()
    assert b"open sesame" not in (tmp_path / "s" / "audit.db").read_bytes()
    words.write_text("wrong\n")
    with pytest.raises(KeyRefused, match="does not open") as caught, Agent(config, state_dir=tmp_path / "s"):
        pytest.fail("it opened")
    assert "wrong" not in str(caught.value)


def test_a_passphrase_that_is_missing_is_told(tmp_path):
    audit = Audit(passphrase=Secret(file=str(tmp_path / "nothing")))
    with pytest.raises(HealerError, match="cannot be read"), sealer(audit, dict(os.environ)):
        pytest.fail("it was read")
