"""The host's pulse: what kept-open kernel files tell in a fraction of a millisecond, every second."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from healer.clock import Clock
from healer.model.observation import Labels, Reading, labels
from healer.sensors import kernel
from healer.sensors.interface import QuickSensor
from healer.sensors.procfs import PAGE, KeptFile
from healer.sensors.rates import FIRST, NO_TIME, RESET, Rates
from healer.sensors.sane import Sieve, ratio

_STEADY = 0.001
"""Seconds the clocks may drift apart between two looks before it is a jump: below lies the noise of reading them."""


class _Part(ABC):
    """One kernel file and what it tells."""

    metrics: tuple[str, ...] = ()

    def __init__(self, file: KeptFile) -> None:
        self.file = file

    def look(self, sieve: Sieve) -> None:
        """Read it; a file that is missing or odd makes its own series unknown and no other."""
        try:
            self.read(sieve, self.file.read())
        except (OSError, ValueError) as exc:
            self.blind(sieve, f"cannot read {self.file.path}: {_why(exc)}")

    def blind(self, sieve: Sieve, because: str) -> None:
        """Say which series are unknown now."""
        sieve.all_unknown(self.metrics, because)

    @abstractmethod
    def read(self, sieve: Sieve, text: bytes) -> None:
        """Take the text apart; raises ValueError before it adds anything."""


class _Cpu(_Part):
    metrics = ("cpu.used", "cpu.iowait", "cpu.steal")
    _last: kernel.CpuTimes | None = None

    def read(self, sieve: Sieve, text: bytes) -> None:
        last, self._last = self._last, kernel.parse_cpu(text)
        shares = kernel.cpu_shares(last, self._last) if last else None
        if last is None or shares is None:
            still = last is not None and self._last.total == last.total
            self.blind(sieve, FIRST if last is None else NO_TIME if still else RESET)
            return
        for metric, share in zip(self.metrics, shares, strict=True):
            sieve.number(metric, share)


class _Load(_Part):
    metrics = ("cpu.load_per_core",)
    _cores = os.cpu_count() or 1

    def read(self, sieve: Sieve, text: bytes) -> None:
        sieve.number("cpu.load_per_core", float(text.partition(b" ")[0]) / self._cores)


class _Memory(_Part):
    metrics = ("memory.available", "memory.used", "memory.total", "swap.used")

    def read(self, sieve: Sieve, text: bytes) -> None:
        found = kernel.parse_meminfo(text)
        total, available = found.get("MemTotal", 0), found.get("MemAvailable")
        share = None if available is None else ratio(available, total)
        if share is None:
            sieve.all_unknown(self.metrics[:3], f"{self.file.path} names no total or available memory")
        else:
            sieve.number("memory.available", share)
            sieve.number("memory.used", 1.0 - share)
            sieve.number("memory.total", total)
        swap = found.get("SwapTotal")
        if swap is None or "SwapFree" not in found:
            sieve.unknown("swap.used", f"{self.file.path} does not speak of swap")
        else:
            sieve.number("swap.used", 1.0 - found["SwapFree"] / swap if swap else 0.0)


class _Paging(_Part):
    metrics = ("swap.in_rate", "oom.kills_rate")
    _sources = (("swap.in_rate", "pswpin", PAGE), ("oom.kills_rate", "oom_kill", 1))

    def __init__(self, file: KeptFile, rates: Rates) -> None:
        super().__init__(file)
        self._rates = rates

    def read(self, sieve: Sieve, text: bytes) -> None:
        found = kernel.parse_vmstat(text)
        for metric, key, unit in self._sources:
            if key in found:
                _rate(sieve, metric, self._rates.step(metric, found[key] * unit, sieve.at))
            else:
                sieve.unknown(metric, f"this kernel does not count {key}")


class _Many(_Part):
    """One line per device: its series come and go with the devices."""

    label: str

    def __init__(self, file: KeptFile, rates: Rates) -> None:
        super().__init__(file)
        self._rates = rates
        self._known: dict[str, tuple[Labels, tuple[str, ...]]] = {}

    def blind(self, sieve: Sieve, because: str) -> None:
        for marks, _ in self._known.values():
            for metric in self.metrics:
                sieve.unknown(metric, because, marks)

    def step(self, sieve: Sieve, found: Mapping[str, tuple[float, ...]]) -> None:
        """Report the rates of what is there, and once what is no more."""
        for gone in self._known.keys() - found.keys():
            marks, keys = self._known.pop(gone)
            for metric, key in zip(self.metrics, keys, strict=True):
                sieve.unknown(metric, f"{gone} is gone", marks)
                self._rates.forget(key)
        for name, counters in found.items():
            if name not in self._known:
                keys = tuple(f"{metric} {name}" for metric in self.metrics)
                self._known[name] = (labels(**{self.label: name}), keys)
            marks, keys = self._known[name]
            for metric, key, counter in zip(self.metrics, keys, counters, strict=True):
                _rate(sieve, metric, self._rates.step(key, counter, sieve.at), marks)


class _Disks(_Many):
    metrics = ("disk.read_rate", "disk.write_rate", "disk.busy")
    label = "device"

    def __init__(self, file: KeptFile, rates: Rates, blocks: Path) -> None:
        super().__init__(file, rates)
        self._blocks = blocks
        self._whole: dict[str, bool] = {}

    def read(self, sieve: Sieve, text: bytes) -> None:
        found = kernel.parse_disks(text)
        self.step(sieve, {name: counters for name, counters in found.items() if self._is_whole(name)})

    def _is_whole(self, name: str) -> bool:
        """A partition's traffic is its disk's: only whole disks have a folder of their own in /sys/block."""
        if name not in self._whole:
            if len(self._whole) >= kernel.MOST:
                return False
            self._whole[name] = (self._blocks / name.replace("/", "!")).exists()
        return self._whole[name]


class _Net(_Many):
    metrics = ("net.rx_rate", "net.tx_rate", "net.errors_rate", "net.drops_rate")
    label = "interface"

    def read(self, sieve: Sieve, text: bytes) -> None:
        self.step(sieve, kernel.parse_interfaces(text))


class _Tcp(_Part):
    metrics = ("tcp.retransmit_ratio",)
    _last: tuple[int, int] | None = None

    def read(self, sieve: Sieve, text: bytes) -> None:
        last, self._last = self._last, kernel.parse_tcp(text)
        if last is None:
            self.blind(sieve, FIRST)
            return
        sent, again = self._last[0] - last[0], self._last[1] - last[1]
        if sent < 0 or again < 0:
            self.blind(sieve, RESET)
            return
        # OutSegs leaves retransmitted segments out (RFC 4022), so the ratio's whole is the sum.
        sieve.number("tcp.retransmit_ratio", ratio(again, sent + again) or 0.0)


class _Pressure(_Part):
    def __init__(self, file: KeptFile, metrics: tuple[str, ...]) -> None:
        super().__init__(file)
        self.metrics = metrics

    def read(self, sieve: Sieve, text: bytes) -> None:
        found = kernel.parse_pressure(text)
        for metric in self.metrics:
            kind = "some" if metric.endswith("some10") else "full"
            if kind in found:
                sieve.number(metric, found[kind])
            else:
                sieve.unknown(metric, f"{self.file.path} has no line '{kind}'")


class HostSensor(QuickSensor):
    """CPU, load, pressure, memory, swap, disk I/O, network, TCP, uptime and jumps of the wall clock.

    ``proc`` and ``sys`` are where the kernel's file systems are mounted.
    """

    def __init__(self, clock: Clock, *, every: float = 1.0, proc: str = "/proc", sys: str = "/sys") -> None:
        super().__init__(name="host", every=every, timeout=1.0, max_age=max(10.0, 3 * every))
        self._clock = clock
        self._offset: float | None = None
        rates = Rates()
        self._parts: tuple[_Part, ...] = (
            _Cpu(KeptFile(f"{proc}/stat", 1024, head=True)),
            _Load(KeptFile(f"{proc}/loadavg", 128, head=True)),
            _Memory(KeptFile(f"{proc}/meminfo")),
            _Paging(KeptFile(f"{proc}/vmstat", 16384), rates),
            _Disks(KeptFile(f"{proc}/diskstats", 16384), rates, Path(sys) / "block"),
            _Net(KeptFile(f"{proc}/net/dev"), rates),
            _Tcp(KeptFile(f"{proc}/net/snmp", 8192)),
            _Pressure(KeptFile(f"{proc}/pressure/cpu", 512), ("cpu.psi.some10",)),
            _Pressure(KeptFile(f"{proc}/pressure/memory", 512), ("memory.psi.some10", "memory.psi.full10")),
            _Pressure(KeptFile(f"{proc}/pressure/io", 512), ("io.psi.some10", "io.psi.full10")),
        )

    def glance(self, now: float) -> Sequence[Reading]:
        """Read every part."""
        sieve = Sieve(now)
        for part in self._parts:
            part.look(sieve)
        sieve.number("host.uptime", now)
        self._compare_clocks(sieve)
        self.garbage += sieve.garbage
        return sieve.readings

    def _compare_clocks(self, sieve: Sieve) -> None:
        last, self._offset = self._offset, self._clock.wall() - self._clock.now()
        if last is None:
            sieve.unknown("clock.offset_jump", "a jump needs two looks")
            return
        jump = self._offset - last
        sieve.number("clock.offset_jump", jump if abs(jump) >= _STEADY else 0.0)

    async def close(self) -> None:
        """Close the kept files."""
        for part in self._parts:
            part.file.close()


def _rate(sieve: Sieve, metric: str, rate: float | str, marks: Labels | None = None) -> None:
    if isinstance(rate, str):
        sieve.unknown(metric, rate, marks)
    elif metric == "disk.busy":
        # The kernel books a long request when it ends: one look may then show a little more than all of its time.
        sieve.number(metric, min(1.0, rate), marks)
    else:
        sieve.number(metric, rate, marks)


def _why(exc: OSError | ValueError) -> str:
    if isinstance(exc, FileNotFoundError):
        return "it does not exist on this host"
    if isinstance(exc, OSError):
        return exc.strerror or type(exc).__name__
    return f"unexpected content ({exc})"
