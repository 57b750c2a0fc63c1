import json
import subprocess
import sys

import pytest

from audit.clock import SystemClock
from audit.writer import Writer


@pytest.fixture
def log(tmp_path):
    entry = {"v": 1, "ts": 1, "mono": 1, "boot": "b", "node": "here"}
    with Writer.open(tmp_path, node="here", clock=SystemClock()) as writer:
        writer.submit([{**entry, "kind": "event", "type": "user.login", "data": {}, "who": "uid:0"}]).result()
        yield writer


def test_without_a_log_named_it_is_this_agents_own(log, healer, tmp_path):
    log.flush_anchors()
    said = healer("audit", "verify", "--no-memory")
    assert (said.code, said.out.split(":")[0]) == (0, "PROVEN")
    assert json.loads(healer("--output", "json", "audit", "verify", "--no-memory").out)["verdict"] == "proven"
    assert "user.login" in healer("audit", "show", "--kind", "event", "--no-memory").out
    assert "1 event" in healer("audit", "stats", "--no-memory").out
    assert len(healer("audit", "keys").out.split()[0]) == 64


@pytest.mark.parametrize("where", ["before", "after", "equals", "last"])
def test_the_state_folder_may_be_named_anywhere(log, healer, tmp_path, where):
    log.flush_anchors()
    folder, verify = ["--state-dir", str(tmp_path)], ["audit", "verify", "--no-memory"]
    said = {
        "before": [*folder, *verify],
        "after": ["audit", *folder, "verify", "--no-memory"],
        "equals": ["audit", "verify", f"--state-dir={tmp_path}", "--no-memory"],
        "last": [*verify, "--no-color", *folder],
    }[where]
    assert healer(*said, state=False).code == 0
    assert json.loads(healer(*said, "--output", "json", state=False).out)["verdict"] == "proven"


def test_a_log_that_does_not_prove_itself_is_2_and_a_tampered_one_is_1(log, healer, tmp_path):
    assert healer("audit", "verify", str(tmp_path / "none")).code == 2
    log.flush_anchors()
    log.close()
    file = tmp_path / "audit.db"
    octets = bytearray(file.read_bytes())
    place = octets.rindex(b"user.login")
    octets[place] ^= 1
    file.write_bytes(octets)
    assert healer("audit", "verify", "--no-memory").code == 1


@pytest.mark.parametrize(
    "args", [["--lines", "5"], ["-n", "5"], ["-n5", "--grep", "login"], ["--tail", "60", "--deep"]]
)
def test_the_value_of_an_option_is_not_taken_for_a_log(log, healer, args):
    log.flush_anchors()
    said = healer("audit", "tail", "--no-memory", *args)
    assert (said.code, "user.login" in said.out) == (0, True)


def test_what_takes_a_state_folder_takes_this_agents_own(log, healer, tmp_path):
    log.flush_anchors()
    log.close()
    assert healer("audit", "repair").code == 0
    assert healer("audit", "anchor").out == (tmp_path / "checkpoint").read_text()
    assert healer("audit", "prove", "0", "--no-memory").out.startswith("c2sp.org/tlog-proof@v1\n")
    assert healer("audit", "tiles", str(tmp_path / "tiles")).code == 0
    assert "keys/first.pub" not in healer("audit", "keys").out


def test_a_witness_has_a_configuration_of_its_own(healer, tmp_path):
    said = healer("audit", "witness", "serve", "--config", str(tmp_path / "none"))
    assert (said.code, f"no configuration at {tmp_path / 'none'}" in said.err) == (2, True)


def test_help_and_wrong_usage_come_from_the_auditor(healer):
    assert "verify" in healer("audit", "--help").out
    said = healer("audit").out
    for name in ("verify", "show", "tail", "stats", "export", "prove", "anchor", "tiles", "keys", "attack", "log TYPE"):
        assert name in said
    assert "--min-level" in healer("audit", "verify", "--help").out
    assert healer("audit", "nonsense").code == 2


def test_an_event_is_sealed_on_request(agent, healer, monkeypatch):
    """The double seals nothing, so where it would lie is made up."""
    place = {"seq": 7, "leaf": "ab" * 32, "height": 3}
    monkeypatch.setattr("healer.api.post.top", lambda _: 0)
    monkeypatch.setattr("healer.api.post.sealed_event", lambda *_args, **_more: place)
    said = healer("audit", "log", "user.login", '{"name": "x"}')
    assert (said.code, said.out) == (0, "7\n")
    assert json.loads(healer("audit", "log", "user.login", "--json").out) == {"type": "user.login", **place}
    heard = [one for one in agent.bus.ring if one.topic == "user.login"]
    assert heard[0].data["data"] == {"name": "x"}


def test_an_event_that_is_none_is_refused(agent, healer, monkeypatch):
    monkeypatch.setattr("healer.api.post.top", lambda _: 0)
    assert healer("audit", "log").code == 2
    assert healer("audit", "log", "a", "[]").code == 2
    assert healer("audit", "log", "a", "{}", "more").code == 2
    assert healer("audit", "log", "not a type").code == 1


def test_nothing_of_the_agent_is_needed_to_verify(log, tmp_path):
    """The auditor's own command, from the folder that holds audit/, with the standard library only."""
    log.flush_anchors()
    import audit

    argv = [sys.executable, "-I", "-S", str(audit.__path__[0]), "verify", str(tmp_path), "--no-memory"]
    assert subprocess.run(argv, check=False, capture_output=True, timeout=60).returncode == 0
