"""`healer init` beside the real things: a booted systemd, dockerd, HAProxy, Redis."""

import importlib.util
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from doubles.dockerd import Dockerd

from healer.cli import init
from healer.cli.proposing import everything
from healer.cli.proposing.containers import containers
from healer.cli.proposing.heard import listeners
from healer.cli.proposing.units import units
from healer.config import load_config
from healer.drivers.docker_engine import Engine

pytestmark = pytest.mark.real
HAPROXY = """\
global
    stats socket {folder}/admin.sock level admin
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
listen web
    bind 127.0.0.1:{port}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def until(check, within=15.0):
    end = time.monotonic() + within
    while not (found := check()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


def accepts(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def neighbour(name):
    """Another file of these tests: how it starts its own server."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"neighbour_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_database_on_a_port_of_its_own_is_found_with_the_keys_it_needs(real):
    real("pg_ctlcluster", root=True)
    folder = Path(tempfile.mkdtemp(prefix="healer-init-"))
    folder.chmod(0o755)
    server = neighbour("test_postgres").Server(folder / "server").make()
    try:
        server.start()
        found = everything.chosen(everything.listening(one for one in listeners() if one.port == server.port))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    (postgres,) = (one for one in found if one.kind != "log")
    assert (postgres.id, postgres.organ) == (f"postgres:postgres-{server.port}", "stomach")
    assert postgres.keys["host"] == str(server.folder)


def test_services_that_somebody_enabled_are_found_in_a_booted_system(boot):
    with boot() as system:
        text = "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n"
        for name in ("shop.service", "byhand.service"):
            Path(f"/proc/{system.pid}/root/etc/systemd/system/{name}").write_text(text)
        inside = ["nsenter", "--target", str(system.pid), "--all", "env", "-i", "PATH=/usr/bin:/usr/sbin"]
        for words in (["daemon-reload"], ["enable", "--now", "shop.service"], ["start", "byhand.service"]):
            subprocess.run([*inside, "systemctl", *words], check=True, capture_output=True, timeout=30)
        found = [one.id for one in units(lambda argv: everything.lines([*inside, *argv]))]
    assert "unit:shop.service" in found
    assert not [name for name in found if "byhand" in name or "systemd" in name or "dbus" in name or "getty" in name]


def test_containers_of_a_real_engine_are_found(real):
    real("dockerd", "busybox", root=True)
    engine = Dockerd()
    engine.start()
    try:
        engine.make("shop")
        assert [one.id for one in containers(Engine(engine.url))] == ["container:shop"]
    finally:
        engine.close()


def test_servers_that_run_are_proposed_as_what_they_are_and_the_file_loads(real, tmp_path):
    real("haproxy", "redis-server")
    web, cache = free_port(), free_port()
    (tmp_path / "haproxy.cfg").write_text(HAPROXY.format(folder=tmp_path, port=web))
    commands = (
        [shutil.which("haproxy", path="/usr/sbin:/usr/bin"), "-db", "-f", str(tmp_path / "haproxy.cfg")],
        ["redis-server", "--port", str(cache), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
    )
    quiet = subprocess.DEVNULL
    servers = [subprocess.Popen(argv, stdout=quiet, stderr=quiet) for argv in commands]
    try:
        until(lambda: accepts(web) and accepts(cache))
        own = {server.pid for server in servers}
        found = everything.chosen(everything.listening(one for one in listeners() if one.pid in own))
    finally:
        for server in servers:
            server.terminate()
            server.wait(10)
    assert {one.id for one in found} == {"haproxy:haproxy-admin", "haproxy:haproxy-admin-web", f"redis:redis-{cache}"}
    init.write(tmp_path / "etc", found)
    targets = load_config(tmp_path / "etc" / "organism.yaml", environ={}).targets
    assert {target.kind for target in targets} == {"haproxy", "redis"}
