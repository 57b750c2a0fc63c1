"""Disks and surroundings: what hangs is unknown, and holds up nothing else."""

import asyncio
import os
import threading
from types import SimpleNamespace

import psutil
import pytest

from healer.model.observation import Observation, Unknown
from healer.sensors import host_slow
from healer.sensors.host_slow import HostSlowSensor, Mount, real_mounts, tell_space
from healer.sensors.sane import Sieve


def by_mount(readings, metric="disk.used"):
    return {dict(reading.labels)["mount"]: reading for reading in readings if reading.metric == metric}


async def test_the_real_host_tells_of_its_root_and_its_boot():
    seen = await HostSlowSensor().look(1.0)
    root = by_mount(seen)["/"]
    assert 0 <= root.value <= 1
    booted = next(reading for reading in seen if reading.metric == "host.booted_at")
    assert booted.value == psutil.boot_time()
    assert {"host.users", "host.processes"} <= {r.metric for r in seen if isinstance(r, Observation)}


async def test_missing_mount_is_unknown_not_full():
    seen = await HostSlowSensor(mounts=["/", "/no/such/mount"]).look(1.0)
    lost = by_mount(seen)["/no/such/mount"]
    assert isinstance(lost, Unknown)
    assert "No such file" in lost.because
    assert isinstance(by_mount(seen)["/"], Observation)


async def test_a_dead_mount_is_given_up_and_not_piled_on(monkeypatch):
    dead, asked = threading.Event(), []

    def statvfs(path):
        asked.append(path)
        if path == "/dead":
            dead.wait(20)
        return os.statvfs("/")

    monkeypatch.setattr(host_slow, "os", SimpleNamespace(statvfs=statvfs))
    sensor = HostSlowSensor(mounts=["/dead", "/"], patience=0.1)
    first = await asyncio.wait_for(sensor.look(1.0), 5)
    second = await asyncio.wait_for(sensor.look(2.0), 5)
    assert "did not answer within 0.1 s" in by_mount(first)["/dead"].because
    assert "not come back yet" in by_mount(second)["/dead"].because
    assert isinstance(by_mount(second)["/"], Observation)
    assert asked.count("/dead") == 1
    dead.set()
    await asyncio.sleep(0.1)  # the thread has to come back first
    assert isinstance(by_mount(await sensor.look(3.0))["/dead"], Observation)


async def test_surroundings_that_fail_are_unknown(monkeypatch):
    def users():
        raise PermissionError(13, "not for you")

    monkeypatch.setattr(psutil, "users", users)
    seen = await HostSlowSensor(mounts=[]).look(1.0)
    assert {reading.metric for reading in seen} == {"host.users", "host.processes", "host.booted_at"}
    assert all("not for you" in reading.because for reading in seen)


async def test_surroundings_that_hang_are_unknown_and_write_nothing_later(monkeypatch):
    stuck = threading.Event()
    monkeypatch.setattr(psutil, "users", lambda: stuck.wait(20) or [])
    seen = await HostSlowSensor(mounts=[], patience=0.05).look(1.0)
    told = list(seen)
    stuck.set()
    await asyncio.sleep(0.05)
    assert list(seen) == told
    assert all("in time" in reading.because for reading in told)


async def test_temperatures_carry_their_sensor_and_garbage_is_counted(monkeypatch):
    hot = [SimpleNamespace(label="core", current=71.5), SimpleNamespace(label="", current=float("nan"))]
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: {"cpu": hot})
    sensor = HostSlowSensor(mounts=[])
    seen = {dict(r.labels).get("sensor"): r for r in await sensor.look(1.0) if r.metric == "host.temperature"}
    assert seen["cpu core"].value == 71.5
    assert isinstance(seen["cpu 1"], Unknown)
    assert sensor.garbage == 1


def test_real_mounts_are_on_a_device_or_a_network_once_each():
    mounts = [
        Mount("overlay", "/", "overlay"),
        Mount("/dev/sda1", "/var/lib/bind", "ext4"),
        Mount("/dev/sda1", "/var", "ext4"),
        Mount("tmpfs", "/run", "tmpfs"),
        Mount("proc", "/proc", "proc"),
        Mount("/dev/loop1", "/snap/x", "squashfs"),
        Mount("nas:/export", "/mnt/nas", "nfs4"),
    ]
    assert real_mounts(mounts, {"ext4", "squashfs"}) == ["/", "/mnt/nas", "/var"]


def test_a_thousand_mounts_are_bounded():
    mounts = [Mount(f"/dev/sd{n}", f"/mnt/{n}", "ext4") for n in range(1000)]
    assert len(real_mounts(mounts, {"ext4"})) == host_slow.MOST_MOUNTS


def stat(**fields):
    full = dict.fromkeys(("f_blocks", "f_bfree", "f_bavail", "f_frsize", "f_files", "f_ffree"), 0)
    return SimpleNamespace(**{**full, **fields})


def told(**fields):
    sieve = Sieve(1.0)
    tell_space(sieve, (), stat(**fields))
    return {reading.metric: getattr(reading, "value", None) for reading in sieve.readings}


def test_space_is_what_df_shows():
    # df: used 600, available 300 (100 kept for root) -> 600 / 900
    seen = told(f_blocks=1000, f_bfree=400, f_bavail=300, f_frsize=4096, f_files=100, f_ffree=25)
    assert seen == {
        "disk.used": pytest.approx(600 / 900), "disk.free_bytes": 300 * 4096, "disk.inodes_used": 0.75,
    }  # fmt: skip


def test_a_file_system_without_inodes_of_its_own_does_not_tell_of_them():
    assert "disk.inodes_used" not in told(f_blocks=10, f_bfree=5, f_bavail=5, f_frsize=1)


def test_a_file_system_without_blocks_is_unknown():
    assert told() == {"disk.used": None, "disk.free_bytes": None, "disk.inodes_used": None}
