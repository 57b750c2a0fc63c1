import pytest

from healer.model.observation import Observation, Unknown
from healer.model.target import Target
from healer.sensors.cgroup import CgroupSensor

TARGET = Target(kind="program", name="api", organ="heart", spec={"cgroup": "/system.slice/api.service"})
PSI = "some avg10={:.2f} avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
STAT = "usage_usec 1\nuser_usec 1\nsystem_usec 0\nnr_periods {}\nnr_throttled {}\nthrottled_usec 5\n"


@pytest.fixture
def group(tmp_path):
    folder = tmp_path / "system.slice" / "api.service"
    folder.mkdir(parents=True)
    for what, percent in (("cpu", 70.0), ("memory", 0.0), ("io", 12.5)):
        (folder / f"{what}.pressure").write_text(PSI.format(percent))
    (folder / "cpu.stat").write_text(STAT.format(100, 10))
    return folder


def look(sensor, at=1.0):
    return {
        one.metric: one.value if isinstance(one, Observation) else one
        for one in sensor.glance(at)
        if dict(one.labels) == {"target": "program:api"}
    }


def test_stalls_and_throttling_are_those_of_the_group(group, tmp_path):
    sensor = CgroupSensor(TARGET, root=str(tmp_path))
    first = look(sensor)
    assert first["cgroup.cpu.psi.some10"] == pytest.approx(0.7)
    assert first["cgroup.memory.psi.some10"] == 0.0
    assert first["cgroup.io.psi.some10"] == pytest.approx(0.125)
    assert isinstance(first["cgroup.throttled"], Unknown)
    (group / "cpu.stat").write_text(STAT.format(200, 90))
    assert look(sensor, 11.0)["cgroup.throttled"] == pytest.approx(0.8)
    assert look(sensor, 21.0)["cgroup.throttled"] == 0.0


def test_no_quota_is_no_throttling(group, tmp_path):
    (group / "cpu.stat").write_text("usage_usec 1\n")
    sensor = CgroupSensor(TARGET, root=str(tmp_path))
    look(sensor)
    assert look(sensor, 11.0)["cgroup.throttled"] == 0.0


def test_a_group_that_is_not_there_is_unknown_not_idle(tmp_path):
    found = look(CgroupSensor(TARGET, root=str(tmp_path)))
    assert len(found) == 4
    assert all(isinstance(one, Unknown) for one in found.values())


@pytest.mark.parametrize("text", ["", "garbage", "some avg10=abc", "\0" * 100])
def test_garbage_is_unknown(group, tmp_path, text):
    (group / "cpu.pressure").write_text(text)
    assert isinstance(look(CgroupSensor(TARGET, root=str(tmp_path)))["cgroup.cpu.psi.some10"], Unknown)


def test_counters_that_go_back_are_another_group(group, tmp_path):
    sensor = CgroupSensor(TARGET, root=str(tmp_path))
    look(sensor)
    (group / "cpu.stat").write_text(STAT.format(3, 1))
    assert isinstance(look(sensor, 11.0)["cgroup.throttled"], Unknown)


async def test_its_files_are_closed(group, tmp_path):
    sensor = CgroupSensor(TARGET, root=str(tmp_path))
    look(sensor)
    await sensor.close()
    assert sensor.covers("program:api")
