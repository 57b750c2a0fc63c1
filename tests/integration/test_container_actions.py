"""Restart, start and stop on a real dockerd: the container that was judged, and no other of its name."""

import contextlib
import io
import os
import shutil
import socket
import subprocess
import tarfile
import time
from pathlib import Path

import docker as sdk
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


def answers(path):
    with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
        sock.settimeout(5)
        sock.connect(path)
        sock.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        return b"200 OK" in sock.recv(100)
    return False


@pytest.fixture(scope="module")
def engine(real):
    """A dockerd of the test's own and a client of it."""
    real("dockerd", "busybox", root=True)
    folder = Path("/tmp") / f"healer-hands-{os.getpid()}"  # a socket's path must stay short
    folder.mkdir()
    url = f"unix://{folder}/docker.sock"
    command = [
        shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin"), "--data-root", f"{folder}/root",
        "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/docker.pid", "-H", url,
        "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false", "--bridge=none",
    ]  # fmt: skip
    with (folder / "log").open("ab") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + 30
        while not answers(f"{folder}/docker.sock"):
            assert daemon.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < end
            time.sleep(0.05)
        client = sdk.APIClient(base_url=url, version="auto", timeout=20)
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add("/bin/busybox", "bin/busybox")
        client.import_image_from_data(archive.getvalue(), repository="box", tag="1")
        yield url, client
        for each in client.containers(all=True):
            client.remove_container(each["Id"], force=True)
        client.close()
    finally:
        daemon.terminate()
        daemon.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


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
