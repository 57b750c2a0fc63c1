"""The driver over an engine in this process that misbehaves in every way; a real one is in tests/integration."""

import asyncio
import subprocess
import sys
import time

import pytest
from doubles.engine import FakeEngine

from healer.drivers.docker import Docker
from healer.drivers.interface import DriverError, LinkState
from healer.errors import ActionError, AmbiguousError


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.at = 100.0

    def now(self):
        return self.at

    def wall(self):
        return 1_000_000_000.0 + self.at

    def boot_id(self):
        return "boot"

    def chance(self):
        return 0.5


@pytest.fixture
def engine(tmp_path):
    made = FakeEngine(tmp_path)
    made.start()
    made.make("web")
    yield made
    made.trouble = ""
    made.stop()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def docker(engine, clock):
    driver = Docker(engine.url, timeout=1, clock=clock)
    yield driver
    await driver.close()


async def until(check, within=5.0):
    end = time.monotonic() + within
    while not (found := check()):
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.002)
    return found


async def test_nothing_is_connected_before_the_first_question(docker, engine):
    assert docker.status().state is LinkState.IDLE
    await docker.inspect("web")
    status = docker.status()
    assert (status.state, status.version, status.because) == (LinkState.CONNECTED, "20.10.0", "")
    await docker.health()


@pytest.mark.parametrize("trouble", ["hang", "reset", "garbage", "odd", "500", "old"])
async def test_an_engine_that_misbehaves_is_no_word_about_containers(engine, clock, trouble):
    driver = Docker(engine.url, timeout=1, clock=clock)
    engine.trouble = trouble
    with pytest.raises(DriverError, match=r"engine"):
        await driver.inspect("web")
    with pytest.raises(DriverError):
        await driver.labelled("healer.enable=true")
    assert driver.status().state is LinkState.LOST
    engine.trouble = ""
    clock.at += 60.0
    assert (await driver.inspect("web")).running
    await driver.close()


@pytest.mark.parametrize("trouble", ["hang", "reset", "garbage", "odd", "500"])
async def test_one_that_begins_to_misbehave_is_let_go_where_it_is_to_blame_and_found_again(
    engine, docker, clock, trouble
):
    await docker.inspect("web")
    engine.trouble = trouble
    with pytest.raises(DriverError):
        await docker.look("web")
    engine.trouble = ""
    clock.at += 60.0
    assert (await docker.look("web"))[0].running
    assert docker.status().reconnects == (0 if trouble == "500" else 1)


async def test_while_it_is_away_questions_are_refused_at_once_and_say_when_it_is_tried_again(engine, docker, clock):
    await docker.inspect("web")
    engine.stop()
    with pytest.raises(DriverError, match=r"cannot reach the container engine at .*engine\.sock"):
        await docker.inspect("web")
    for _ in range(3):
        with pytest.raises(DriverError, match=r"the next try is in 0\.[0-9] s"):
            await docker.inspect("web")
    with pytest.raises(ActionError, match="the next try"):
        await docker.start("web", generation="")
    engine.start()
    clock.at += 1.0
    assert (await docker.inspect("web")).running
    assert docker.status().reconnects == 1


