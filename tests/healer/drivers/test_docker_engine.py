"""What is asked of an engine, word by word; how it answers when it misbehaves is in test_docker.py."""

import contextlib
import socket
import subprocess
import sys
import threading
import time

import pytest
from doubles.engine import FakeEngine

from healer.drivers import docker_engine
from healer.drivers.containers import Limits
from healer.drivers.docker_engine import DockerError, Engine
from healer.errors import ActionError


@pytest.fixture
def fake(tmp_path):
    made = FakeEngine(tmp_path)
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


@pytest.fixture
def endless(tmp_path):
    """An engine of which every answer goes on and on, or (``silent``) never comes."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(tmp_path / "endless"))
    made.listen(8)
    silent = threading.Event()
    held = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                held.append(made.accept()[0])
                threading.Thread(target=answer, args=(held[-1],), daemon=True).start()

    def answer(taken):
        with contextlib.suppress(OSError):
            asked = taken.recv(65536)
            if asked and not silent.is_set():
                taken.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
                )
                while True:
                    taken.sendall(b"4000\r\n" + b"[" * 0x4000 + b"\r\n")

    threading.Thread(target=serve, daemon=True).start()
    yield made, silent
    made.shutdown(socket.SHUT_RDWR)
    for one in (made, *held):
        one.close()


def test_an_answer_that_does_not_end_is_no_answer(endless, monkeypatch):
    monkeypatch.setattr(docker_engine, "_MOST_OCTETS", 1 << 20)
    engine = Engine(f"unix://{endless[0].getsockname()}", timeout=30)
    began = time.monotonic()
    with pytest.raises(DockerError, match="does not end") as caught:
        engine.greet_now()
    assert caught.value.fact
    assert time.monotonic() - began < 5


def test_letting_go_waits_for_no_engine_that_hangs(endless):
    endless[1].set()
    engine = Engine(f"unix://{endless[0].getsockname()}", timeout=3)
    asking = threading.Thread(target=_quietly, args=(engine,))
    asking.start()
    while not engine._lock.locked():
        time.sleep(0.01)
    began = time.monotonic()
    engine.close()
    assert time.monotonic() - began < 1
    asking.join()


def _quietly(engine):
    with contextlib.suppress(DockerError):
        engine.greet_now()
