import json
import os
import socket
from pathlib import Path

import pytest

from healer.cli import init
from healer.config import load_config
from healer.config.files import rule_files
from healer.rules.load import load


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


def test_what_is_written_loads_and_touches_nothing(tmp_path, healer, listener):
    folder = tmp_path / "etc"
    said = healer("init", str(folder))
    assert said.code == 0, said.err
    config = load_config(folder / "organism.yaml", environ={})
    rules = load(rule_files(config.rules))
    assert config.mode.word == "observe"
    assert rules.rules[0].id == "process-gone"
    ports = {target.spec.get("port") for target in config.targets}
    assert listener in ports
    assert f":{listener}" in said.out


def test_what_is_written_brings_its_tests_and_they_leave_nothing_out(tmp_path, healer):
    init._write(tmp_path, init.document([]))
    said = healer("test", "--coverage", "--coverage-threshold", "100", "--config", str(tmp_path / "organism.yaml"))
    assert said.code == 0, said.out
    assert "3 tests with 3 expectations in 1 file: 0 failed" in said.err


def test_nothing_that_is_there_is_written_over(tmp_path, healer):
    (tmp_path / "organism.yaml").write_text("mine")
    said = healer("init", str(tmp_path))
    assert said.code == 2
    assert (tmp_path / "organism.yaml").read_text() == "mine"
    other = tmp_path / "other"
    (other / "rules.d").mkdir(parents=True)
    (other / "rules.d" / "own.yaml").write_text("mine")
    assert healer("init", str(other)).code == 0
    assert (other / "rules.d" / "own.yaml").read_text() == "mine"


def test_it_can_be_looked_at_first(tmp_path, healer, monkeypatch):
    monkeypatch.setattr(init, "proposals", lambda: iter(init.of_listener("redis-server", 7, "0.0.0.0", 6379)))
    said = healer("init", str(tmp_path), "--print")
    assert "mode: observe" in said.out
    assert not (tmp_path / "organism.yaml").exists()
    found = json.loads(healer("init", "--json").out)["targets"]
    assert found[0] == {
        "kind": "process", "name": "redis-server", "organ": "stomach",
        "because": "pid 7 listens at 0.0.0.0:6379", "process": "redis-server",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "organ"), [("postgres", "stomach"), ("redis-server", "stomach"), ("nginx", "lungs"), ("python3", "heart")]
)
def test_things_are_put_into_the_organ_they_serve(name, organ):
    assert init.organ_of(name) == organ


def test_names_that_others_chose_cannot_break_the_document(tmp_path):
    hostile = 'x"}\n  - {kind: evil\x1b'
    found = [*init.of_listener(hostile, 7, "::ffff:10.0.0.1", 80), *init.of_listener("plain", 8, "::", 81)]
    path = tmp_path / "organism.yaml"
    path.write_text(init.document(found))
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "rules.d" / "own.yaml").write_text(init.RULES)
    config = load_config(path, environ={})
    assert {target.kind for target in config.targets} == {"process", "tcp"}
    assert {target.spec["host"] for target in config.targets if target.kind == "tcp"} == {"10.0.0.1", "::1"}


def test_containers_are_asked_of_the_engine_and_its_silence_is_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.which", lambda _: "/bin/echo")
    monkeypatch.setattr(Path, "exists", lambda _: True)
    monkeypatch.setattr(init, "_lines", lambda argv: ["db-redis", "web"])
    assert [(one.name, one.organ) for one in init.containers()] == [("db-redis", "stomach"), ("web", "heart")]
    monkeypatch.undo()
    assert init._lines(["/bin/false"]) == []
    assert init._lines([str(tmp_path / "none")]) == []
    assert init._lines(["/bin/echo", "a"]) == ["a"]
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert list(init.containers()) == []


def test_a_folder_we_may_not_write_to_is_told(healer):
    assert healer("init", "/proc/none/such").code == 2
