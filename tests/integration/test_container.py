"""The container sensor against a real dockerd: state, health, deaths as they happen, and an engine that is away."""

import asyncio
import contextlib
import os
import signal
import time

import docker as sdk
import pytest
from doubles.dockerd import Dockerd

from healer.clock import SystemClock
from healer.drivers.docker import Docker
from healer.drivers.interface import DriverError
from healer.errors import ActionError, SensorError
from healer.model.observation import Observation
from healer.model.target import Target
from healer.sensors.container import ContainerSensor

pytestmark = pytest.mark.real
SLEEP = ["/bin/busybox", "sleep", "1000"]


@pytest.fixture(scope="module")
def daemon(real):
    real("dockerd", "busybox", root=True)
    engine = Dockerd()
    engine.start()
    yield engine, engine.client
    engine.close()


@pytest.fixture
def box(daemon):
    _, client = daemon
    made = []

    def make(name, command=SLEEP, **options):
        host = client.create_host_config(network_mode="none", **options.pop("host", {}))
        # KILL: the engine need not wait for it when it ends itself.
        client.create_container("box:1", command, name=name, host_config=host, stop_signal="KILL", **options)
        client.start(name)
        made.append(name)
        return client

    yield make
    for name in made:
        with contextlib.suppress(sdk.errors.NotFound):
            client.remove_container(name, force=True)


def sensor(docker, name):
    target = Target(kind="container", name=name, organ="heart", spec={"every": 5.0, "timeout": 5.0})
    return ContainerSensor(target, docker, SystemClock())


def values(readings):
    return {reading.metric: getattr(reading, "value", None) for reading in readings}


async def eventually(check, within=10.0):
    end = time.monotonic() + within
    while not (found := check()):
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)
    return found


async def test_a_running_container_is_seen_with_what_it_uses(daemon, box):
    engine, _ = daemon
    box("web")
    docker = Docker(engine.url)
    look = sensor(docker, "web")
    first = values(await look.look(SystemClock().now()))
    await asyncio.sleep(0.2)
    second = values(await look.look(SystemClock().now()))
    await docker.close()
    assert first["container.up"] == 1
    assert first["container.state"] == "running"
    assert first["container.health"] == "none"
    assert first["container.restarts"] == 0
    assert first["container.exit_code"] is None
    assert first["container.generation"] == second["container.generation"] != ""
    assert 0 <= second["container.uptime"] < 60
    print("usage", second)


async def test_a_container_that_is_not_there_is_absent_and_that_is_a_fact(daemon):
    engine, _ = daemon
    docker = Docker(engine.url)
    seen = values(await sensor(docker, "nobody").look(1.0))
    await docker.close()
    assert seen["container.up"] == 0
    assert seen["container.state"] == "absent"
    assert seen["container.health"] is None


async def test_a_death_is_pushed_at_once_and_is_conclusive_and_a_start_changes_the_generation(daemon, box):
    engine, _ = daemon
    client = box("victim")
    docker = Docker(engine.url)
    look = sensor(docker, "victim")
    pushed = []
    await look.open(lambda readings: pushed.append((time.monotonic(), readings)))
    before = values(await look.look(1.0))["container.generation"]
    await eventually(lambda: docker.events.open)
    pid = client.inspect_container("victim")["State"]["Pid"]
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    at, death = await eventually(lambda: pushed and pushed[0])
    assert values(death) == {
        "container.up": 0, "container.state": "exited", "container.generation": "", "container.exit_code": 137,
        "container.asked_to_end": 0,
    }  # fmt: skip
    assert all(reading.conclusive for reading in death)
    print(f"die event after {(at - killed) * 1e3:.1f} ms")
    generation = await docker.start("victim", generation="")
    _, born = await eventually(lambda: next((one for one in pushed if values(one[1]).get("container.up") == 1), None))
    after = values(born)["container.generation"]
    assert after == generation
    assert after not in ("", before)
    await look.close()
    await docker.close()


async def test_a_death_that_the_engine_itself_may_heal_is_not_conclusive(daemon, box):
    engine, _ = daemon
    client = box("phoenix", host={"restart_policy": {"Name": "always"}})
    docker = Docker(engine.url)
    look = sensor(docker, "phoenix")
    pushed = []
    await look.open(pushed.append)
    await look.look(1.0)
    await eventually(lambda: docker.events.open)
    os.kill(client.inspect_container("phoenix")["State"]["Pid"], signal.SIGKILL)
    death = await eventually(lambda: pushed and pushed[0])
    assert isinstance(death[0], Observation)
    assert not death[0].conclusive
    await eventually(lambda: values(pushed[-1]).get("container.up") == 1)
    assert values(await look.look(2.0))["container.restarts"] == 1
    await look.close()
    await docker.close()


async def test_health_is_told_when_it_changes(daemon, box):
    engine, _ = daemon
    docker = Docker(engine.url)
    look = sensor(docker, "patient")
    pushed = []
    await look.open(pushed.append)
    await eventually(lambda: docker.events.open)
    second = 1_000_000_000
    check = {
        "test": ["CMD", "/bin/busybox", "test", "-e", "/well"],
        "interval": second,
        "timeout": second,
        "retries": 1,
    }
    client = box("patient", healthcheck=check)
    await eventually(lambda: any(values(one).get("container.health") == "unhealthy" for one in pushed))
    run = client.exec_create("patient", ["/bin/busybox", "mkdir", "/well"])
    client.exec_start(run["Id"])
    await eventually(lambda: values(pushed[-1]).get("container.health") == "healthy")
    assert values(await look.look(1.0))["container.health"] == "healthy"
    await look.close()
    await docker.close()


