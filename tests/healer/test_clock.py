import time
from pathlib import Path

from healer import clock
from healer.clock import SystemClock


def test_now_counts_from_the_boot_and_never_falls():
    made = SystemClock()
    moments = [made.now() for _ in range(1000)]
    assert moments == sorted(moments)
    assert abs(moments[-1] - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1


def test_the_wall_clock_is_that_of_the_host():
    assert abs(SystemClock().wall() - time.time()) < 1


def test_the_boot_has_the_kernel_s_name():
    assert SystemClock().boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def test_a_kernel_without_a_name_for_the_boot_still_has_a_clock(monkeypatch, tmp_path):
    monkeypatch.setattr(clock, "_BOOT_ID", tmp_path / "none")
    assert SystemClock().boot_id() == "unknown-boot"


def test_chance_lies_between_nothing_and_one_and_varies():
    made = SystemClock()
    drawn = [made.chance() for _ in range(200)]
    assert all(0 <= number < 1 for number in drawn)
    assert len(set(drawn)) > 100
