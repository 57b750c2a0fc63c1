"""Take the kernel's small text files apart; pure, so that every odd one can be tried."""

import re
from typing import NamedTuple

SECTOR = 512
"""Bytes: /proc/diskstats counts in these whatever the disk's own sector is."""
MOST = 64
"""Disks and interfaces looked at; a host of a thousand containers has a thousand interfaces."""

_MEMINFO = re.compile(rb"^(MemTotal|MemAvailable|SwapTotal|SwapFree):\s+(\d+) kB", re.MULTILINE)
_VMSTAT = re.compile(rb"^(pswpin|oom_kill) (\d+)$", re.MULTILINE)
_PSI = re.compile(rb"^(some|full) avg10=(\d+\.\d+)", re.MULTILINE)


class CpuTimes(NamedTuple):
    """Ticks since boot, all cores together."""

    total: int
    idle: int
    iowait: int
    steal: int


class DiskCounters(NamedTuple):
    """Counters of one disk since boot."""

    read: int
    written: int
    """Bytes."""
    busy: float
    """Seconds with a request in flight."""


class NetCounters(NamedTuple):
    """Counters of one interface since it came up."""

    received: int
    sent: int
    errors: int
    drops: int


def parse_cpu(text: bytes) -> CpuTimes:
    """The first line of /proc/stat. Guest time is already inside user time. Raises ValueError."""
    words = text.split(b"\n", 1)[0].split()
    if not words or words[0] != b"cpu" or len(words) < 9:
        raise ValueError("no cpu line")
    user, nice, system, idle, iowait, irq, softirq, steal = map(int, words[1:9])
    return CpuTimes(user + nice + system + idle + iowait + irq + softirq + steal, idle, iowait, steal)


def cpu_shares(old: CpuTimes, new: CpuTimes) -> tuple[float, float, float] | None:
    """(used, iowait, steal) as ratios of the time between; None when the counters did not move on, or went back.

    The kernel lets iowait fall by a little (proc(5)): that much is taken for zero, not for a reset.
    """
    total, idle, steal = new.total - old.total, new.idle - old.idle, new.steal - old.steal
    iowait = max(0, new.iowait - old.iowait)
    if total <= 0 or idle < 0 or steal < 0:
        return None
    return max(0.0, 1.0 - (idle + iowait) / total), min(1.0, iowait / total), min(1.0, steal / total)


def parse_meminfo(text: bytes) -> dict[str, int]:
    """The four figures of /proc/meminfo we use, in bytes; those missing (an old kernel) are left out."""
    return {key.decode(): int(kib) * 1024 for key, kib in _MEMINFO.findall(text)}


def parse_vmstat(text: bytes) -> dict[str, int]:
    """``pswpin`` (pages) and ``oom_kill`` of /proc/vmstat, where the kernel has them."""
    return {key.decode(): int(count) for key, count in _VMSTAT.findall(text)}


def parse_pressure(text: bytes) -> dict[str, float]:
    """``some`` and ``full`` of a /proc/pressure file, as ratios."""
    return {key.decode(): float(percent) / 100 for key, percent in _PSI.findall(text)}


def parse_disks(text: bytes) -> dict[str, DiskCounters]:
    """Every line of /proc/diskstats by name; lines that are none are left out."""
    found: dict[str, DiskCounters] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 14 and not words[2].startswith((b"loop", b"ram", b"sr", b"fd")):
            counts = DiskCounters(int(words[5]) * SECTOR, int(words[9]) * SECTOR, int(words[12]) / 1000)
            found[words[2].decode("utf-8", "replace")] = counts
    return found


def parse_interfaces(text: bytes) -> dict[str, NetCounters]:
    """Every line of /proc/net/dev by interface, but for the loopback and the host's ends of containers' cables."""
    found: dict[str, NetCounters] = {}
    for line in text.splitlines()[2:]:
        name, colon, rest = line.partition(b":")
        words = rest.split()
        name = name.strip()
        if not colon or len(words) < 16 or name == b"lo" or name.startswith(b"veth") or len(found) >= MOST:
            continue
        received, r_errors, r_drops = int(words[0]), int(words[2]), int(words[3])
        sent, s_errors, s_drops = int(words[8]), int(words[10]), int(words[11])
        counts = NetCounters(received, sent, r_errors + s_errors, r_drops + s_drops)
        found[name.decode("utf-8", "replace")] = counts
    return found


def parse_tcp(text: bytes) -> tuple[int, int]:
    """(segments sent, segments sent again) of /proc/net/snmp. Raises ValueError where it has no such columns."""
    head, values = (line.split() for line in text.splitlines() if line.startswith(b"Tcp:"))
    if len(values) < len(head):
        raise ValueError(f"{len(head)} columns, and {len(values)} values")
    return int(values[head.index(b"OutSegs")]), int(values[head.index(b"RetransSegs")])