async def test_a_socket_that_we_may_not_open_is_our_own_fault(engine, docker, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("socket.socket.connect", refuse)
    with pytest.raises(DriverError, match="Permission denied") as raised:
        await docker.inspect("web")
    assert not raised.value.fact
    assert "may this account use its socket" in raised.value.hint


async def test_an_engine_that_is_not_there_says_where_it_was_looked_for(monkeypatch):
    docker = Docker("unix:///nonexistent/docker.sock")
    with pytest.raises(DriverError, match=r"/nonexistent/docker\.sock: No such file"):
        await docker.inspect("web")
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere.sock")
    with pytest.raises(DriverError, match="elsewhere"):
        await Docker().inspect("web")
    await docker.close()


async def test_an_engine_elsewhere_that_refuses_is_not_asked():
    docker = Docker("tcp://127.0.0.1:1", timeout=1)
    with pytest.raises(DriverError, match="cannot reach"):
        await docker.inspect("web")
    await docker.close()


async def test_a_reply_that_was_lost_leaves_nobody_knowing(engine, docker, monkeypatch):
    await docker.inspect("web")
    judged = (await docker.inspect("web")).generation
    told = docker._engine.stop_now

    def cut_off(id_, grace):
        engine.trouble = "reset"
        told(id_, grace)

    monkeypatch.setattr(docker._engine, "stop_now", cut_off)
    with pytest.raises(AmbiguousError, match="reply was lost"):
        await docker.stop("web", generation=judged, grace=0)


async def test_an_engine_that_falls_silent_after_it_took_the_order_leaves_nobody_knowing(engine, docker, monkeypatch):
    judged = (await docker.inspect("web")).generation
    told = docker._engine.stop_now

    def and_then(id_, grace):
        told(id_, grace)
        engine.trouble = "reset"

    monkeypatch.setattr(docker._engine, "stop_now", and_then)
    with pytest.raises(AmbiguousError, match="silent since"):
        await docker.stop("web", generation=judged, grace=0)


async def test_one_that_does_not_stay_up_was_not_started(engine, docker, monkeypatch):
    engine.die("web", 7)
    monkeypatch.setattr(engine, "run", lambda box: None)
    with pytest.raises(ActionError, match="did not stay up: it is exited, its exit code is 7"):
        await docker.start("web", generation="")


async def test_it_is_done_to_the_id_that_was_judged_and_not_to_the_name(engine, docker):
    one = await docker.inspect("web")
    await docker.stop("web", generation=one.generation, grace=0)
    assert f"POST /containers/{one.id}/stop" in engine.asked


async def test_a_dead_one_is_the_container_that_was_looked_at_or_none(engine, docker):
    engine.die("web")
    await docker.look("web")
    engine.remove("web")
    engine.make("web")
    engine.die("web")
    with pytest.raises(ActionError, match="another incarnation"):
        await docker.start("web", generation="")
    await docker.look("web")
    assert await docker.start("web", generation="")


async def test_one_thread_hears_for_all_and_another_engine_is_told(engine, docker):
    await docker.inspect("web")
    first, second = [], []
    end_first, end_second = docker.subscribe(first.append), docker.subscribe(second.append, "web")
    await until(lambda: docker.events.open)
    assert docker.status().because == ""
    engine.die("web")
    await until(lambda: first and second)
    end_first()
    engine.ident = "ANOTHER:ENGINE"
    engine.cut()
    await until(lambda: docker.events.changed)
    await until(lambda: docker.events.open)
    assert "another engine answers than before (ANOTHER:ENGI" in docker.status().because
    assert len(first) == 1
    end_second()
    assert not docker.events.wanted


async def test_events_that_cannot_be_heard_are_told_in_its_status(engine, docker):
    docker.subscribe(lambda _: None)
    await docker.inspect("web")
    await until(lambda: docker.events.open)
    docker.events.open = False
    assert docker.status().because == "it answers, but its events are not heard"


async def test_so_many_questions_to_one_that_hangs_and_no_more(engine, docker, monkeypatch):
    monkeypatch.setattr("healer.drivers.docker._MOST", 2)
    await docker.inspect("web")
    engine.trouble = "hang"
    asked = [asyncio.ensure_future(docker.inspect("web")) for _ in range(3)]
    await asyncio.sleep(0.05)
    with pytest.raises(DriverError, match="2 questions"):
        await asked[2]
    engine.trouble = ""
    await asyncio.gather(*asked, return_exceptions=True)


def test_the_module_loads_without_its_library():
    code = "import sys, healer.drivers.docker; sys.exit('docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_crowd_that_looks_at_once_finds_out_once_that_it_hangs(engine, docker, monkeypatch):
    await docker.inspect("web")
    engine.trouble = "hang"
    began = time.monotonic()
    told = await asyncio.gather(*(docker.look("web") for _ in range(40)), return_exceptions=True)
    assert all(isinstance(one, DriverError) for one in told)
    assert sum("the next try is in" in one.message for one in told) >= 30
    assert time.monotonic() - began < 3.0, "eight wait for the second that it has, and nobody else"


async def test_events_are_heard_again_as_soon_as_a_look_gets_through(engine, docker, clock, monkeypatch):
    monkeypatch.setattr("healer.drivers.container_events._RETRY", (60.0,))
    docker.subscribe(lambda _: None)
    await docker.inspect("web")
    await until(lambda: docker.events.open)
    engine.stop()
    await until(lambda: not docker.events.open and docker.events.breaks)
    with pytest.raises(DriverError):
        await docker.inspect("web")
    engine.start()
    clock.at += 60.0
    await docker.inspect("web")
    await until(lambda: docker.events.open)
