"""The only place that reads a clock or draws chance; everything else is handed one."""

import random
import time
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """Time and chance, injected so that the simulation can own both."""

    def now(self) -> float:
        """Seconds since boot, suspend included (CLOCK_BOOTTIME): never falls within a boot. Durations use this."""
        ...

    def wall(self) -> float:
        """Seconds since 1970, UTC. May jump: for people and calendars only."""
        ...

    def boot_id(self) -> str:
        """Name of this boot; ``now()`` values of different boots cannot be compared."""
        ...

    def chance(self) -> float:
        """A number in [0, 1) for jitter."""
        ...


class SystemClock:
    """The host's own clocks."""

    def __init__(self) -> None:
        self._boot = _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else "unknown-boot"
        self._random = random.Random()  # noqa: S311 - jitter, not a secret

    def now(self) -> float:
        """Seconds since boot, suspend included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wall(self) -> float:
        """Seconds since 1970, UTC."""
        return time.time()

    def boot_id(self) -> str:
        """The kernel's boot id."""
        return self._boot

    def chance(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()
