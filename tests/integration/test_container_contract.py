"""What the driver of containers promises, asked of the engine in this process and of a real dockerd alike.

The unit tests lean on the former: where the two differ here, it lies.
"""

import asyncio
import time

import pytest
from doubles.dockerd import Dockerd
from doubles.engine import FakeEngine

from healer.drivers.containers import RESUMED, Limits
from healer.drivers.docker import Docker
from healer.errors import ActionError

pytestmark = pytest.mark.real


@pytest.fixture(scope="module", params=["in this process", "dockerd"])
def engine(request, real):
    if request.param == "dockerd":
        real("dockerd", "busybox", root=True)
        made = Dockerd()
    else:
        made = FakeEngine()
    made.start()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def empty(engine):
    yield
    engine.empty()


@pytest.fixture
async def docker(engine):
    driver = Docker(engine.url)
    yield driver
    await driver.close()


async def until(check, within=10.0):
    end = time.monotonic() + within
    while not (found := check()):
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.005)
    return found


async def listening(docker, name=""):
    heard = []
    docker.subscribe(heard.append, name)
    await until(lambda: docker.events.open)
    await asyncio.sleep(0.05)
    return heard


def named(heard, what):
    return next((event for event in heard if event.what == what), None)


async def test_a_container_is_described(engine, docker):
    engine.make("web", labels={"healer.enable": "true"}, memory=64 << 20, policy="on-failure")
    one, used = await docker.look("web")
    assert (one.name, one.state, one.health, one.policy, one.image) == ("web", "running", "none", "on-failure", "box:1")
    assert one.labels["healer.enable"] == "true"
    assert one.limits.memory == 64 << 20
    assert one.generation.startswith(one.id[:12])
    assert one.exit_code is None
    assert not one.oom_killed
    assert used is not None
    assert used.memory > 0
    assert used.pids == 1
    assert (await docker.look("nobody")) == (None, None)


async def test_labelled_containers_are_listed_whether_they_run_or_not(engine, docker):
    engine.make("bee", labels={"healer.enable": "true"})
    engine.make("ant", labels={"healer.enable": "true"})
    engine.make("cow", labels={"healer.enable": "false"})
    engine.die("ant")
    found = await docker.labelled("healer.enable=true")
    assert [(one.name, one.state) for one in found] == [("ant", "exited"), ("bee", "running")]


async def test_start_stop_and_restart_are_of_one_incarnation_and_proved(engine, docker):
    engine.make("web")
    old = (await docker.inspect("web")).generation
    new = await docker.restart("web", generation=old, grace=0)
    assert new not in ("", old)
    with pytest.raises(ActionError, match="another incarnation"):
        await docker.stop("web", generation=old, grace=0)
    assert await docker.stop("web", generation=new, grace=0) == ""
    with pytest.raises(ActionError, match="another incarnation"):
        await docker.start("web", generation=new)
    assert (await docker.start("web", generation="")) not in ("", old, new)
    with pytest.raises(ActionError, match="no container"):
        await docker.start("nobody", generation="")


async def test_another_container_under_the_name_of_a_dead_one_is_not_touched(engine, docker):
    engine.make("web")
    engine.die("web")
    await docker.look("web")
    engine.remove("web")
    engine.make("web")
    engine.die("web")
    with pytest.raises(ActionError, match="another incarnation"):
        await docker.start("web", generation="")


async def test_a_pause_freezes_and_is_taken_back(engine, docker):
    engine.make("web")
    judged = (await docker.inspect("web")).generation
    await docker.pause("web", generation=judged)
    assert (await docker.inspect("web")).state == "paused"
    await docker.unpause("web", generation=judged)
    assert (await docker.inspect("web")).running
    with pytest.raises(ActionError, match="refused"):
        await docker.unpause("web", generation=judged)


async def test_a_signal_reaches_the_first_process(engine, docker):
    engine.make("web")
    judged = (await docker.inspect("web")).generation
    await docker.signal("web", generation=judged, signal="KILL")
    await until(lambda: True)
    end = time.monotonic() + 5
    while (one := await docker.inspect("web")).generation:
        assert time.monotonic() < end
    assert one.exit_code == 137


async def test_networks_are_left_and_joined_again(engine, docker):
    engine.make("web")
    one = await docker.inspect("web")
    assert list(one.networks) == ["none"]
    await docker.detach("web", generation=one.generation, networks=["none"])
    assert not (await docker.inspect("web")).networks
    await docker.attach("web", generation=one.generation, networks={"none": {}})
    assert list((await docker.inspect("web")).networks) == ["none"]


async def test_bounds_are_changed_while_it_runs(engine, docker):
    engine.make("web", memory=64 << 20, nano_cpus=500_000_000, pids=50)
    one = await docker.inspect("web")
    assert (one.limits.nano_cpus, one.limits.pids) == (500_000_000, 50)
    more = Limits(nano_cpus=600_000_000, memory=160 << 20, memory_swap=256 << 20, pids=60)
    await docker.update("web", generation=one.generation, limits=more)
    after = await docker.inspect("web")
    assert after.limits == more
    assert after.generation == one.generation
    await docker.update("web", generation=one.generation, limits=one.limits)
    assert (await docker.inspect("web")).limits == one.limits


async def test_a_death_is_told_at_once_and_as_nobodys_wish(engine, docker):
    engine.make("web")
    heard = await listening(docker)
    engine.die("web")
    death = await until(lambda: named(heard, "die"))
    assert (death.name, death.exit_code, death.asked, death.late, death.container) == ("web", 137, False, False, None)
    engine.revive("web")
    born = await until(lambda: named(heard, "start"))
    assert born.container.running


async def test_a_death_that_somebody_asked_for_is_told_as_one(engine, docker):
    engine.make("web")
    heard = await listening(docker)
    engine.ask_to_stop("web")
    assert (await until(lambda: named(heard, "die"))).asked
    engine.revive("web")
    await until(lambda: named(heard, "start"))
    heard.clear()
    engine.die("web")
    assert not (await until(lambda: named(heard, "die"))).asked


async def test_what_happened_while_nobody_heard_is_told_as_it_stands_now(engine, docker):
    engine.make("web")
    heard = await listening(docker, "web")
    docker.events.interrupt()
    engine.die("web")
    engine.revive("web")
    back = await until(lambda: named(heard, RESUMED))
    assert back.container.running
    death = await until(lambda: named(heard, "die"))
    assert death.late
    assert death.container.running, "an old death must not be told as one of now"
    assert docker.events.breaks == 1


async def test_a_removal_is_told(engine, docker):
    engine.make("web")
    heard = await listening(docker)
    engine.remove("web")
    gone = await until(lambda: named(heard, "destroy"))
    assert gone.container is None
