"""Restart, start and stop on a real dockerd: the container that was judged, and no other of its name."""

import importlib.util
import time
from pathlib import Path

import pytest

from healer.actions.interface import Order
from healer.actions.owner import ContainerOwner
from healer.actions.restart import Restart
from healer.actions.stop import Stop
from healer.drivers.docker import Docker
from healer.errors import ActionError
from healer.model.target import Target

pytestmark = pytest.mark.real
SLEEP = ["/bin/busybox", "sleep", "1000"]


def _double():
    path = Path(__file__).parents[1] / "doubles" / "dockerd.py"
    spec = importlib.util.spec_from_file_location("doubles_dockerd", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Dockerd()


@pytest.fixture(scope="module")
def engine(real):
    """A dockerd of the test's own and a client of it."""
    real("dockerd", "busybox", root=True)
    made = _double()
    made.start()
    yield made.url, made.client
    made.close()


@pytest.fixture
async def docker(engine):
    driver = Docker(engine[0])
    yield driver
    await driver.close()


def make(client, name):
    client.create_container("box:1", SLEEP, name=name, host_config=client.create_host_config(network_mode="none"))
    client.start(name)


def order(name, generation, **params):
    target = Target(kind="container", name=name, organ="heart")
    return Order(intent="aa", target=target, params=params, timeout=30.0, generation=generation)


async def test_a_dead_container_is_started_and_a_living_one_replaced(engine, docker):
    _, client = engine
    make(client, "web")
    restart = Restart({"container": ContainerOwner(lambda: docker)})
    client.kill("web")
    started = time.monotonic()
    born = await restart.act(order("web", ""))
    print(f"dead -> started in {(time.monotonic() - started) * 1e3:.0f} ms")
    again = await restart.act(order("web", born.generation, grace=0))
    assert "" != born.generation != again.generation != ""
    assert client.inspect_container("web")["State"]["Running"]
    with pytest.raises(ActionError, match="another incarnation"):
        await restart.act(order("web", born.generation, grace=0))


async def test_a_container_made_anew_under_the_same_name_is_left_alone(engine, docker):
    _, client = engine
    make(client, "twin")
    judged = (await docker.inspect("twin")).generation
    client.remove_container("twin", force=True)
    make(client, "twin")
    with pytest.raises(ActionError, match="another incarnation"):
        await Stop({"container": ContainerOwner(lambda: docker)}).act(order("twin", judged, grace=0))
    assert client.inspect_container("twin")["State"]["Running"]


async def test_one_that_is_stopped_stays_down(engine, docker):
    _, client = engine
    make(client, "down")
    judged = (await docker.inspect("down")).generation
    await Stop({"container": ContainerOwner(lambda: docker)}).act(order("down", judged, grace=0))
    assert not client.inspect_container("down")["State"]["Running"]
