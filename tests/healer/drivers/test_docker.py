"""The engine's words taken apart, and an engine that is not there; a real one is in tests/integration."""

import asyncio
import socket
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers.docker import WATCHED, Docker, DockerError, Event, describe, measure, read_event
from healer.errors import ActionError

FOUND = {
    "Id": "0123456789abcdef", "Name": "/web", "RestartCount": 3,
    "State": {"Status": "running", "Running": True, "StartedAt": "2026-01-01T00:00:00Z", "ExitCode": 0},
    "HostConfig": {"RestartPolicy": {"Name": "always"}},
}  # fmt: skip


def test_a_description_is_understood():
    container = describe(FOUND)
    assert (container.name, container.state, container.health, container.restarts) == ("web", "running", "none", 3)
    assert container.generation == "0123456789ab.2026-01-01T00:00:00Z"
    assert container.exit_code is None
    assert container.policy == "always"


@pytest.mark.parametrize(
    ("status", "running", "code"), [("exited", False, 7), ("created", False, None), ("restarting", True, None)]
)
def test_an_exit_code_is_of_a_run_that_ended(status, running, code):
    state = {"Status": status, "Running": running, "ExitCode": 7, "Health": {"Status": "starting"}}
    container = describe({**FOUND, "State": state})
    assert container.exit_code == code
    assert container.generation == ""
    assert container.health == "starting"


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(["Id", "Name", "State", "Status", "Action", "Actor", "Attributes", "cpu_stats", "usage"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)


@given(junk=st.dictionaries(st.sampled_from(["Id", "Name", "State", "HostConfig", "RestartCount"]), JUNK))
def test_any_other_description_is_an_engine_that_cannot_be_understood(junk):
    try:
        describe(junk)
    except DockerError:
        return


@given(JUNK)
def test_any_junk_of_events_and_measures_is_nothing(junk):
    event = read_event(junk)
    assert event is None or event.what in WATCHED
    if isinstance(junk, dict):
        assert measure(junk) is None


def test_memory_leaves_out_the_cache_it_would_give_back():
    cpu = {"cpu_usage": {"total_usage": 1_500_000_000}}
    v2 = {"cpu_stats": cpu, "memory_stats": {"usage": 1000, "stats": {"inactive_file": 300}}}
    v1 = {"cpu_stats": cpu, "memory_stats": {"usage": 1000, "stats": {"total_inactive_file": 100}}}
    assert measure(v2).memory == 700
    assert measure(v1).memory == 900
    assert measure(v1).cpu == 1.5
    assert measure({"cpu_stats": cpu, "memory_stats": {}}) is None


def raw(action, **about):
    return {"Type": "container", "Action": action, "Actor": {"ID": "abc", "Attributes": {"name": "web", **about}}}


def test_events_are_understood():
    assert read_event(raw("die", exitCode="137")) == Event(
        what="die", id="abc", name="web", exit_code=137, container=None
    )
    assert read_event(raw("health_status: unhealthy")).what == "health_status"
    assert read_event(raw("exec_die")) is None
    assert read_event(raw("die", exitCode="²")).exit_code is None


async def test_an_engine_that_is_not_there_says_where_it_was_looked_for(monkeypatch):
    docker = Docker("unix:///nonexistent/docker.sock")
    for ask in (docker.inspect, docker.usage):
        with pytest.raises(DockerError, match=r"/nonexistent/docker\.sock: No such file"):
            await ask("web")
    with pytest.raises(ActionError, match="nonexistent"):
        await docker.start("web", generation="")
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere.sock")
    with pytest.raises(DockerError, match="elsewhere"):
        await Docker().inspect("web")
    await docker.close()


async def test_an_engine_that_takes_the_question_and_is_silent_is_given_up(tmp_path):
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "s"))
        deaf.listen(8)
        docker = Docker(f"unix://{tmp_path}/s", timeout=1)
        with pytest.raises(DockerError, match="engine"):
            await docker.inspect("web")
        await docker.close()


async def test_an_engine_elsewhere_that_refuses_is_not_asked():
    docker = Docker("tcp://127.0.0.1:1", timeout=1)
    with pytest.raises(DockerError, match="cannot reach"):
        await docker.inspect("web")
    await docker.close()


async def test_one_thread_hears_for_all_and_ends_with_the_last():
    docker = Docker("unix:///nonexistent/docker.sock")
    first, second = docker.subscribe(print), docker.subscribe(repr)
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("docker-events") == 1
    first()
    first()
    second()
    for _ in range(100):
        if "docker-events" not in [thread.name for thread in threading.enumerate()]:
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail("the thread goes on")
    await docker.close()


def test_the_module_loads_without_its_library():
    code = "import sys, healer.drivers.docker; sys.exit('docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
