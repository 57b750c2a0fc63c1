"""The host's clocks, in microseconds."""

import time
from pathlib import Path

from audit.clock import SystemClock


def test_wall_and_boot_time_are_microseconds_and_go_on():
    clock = SystemClock()
    assert abs(clock.wall_us() - time.time() * 1e6) < 5e6
    first = clock.mono_us()
    assert first <= clock.mono_us() < first + 5_000_000


def test_boot_id_is_the_kernels():
    assert SystemClock().boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_a_boot_id_that_cannot_be_read_is_unknown(monkeypatch):
    def refuse(*_args):
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert SystemClock().boot_id() == "unknown"
