"""The victims: each breaks as told, and the organism around them loads without a mistake."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from healer.api.serve import bind
from healer.config import load_config
from healer.config.files import rule_files
from healer.demo import victims
from healer.demo.victims import VICTIMS
from healer.errors import HealerError
from healer.rules import load as rules_loader


@pytest.fixture
def child():
    made = []

    def start(command):
        made.append(subprocess.Popen(command))
        return made[-1]

    yield start
    for one in made:
        one.kill()
        one.wait()


def until(what, within=10.0):
    deadline = time.monotonic() + within
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_organism_loads_and_every_victim_has_its_rule():
    config = load_config(victims.organism(8088), environ={})
    rules = rules_loader.load(rule_files(config.rules), base=config.rules.base)
    known = {rule.id for rule in rules.rules}
    targets = {target.id for target in config.targets}
    assert {victim.rule for victim in VICTIMS} | {victims.ON_TRIAL} == known
    assert {name for victim in VICTIMS for name in (victim.target, *victim.watched)} == targets
    assert [victim.fault for victim in VICTIMS] == ["killed", "hung", "leaking"]


def test_nothing_of_the_surroundings_configures_the_agent():
    given = {
        "PATH": "/bin",
        "HEALER_LIMITS__CONCURRENT": "1",
        "NOTIFY_SOCKET": "x",
        "STATE_DIRECTORY": "/var/lib/healer",
    }
    assert victims.environment(given) == {"PATH": "/bin"}


def test_a_fresh_folder_is_taken_and_known_again_by_its_port(tmp_path):
    port = victims.settle(tmp_path / "new" / "deep")
    assert 0 < port < 65536
    (tmp_path / "new" / "deep" / "audit.db").write_bytes(b"a log")
    assert victims.settle(tmp_path / "new" / "deep") == port


@pytest.mark.parametrize("mark", [None, "", "{", "[]", '{"port": 0}', '{"port": 65536}', '{"port": "x"}', "{}"])
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, mark):
    (tmp_path / "audit.db").write_bytes(b"somebody's log")
    if mark is not None:
        (tmp_path / victims.MARK).write_text(mark)
    with pytest.raises(HealerError, match="no demonstration"):
        victims.settle(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HealerError, match="cannot use"):
        victims.settle(tmp_path / "file" / "state")


def test_a_folder_too_deep_for_a_socket_is_listened_in_all_the_same(tmp_path):
    with victims.listening(Path("/short")) as path:
        assert path == ""
    deep = tmp_path.joinpath(*["d" * 60] * 3)
    deep.mkdir(parents=True)
    with victims.listening(deep) as path:
        assert load_config(victims.organism(8088, path), environ={}).api.socket == path
        bind(Path(path)).close()
        assert (deep / "healer.sock").is_socket()


def test_a_signal_is_sent_only_once_it_is_heard(child):
    config = victims.organism(8088)
    leaks = child(next(one["command"] for one in config["programs"] if one["name"] == "leaks"))
    until(lambda: victims.hears(leaks.pid, signal.SIGUSR1))
    assert victims.hears(leaks.pid, signal.SIGKILL)
    assert not victims.hears(leaks.pid, signal.SIGUSR2)
    leaks.kill()
    leaks.wait()
    assert not victims.hears(leaks.pid, signal.SIGUSR1)


def test_the_leak_grows_when_it_is_struck_and_not_before(child):
    config = victims.organism(8088)
    leaks = child(next(one["command"] for one in config["programs"] if one["name"] == "leaks"))
    until(lambda: victims.hears(leaks.pid, signal.SIGUSR1))

    def resident():
        return int(Path(f"/proc/{leaks.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    assert resident() < 24 << 20
    victims.strike(leaks.pid, signal.SIGUSR1)
    until(lambda: resident() > 48 << 20)


def test_what_is_gone_cannot_be_struck(child):
    gone = child([sys.executable, "-c", ""])
    gone.wait()
    with pytest.raises(HealerError, match="gone already"):
        victims.strike(gone.pid, signal.SIGKILL)


def test_what_ended_and_was_not_reaped_is_no_victim(child):
    zombie = child(["sleep", "60"])
    victims.strike(zombie.pid, signal.SIGKILL)
    assert zombie.wait() == -signal.SIGKILL
