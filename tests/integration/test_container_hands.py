"""Every verb on a real dockerd: the container that was judged and no other; each seen in the kernel, and put back."""

from types import SimpleNamespace

import pytest
from doubles.dockerd import Dockerd

from healer.actions.hands.container import hands
from healer.actions.interface import Order
from healer.actions.owner import ContainerOwner
from healer.actions.restart import Restart
from healer.actions.stop import Stop
from healer.drivers.docker import Docker
from healer.errors import ActionError
from healer.model.target import Target

pytestmark = pytest.mark.real
TRAPS = [
    "/bin/busybox",
    "sh",
    "-c",
    "trap 'echo again' HUP; trap 'exit 3' USR1; while :; do /bin/busybox sleep 0.1; done",
]


@pytest.fixture(scope="module")
def engine(real):
    real("dockerd", "busybox", root=True)
    made = Dockerd()
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


@pytest.fixture
def do(docker):
    """Have a verb's hand act on a container; returns what it did."""

    async def act(verb, name, params=None, **spec):
        found = await docker.inspect(name)
        target = Target(kind="container", name=name, organ="heart", spec=spec)
        order = Order(intent="aa", target=target, params=params or {}, timeout=30.0, generation=found.generation)
        return await hands(SimpleNamespace(drivers=SimpleNamespace(docker=docker)))[verb].act(order)

    return act


async def test_a_signal_has_it_read_its_configuration_and_one_that_kills_it_is_a_failure(engine, do):
    engine.make("web", command=TRAPS)
    await do("reload", "web", reload="HUP")
    assert b"again" in engine.client.logs("web")
    with pytest.raises(ActionError, match="ended of USR1"):
        await do("reload", "web", reload="USR1")


async def test_spares_are_started_and_stopped(engine, do):
    for name in ("web", "web-2", "web-3"):
        engine.make(name)
    engine.die("web-2")
    engine.die("web-3")
    done = await do("scale", "web", {"to": "3"}, spare=("web-2", "web-3"))
    assert all(engine.client.inspect_container(name)["State"]["Running"] for name in ("web-2", "web-3"))
    await do("scale", "web", dict(done.undo), spare=("web-2", "web-3"))
    states = [engine.client.inspect_container(name)["State"]["Running"] for name in ("web", "web-2", "web-3")]
    assert states == [True, False, False]
    assert len(engine.client.containers(all=True)) == 3


async def test_bounds_are_what_the_kernel_holds_it_to_and_are_put_back(engine, docker, do):
    engine.make("web", memory=64 << 20, pids=50)
    asked = {"cpu": "-50%", "memory": "+50%", "tasks": "+20%", "weight": "-50%"}
    done = await do("adjust", "web", asked)
    assert "memory 64 MiB -> 96 MiB" in done.because
    run = engine.client.exec_create("web", ["/bin/busybox", "cat", "/proc/self/cgroup"])
    assert engine.client.exec_start(run["Id"])
    one = await docker.inspect("web")
    assert one.limits.memory == 96 << 20
    assert one.limits.pids == 60
    assert one.limits.cpu_shares == 512
    assert one.limits.cpus > 0
    back = await do("adjust", "web", dict(done.undo))
    after = await docker.inspect("web")
    assert "left alone" not in back.because
    assert (after.limits.memory, after.limits.pids, after.limits.cpu_shares, after.limits.cpus) == (
        64 << 20,
        50,
        1024,
        0,
    )


async def test_a_container_is_frozen_and_let_go(engine, docker, do):
    engine.make("web")
    done = await do("quarantine", "web")
    assert engine.client.inspect_container("web")["State"]["Paused"]
    await do("quarantine", "web", dict(done.undo))
    assert (await docker.inspect("web")).running


async def test_a_container_is_cut_off_and_joined_again(engine, do):
    engine.make("web")
    done = await do("quarantine", "web", quarantine="networks")
    assert not engine.client.inspect_container("web")["NetworkSettings"]["Networks"]
    assert engine.client.inspect_container("web")["State"]["Running"]
    await do("quarantine", "web", dict(done.undo), quarantine="networks")
    assert list(engine.client.inspect_container("web")["NetworkSettings"]["Networks"]) == ["none"]


def order(name, generation, **params):
    target = Target(kind="container", name=name, organ="heart")
    return Order(intent="aa", target=target, params=params, timeout=30.0, generation=generation)


async def test_a_dead_container_is_started_and_a_living_one_replaced(engine, docker):
    engine.make("web")
    restart = Restart({"container": ContainerOwner(lambda: docker)})
    engine.die("web")
    born = await restart.act(order("web", ""))
    again = await restart.act(order("web", born.generation, grace=0))
    assert "" != born.generation != again.generation != ""
    assert engine.client.inspect_container("web")["State"]["Running"]
    with pytest.raises(ActionError, match="another incarnation"):
        await restart.act(order("web", born.generation, grace=0))


async def test_a_container_made_anew_under_the_same_name_is_left_alone_and_one_that_is_stopped_stays_down(
    engine, docker
):
    stop = Stop({"container": ContainerOwner(lambda: docker)})
    engine.make("twin")
    judged = (await docker.inspect("twin")).generation
    engine.remove("twin")
    engine.make("twin")
    with pytest.raises(ActionError, match="another incarnation"):
        await stop.act(order("twin", judged, grace=0))
    assert engine.client.inspect_container("twin")["State"]["Running"]
    await stop.act(order("twin", (await docker.inspect("twin")).generation, grace=0))
    assert not engine.client.inspect_container("twin")["State"]["Running"]
