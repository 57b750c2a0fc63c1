"""Every kind of sensor is in the list, and loading the list loads no library that a host may not need."""

import subprocess
import sys

import pytest

from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.drivers.docker import Docker
from healer.drivers.http import Http
from healer.errors import ConfigError
from healer.model.kinds.catalog import KINDS as TARGET_KINDS
from healer.model.target import Target
from healer.sensors import catalog
from healer.sensors.catalog import KINDS, Services, build, defaults, everything

SPECS = {
    "process": {"process": "sshd"}, "file": {"path": "/etc/hostname"}, "command": {"argv": ["true"]},
    "http": {"url": "http://127.0.0.1:1/"}, "tcp": {"port": 1}, "container": {},
    "sql": {"path": "/nonexistent", "queries": {"one": "SELECT 1"}},
    "haproxy": {"socket": "/nonexistent"}, "tls": {"host": "127.0.0.1"}, "dns": {"record": "example.org"},
    "prometheus": {"url": "http://127.0.0.1:1/", "series": {"load": "node_load1"}},
    "log": {"path": "/var/log/x"}, "nagios": {"argv": ["true"]},
}  # fmt: skip


NOWHERE = "unix:///nonexistent"


def services(programs=None):
    clock = SystemClock()
    return Services(clock=clock, http=Http(clock), docker=Docker(NOWHERE), drivers=Drivers(clock), programs=programs)


def target(kind):
    return Target(kind=kind, name="x", organ="heart", spec=SPECS.get(kind, {}))


def test_there_is_a_sensor_for_every_kind():
    assert set(KINDS) == set(TARGET_KINDS) - {"program"}  # one sensor looks at all programs


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_built_for_its_target(kind):
    sensor = build(target(kind), services())
    assert sensor.name == sensor.target == f"{kind}:x"
    assert sensor.covers(f"{kind}:x")
    assert sensor.timeout > 0
    assert sensor.max_age > sensor.every


def test_a_kind_nothing_can_look_at_is_named_with_those_that_can():
    with pytest.raises(ConfigError, match="moon:x: no sensor for kind 'moon'") as caught:
        build(target("moon"), services())
    assert "container" in caught.value.hint


def test_the_host_and_the_agent_itself_are_always_looked_at():
    assert [sensor.name for sensor in defaults(services())] == ["host", "host:slow", "self"]


def test_programs_share_one_sensor():
    class View:
        def names(self):
            return ()

    named = [sensor.name for sensor in everything([target("tcp"), target("program")], services(View()), host_every=2.0)]
    assert named == ["host", "host:slow", "self", "programs", "tcp:x"]


def test_a_target_that_names_its_control_group_has_it_looked_at():
    grouped = Target(kind="unit", name="x", organ="heart", spec={"cgroup": "/system.slice/x.service"})
    assert [sensor.name for sensor in everything([grouped], services())][-1] == "cgroup:unit:x"


def test_what_nothing_tells_is_no_figure():
    assert services().figures() == {}


def test_loading_every_sensor_loads_neither_docker_nor_httpx():
    unwanted = {"dbus_fast", "docker", "httpx", "requests"}
    code = f"import sys, {catalog.__name__}; sys.exit(bool({unwanted} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