async def test_a_paused_container_is_not_up(daemon, box):
    engine, _ = daemon
    client = box("sleeper")
    docker = Docker(engine.url)
    client.pause("sleeper")
    seen = values(await sensor(docker, "sleeper").look(1.0))
    client.unpause("sleeper")
    await docker.close()
    assert seen["container.up"] == 0
    assert seen["container.state"] == "paused"
    assert seen["container.generation"]


async def test_start_stop_and_restart_refuse_another_incarnation(daemon, box):
    engine, _ = daemon
    box("actor")
    docker = Docker(engine.url)
    old = (await docker.inspect("actor")).generation
    new = await docker.restart("actor", generation=old, grace=0)
    assert new not in ("", old)
    with pytest.raises(ActionError, match="another incarnation"):
        await docker.stop("actor", generation=old, grace=0)
    assert await docker.stop("actor", generation=new, grace=0) == ""
    with pytest.raises(ActionError, match="another incarnation"):
        await docker.start("actor", generation=new)
    with pytest.raises(ActionError, match="no container"):
        await docker.start("nobody", generation="")
    await docker.close()


async def test_an_engine_that_is_away_makes_all_unknown_and_is_found_again(daemon, box):
    engine, client = daemon
    box("orphan")
    docker = Docker(engine.url)
    look = sensor(docker, "orphan")
    pushed = []
    await look.open(pushed.append)
    assert values(await look.look(1.0))["container.up"] == 1
    await asyncio.to_thread(engine.stop)
    deaths = len(pushed)
    with pytest.raises(SensorError, match="engine"):
        await look.look(2.0)
    with pytest.raises(DriverError):
        await docker.look("orphan")
    with pytest.raises(ActionError):
        await docker.start("orphan", generation="")
    await asyncio.to_thread(engine.start)
    end = time.monotonic() + 10
    while True:
        try:
            seen = values(await look.look(3.0))
            break
        except SensorError:
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
    assert seen["container.state"] == "exited"
    assert all(values(one).get("container.up") != 1 for one in pushed[deaths:])
    client.start("orphan")
    await eventually(lambda: any(values(one).get("container.up") == 1 for one in pushed[deaths:]))
    await look.close()
    await docker.close()


async def test_what_bounds_it_and_what_it_uses_of_that_is_seen_by_the_kernels_word(daemon, box):
    engine, _ = daemon
    busy = ["/bin/busybox", "sh", "-c", "while :; do :; done"]
    box("busy", busy, host={"mem_limit": 32 << 20, "nano_cpus": 100_000_000})
    box("spare")
    docker = Docker(engine.url)
    target = Target(kind="container", name="busy", organ="heart", spec={"spare": ("spare", "nobody")})
    look = ContainerSensor(target, docker, SystemClock())
    await look.look(SystemClock().now())
    await asyncio.sleep(0.5)
    began = time.monotonic()
    seen = values(await look.look(SystemClock().now()))
    assert time.monotonic() - began < 0.9, "the engine itself takes a second to say what a container uses"
    assert seen["container.cpu_limit"] == 0.1
    assert seen["container.memory_limit"] == 32 << 20
    assert 0 < seen["container.memory_used"] < 0.9
    assert seen["container.pids"] == 1
    assert seen["container.throttled"] > 0
    assert 0 < seen["container.cpu"] < 0.5
    assert seen["container.image"] == "box:1"
    assert seen["container.instances"] == 2
    from_engine = await asyncio.to_thread(docker._engine.usage_now, "busy")
    assert from_engine.pids == 1
    assert from_engine.memory > 0
    await docker.close()


async def test_a_kill_for_want_of_memory_is_told_as_one(daemon, box):
    engine, _ = daemon
    docker = Docker(engine.url)
    look = sensor(docker, "greedy")
    pushed = []
    await look.open(pushed.append)
    await eventually(lambda: docker.events.open)
    # Sixteen bytes are doubled until the kernel says no; the shell itself is killed, or a child of it.
    greedy = ["/bin/busybox", "sh", "-c", "x=0123456789abcdef; while :; do x=$x$x; done"]
    box("greedy", greedy, host={"mem_limit": 16 << 20, "memswap_limit": 16 << 20})
    await eventually(lambda: any(values(one).get("container.oom_killed") == 1 for one in pushed), within=15)
    await eventually(lambda: any(values(one).get("container.exit_code") == 137 for one in pushed))
    assert values(await look.look(1.0))["container.oom_killed"] == 1
    await look.close()
    await docker.close()


async def test_an_engine_that_hangs_is_unknown_and_what_died_meanwhile_is_seen_when_it_goes_on(daemon, box):
    engine, client = daemon
    box("frozen")
    docker = Docker(engine.url, timeout=1)
    look = sensor(docker, "frozen")
    pushed = []
    await look.open(pushed.append)
    assert values(await look.look(1.0))["container.up"] == 1
    await eventually(lambda: docker.events.open)
    pid = client.inspect_container("frozen")["State"]["Pid"]
    os.kill(engine.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(SensorError, match="did not answer"):
            await look.look(2.0)
        began = time.monotonic()
        with pytest.raises(SensorError, match="the next try is in"):
            await look.look(2.0)
        assert time.monotonic() - began < 0.1, "while it hangs nobody waits for it"
        os.kill(pid, signal.SIGKILL)
    finally:
        os.kill(engine.process.pid, signal.SIGCONT)
    await eventually(lambda: any(values(one).get("container.up") == 0 for one in pushed))
    await look.close()
    await docker.close()


async def test_an_engine_that_never_was_is_unknown_and_says_where_it_was_looked_for(real):
    docker = Docker("unix:///nonexistent/docker.sock")
    with pytest.raises(SensorError, match="nonexistent"):
        await sensor(docker, "web").look(1.0)
    await docker.close()
