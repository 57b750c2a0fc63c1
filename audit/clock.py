"""Where the log gets its time from: a seam, so that a simulation can bring its own."""

import time
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Three readings; all times are integer microseconds."""

    def wall_us(self) -> int:
        """Return microseconds since 1970-01-01 UTC."""
        ...

    def mono_us(self) -> int:
        """Return microseconds since boot, suspend included; never falls within a boot."""
        ...

    def boot_id(self) -> str:
        """Return the kernel's id of this boot."""
        ...


class SystemClock:
    """The host's clocks."""

    def __init__(self) -> None:
        """Read the boot id once: it cannot change under a running process."""
        try:
            self._boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        except OSError:
            self._boot = "unknown"

    def wall_us(self) -> int:
        """Return microseconds since 1970-01-01 UTC."""
        return time.clock_gettime_ns(time.CLOCK_REALTIME) // 1000

    def mono_us(self) -> int:
        """Return CLOCK_BOOTTIME: unlike CLOCK_MONOTONIC it goes on counting while the host sleeps."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000

    def boot_id(self) -> str:
        """Return the kernel's id of this boot, ``unknown`` where it cannot be read."""
        return self._boot
