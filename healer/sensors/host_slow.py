"""The host's surroundings: disks, temperatures, users and boot time, every half minute and off the loop."""

import asyncio
import os
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import psutil

from healer.drivers.slot import Slot
from healer.errors import SensorError
from healer.model.observation import Labels, Reading, labels
from healer.sensors.interface import Sensor
from healer.sensors.sane import Sieve

MOST_MOUNTS = 64
PATIENCE = 2.0
"""Seconds one mount may take; a dead NFS server would keep it for ever."""
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.glusterfs", "fuse.sshfs", "9p", "virtiofs"})
_ALWAYS_FULL = frozenset({"squashfs", "iso9660", "erofs", "udf", "cramfs", "romfs"})
_DISK = ("disk.used", "disk.free_bytes", "disk.inodes_used")


class Mount(NamedTuple):
    """One line of the table of mounts."""

    device: str
    point: str
    kind: str


class HostSlowSensor(Sensor):
    """Space and inodes of every real file system, temperatures, sessions, processes, boot time."""

    def __init__(self, *, every: float = 30.0, mounts: Sequence[str] | None = None, patience: float = PATIENCE) -> None:
        super().__init__(name="host:slow", every=every, timeout=10.0, max_age=max(120.0, 3 * every))
        self._mounts = mounts
        """The mount points to look at; None: all real ones."""
        self._patience = patience
        self._slots: dict[str, Slot] = {}
        self._table = Slot("the table of mounts")
        self._rest = Slot("users and temperatures")

    async def look(self, now: float) -> Sequence[Reading]:
        """Look at everything at once; what hangs or fails is unknown, the rest is told."""
        sieve = Sieve(now)
        mounts = self._mounts if self._mounts is not None else await self._table.call(_mounted)
        async with asyncio.TaskGroup() as group:
            rest = group.create_task(self._surroundings(now))
            for mount in mounts:
                group.create_task(self._space(sieve, mount))
        around = rest.result()
        self.garbage += sieve.garbage + around.garbage
        return sieve.readings + around.readings

    async def _space(self, sieve: Sieve, mount: str) -> None:
        marks = labels(mount=mount)
        slot = self._slots.setdefault(mount, Slot(mount))
        try:
            async with asyncio.timeout(self._patience):
                stat = await slot.call(lambda: os.statvfs(mount))
        except TimeoutError:
            _blind(sieve, marks, f"{mount} did not answer within {self._patience:g} s")
        except SensorError as exc:
            _blind(sieve, marks, exc.message)
        except OSError as exc:
            _blind(sieve, marks, f"cannot stat {mount}: {exc.strerror}")
        else:
            tell_space(sieve, marks, stat)

    async def _surroundings(self, now: float) -> Sieve:
        # The thread fills a sieve of its own: one given up must not write into what was told already.
        try:
            async with asyncio.timeout(self._patience):
                return await self._rest.call(lambda: _look_around(now))
        except TimeoutError:
            because = "the host did not tell in time"
        except (OSError, SensorError, psutil.Error) as exc:
            because = f"cannot look around: {exc}"
        sieve = Sieve(now)
        sieve.all_unknown(("host.users", "host.processes", "host.booted_at"), because)
        return sieve


def _mounted() -> list[str]:
    on_disk = {part.fstype for part in psutil.disk_partitions(all=False)}
    every = psutil.disk_partitions(all=True)
    return real_mounts([Mount(part.device, part.mountpoint, part.fstype) for part in every], on_disk)


def real_mounts(mounts: Iterable[Mount], on_disk: AbstractSet[str]) -> list[str]:
    """Mount points worth watching: on a device or a network, once each, and always ``/`` (an overlay in a container).

    ``on_disk`` are the types of file system the kernel keeps on a device. Of several mounts of one device (bind
    mounts) the shortest path stands for all.
    """
    chosen: dict[str, str] = {}
    for mount in mounts:
        if mount.kind in _ALWAYS_FULL or not (mount.kind in on_disk or mount.kind in _NETWORK):
            continue
        best = chosen.get(mount.device)
        if best is None or len(mount.point) < len(best):
            chosen[mount.device] = mount.point
    return sorted({"/", *chosen.values()})[:MOST_MOUNTS]


def tell_space(sieve: Sieve, marks: Labels, stat: os.statvfs_result) -> None:
    """Space as ``df`` shows it: without root's reserve, which the services we watch cannot use."""
    used = stat.f_blocks - stat.f_bfree
    usable = used + stat.f_bavail
    if usable <= 0:
        _blind(sieve, marks, "a file system without blocks")
        return
    sieve.number("disk.used", used / usable, marks)
    sieve.number("disk.free_bytes", stat.f_bavail * stat.f_frsize, marks)
    if stat.f_files > 0:
        sieve.number("disk.inodes_used", 1 - stat.f_ffree / stat.f_files, marks)


def _blind(sieve: Sieve, marks: Labels, because: str) -> None:
    for metric in _DISK:
        sieve.unknown(metric, because, marks)


def _look_around(now: float) -> Sieve:
    sieve = Sieve(now)
    sieve.number("host.users", len(psutil.users()))
    sieve.number("host.processes", len(psutil.pids()))
    sieve.number("host.booted_at", psutil.boot_time())
    for chip, sensors in psutil.sensors_temperatures().items():
        for index, sensor in enumerate(sensors):
            marks = labels(sensor=f"{chip} {sensor.label or index}")
            sieve.number("host.temperature", sensor.current, marks)
    return sieve
