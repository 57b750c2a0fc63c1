"""What is asked of an engine, word by word; how it answers when it misbehaves is in test_docker.py."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from healer.drivers.containers import Limits
from healer.drivers.docker_engine import DockerError, Engine
from healer.errors import ActionError


def _double():
    path = Path(__file__).parents[2] / "doubles" / "engine.py"
    spec = importlib.util.spec_from_file_location("doubles_engine", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.FakeEngine


@pytest.fixture
def fake(tmp_path):
    made = _double()(tmp_path)
    made.start()
    made.make("web", memory=1 << 20)
    yield made
    made.trouble = ""
    made.stop()


@pytest.fixture
def engine(fake):
    made = Engine(fake.url, timeout=1)
    yield made
    made.close()


def test_what_the_kernel_does_not_say_the_engine_is_asked(engine):
    found, used = engine.look_now("web")
    assert found.name == "web"
    assert (used.cpu, used.memory, used.pids, used.periods, used.throttled) == (0.5, 1 << 20, 1, 10, 5)


def test_what_does_not_run_uses_nothing_and_is_not_measured(engine, fake):
    fake.die("web")
    assert engine.look_now("web")[1] is None
    assert not [asked for asked in fake.asked if "stats" in asked]


def test_what_the_engine_says_no_to_did_not_happen(engine, fake):
    one = engine.inspect_now("web")
    with pytest.raises(ActionError, match="the engine refused: Memory limit should be smaller"):
        engine.update_now(one.id, Limits(memory=10 << 20, memory_swap=5 << 20), one.limits)
    with pytest.raises(ActionError, match="refused"):
        engine.unpause_now(one.id)
    fake.trouble = "reset"
    with pytest.raises(DockerError) as raised:
        engine.start_now(one.id)
    assert raised.value.sent


def test_a_list_of_something_else_is_no_list(engine, fake):
    engine.greet_now()
    fake.trouble = "garbage"
    with pytest.raises(DockerError):
        engine.labelled_now("healer.enable=true")


def test_both_clients_are_ready_before_the_first_act(engine, fake):
    assert engine.prepare_now().version == "20.10.0"
    assert fake.asked.count("GET /version") == 2
    engine.start_now(engine.inspect_now("web").id)
    assert fake.asked.count("GET /version") == 2


def test_the_module_loads_without_its_library():
    code = "import sys, healer.drivers.docker_engine; sys.exit('docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
