import json
import os
import socket

import pytest

from healer.cli import init
from healer.cli.proposing import everything
from healer.cli.proposing.heard import Heard
from healer.cli.proposing.proposal import Proposal
from healer.config import load_config
from healer.config.files import rule_files
from healer.rules.load import load

FOUND = [
    Proposal(kind="unit", name="nginx.service", organ="lungs", because="enabled and running: nginx"),
    Proposal(kind="container", name="shop", organ="heart", because="it runs in Docker, of shop:1"),
    Proposal(
        kind="postgres", name="postgres-5432", organ="stomach", because="pid 7 listens",
        keys={"host": "/var/run/postgresql", "port": 5432, "user": "healer"}, needs="CREATE ROLE healer LOGIN",
    ),
    Proposal(kind="redis", name="redis-6379", organ="stomach", because="pid 8 listens", keys={"port": 6379}),
    Proposal(kind="rabbitmq", name="rabbitmq", organ="stomach", because="x", keys={"url": "http://127.0.0.1:15672"}),
    Proposal(kind="haproxy", name="haproxy", organ="lungs", because="x", keys={"socket": "/run/haproxy/admin.sock"}),
    Proposal(
        kind="http", name="nginx-80", organ="lungs", because="x",
        keys={"url": "http://127.0.0.1:80/", "requires": ["unit:nginx.service"]},
    ),
    Proposal(kind="tls", name="nginx-443-certificate", organ="immune", because="x", keys={"host": "::1", "port": 443}),
    Proposal(
        kind="log", name="nginx-log", organ="nervous", because="x",
        keys={"path": "/var/log/nginx/error.log", "patterns": {"crit": r"\[crit\]"}},
    ),
    Proposal(kind="tcp", name="mine-99", organ="lungs", because="x", keys={"host": "127.0.0.1", "port": 99}),
    Proposal(kind="process", name="mine", organ="heart", because="x", keys={"process": "mine"}),
]  # fmt: skip


@pytest.fixture
def listener():
    """Somebody who listens: a child of ours, so that it is not this process."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        child = os.fork()
        if child == 0:
            import time

            time.sleep(60)
            os._exit(0)
        port = sock.getsockname()[1]
    yield port
    os.kill(child, 9)
    os.waitpid(child, 0)


@pytest.fixture
def found(monkeypatch):
    """This host is one where all of these were found."""
    monkeypatch.setattr(everything, "proposals", lambda: FOUND)


def test_what_is_written_loads_and_touches_nothing(tmp_path, healer, listener):
    folder = tmp_path / "etc"
    said = healer("init", str(folder))
    assert said.code == 0, said.err
    config = load_config(folder / "organism.yaml", environ={})
    rules = load(rule_files(config.rules))
    assert config.mode.word == "observe"
    assert "own-process-gone" in {rule.id for rule in rules.rules}
    ports = {target.spec.get("port") for target in config.targets}
    assert listener in ports
    assert f":{listener}" in said.out


def test_every_kind_that_is_proposed_is_valid_by_check_and_its_rules_are_tested(tmp_path, healer, found):
    folder = tmp_path / "etc"
    assert healer("init", str(folder)).code == 0
    config = str(folder / "organism.yaml")
    checked = healer("check", "--config", config)
    assert checked.code == 0, checked.out + checked.err
    targets = {target.id: target for target in load_config(folder / "organism.yaml", environ={}).targets}
    assert targets.keys() == {one.id for one in FOUND}
    assert targets["http:nginx-80"].requires == ("unit:nginx.service",)
    assert targets["postgres:postgres-5432"].spec["user"] == "healer"
    tested = healer("test", "--coverage", "--coverage-threshold", "100", "--config", config)
    assert tested.code == 0, tested.out
    assert "30 tests with 30 expectations in 1 file: 0 failed" in tested.err


def test_where_nothing_was_found_there_is_a_rule_to_begin_with(tmp_path, healer, monkeypatch):
    monkeypatch.setattr(everything, "proposals", list)
    assert healer("init", str(tmp_path / "etc")).code == 0
    said = healer("test", "--config", str(tmp_path / "etc" / "organism.yaml"))
    assert "3 tests with 3 expectations in 1 file: 0 failed" in said.err


def test_nothing_that_is_there_is_written_over(tmp_path, healer, found):
    (tmp_path / "organism.yaml").write_text("mine")
    said = healer("init", str(tmp_path))
    assert said.code == 2
    assert (tmp_path / "organism.yaml").read_text() == "mine"
    other = tmp_path / "other"
    (other / "rules.d").mkdir(parents=True)
    (other / "rules.d" / "own.yaml").write_text("mine")
    assert healer("init", str(other)).code == 0
    assert (other / "rules.d" / "own.yaml").read_text() == "mine"


def test_it_can_be_looked_at_first_and_says_what_is_missing(tmp_path, healer, found):
    said = healer("init", str(tmp_path), "--print")
    assert "mode: observe" in said.out
    assert "# needs: CREATE ROLE healer LOGIN" in said.out
    assert not (tmp_path / "organism.yaml").exists()
    told = json.loads(healer("init", "--json").out)["targets"]
    assert told[3] == {
        "kind": "redis", "name": "redis-6379", "organ": "stomach", "because": "pid 8 listens", "port": 6379,
    }  # fmt: skip
    assert told[2]["needs"] == "CREATE ROLE healer LOGIN"
    assert "postgres:postgres-5432 needs: CREATE ROLE" in healer("init", str(tmp_path / "etc")).err


def test_names_that_others_chose_cannot_break_the_document(tmp_path):
    hostile = 'x"}\n  - {kind: evil\x1b'
    heard = [
        Heard(name=hostile, pid=7, address="::ffff:10.0.0.1", port=80),
        Heard(name="plain", pid=8, address="::", port=81),
    ]
    init.write(tmp_path, everything.chosen(everything.listening(heard)))
    config = load_config(tmp_path / "organism.yaml", environ={})
    assert {target.kind for target in config.targets} == {"process", "tcp"}
    assert {target.spec["host"] for target in config.targets if target.kind == "tcp"} == {"10.0.0.1", "::1"}


def test_a_folder_we_may_not_write_to_is_told(healer):
    assert healer("init", "/proc/none/such").code == 2
