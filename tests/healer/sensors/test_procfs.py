"""Kernel files kept open tell what freshly opened ones tell, and die with what they belong to."""

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.sensors.procfs import PAGE, TICKS, KeptFile, count_fds, generation, parse_usage


def test_a_kept_file_is_read_anew_each_time(tmp_path):
    path = tmp_path / "f"
    path.write_text("one")
    file = KeptFile(str(path))
    assert file.read() == b"one"
    path.write_text("two")
    assert file.read() == b"two"
    file.close()
    file.close()
    assert file.read() == b"two"
    file.close()


def test_a_file_longer_than_expected_is_read_whole_and_a_head_is_not(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"x" * 10_000)
    whole, head = KeptFile(str(path), 16), KeptFile(str(path), 16, head=True)
    assert len(whole.read()) == 10_000
    assert len(head.read()) == 16
    whole.close()
    head.close()


def test_a_file_that_is_not_there_raises_each_time(tmp_path):
    file = KeptFile(str(tmp_path / "none"))
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            file.read()


def test_a_kept_stat_dies_with_its_process():
    child = subprocess.Popen(["sleep", "100"])
    file = KeptFile(f"/proc/{child.pid}/stat", 512)
    assert parse_usage(file.read()).threads == 1
    child.kill()
    child.wait()
    with pytest.raises(ProcessLookupError):
        file.read()


def test_our_own_stat_is_understood():
    usage = parse_usage(KeptFile("/proc/self/stat", 512).read())
    assert usage.cpu > 0
    assert usage.rss > 1_000_000
    assert usage.threads >= 1
    assert usage.started > 0


LINE = b"7 (%s) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 0 0 20 0 3 0 12345 1000000 25 18446744073709551615 1 1\n"


@pytest.mark.parametrize("name", [b"sleep", b"a b) R 9 (", b") R 1 2 3 (", b"\xff\xfe", b"", b"(((", b"x\ny"])
def test_a_process_cannot_forge_its_line_by_its_name(name):
    usage = parse_usage(LINE % name)
    assert usage == ("S", 200 / TICKS, 3, 12345, 25 * PAGE)


@given(st.binary(max_size=400))
def test_any_other_octets_are_a_value_error(octets):
    try:
        parse_usage(octets)
    except ValueError:
        return


@pytest.mark.parametrize("cut", [0, 5, 20, 60])
def test_a_line_cut_short_is_a_value_error(cut):
    with pytest.raises(ValueError):  # noqa: PT011 - whichever way it is cut
        parse_usage((LINE % b"x")[:cut])


def test_descriptors_are_counted():
    before = count_fds(os.getpid())
    extra = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
    assert count_fds(os.getpid()) == before + 3
    for fd in extra:
        os.close(fd)


def test_a_reused_pid_is_another_generation():
    assert generation(7, 1) != generation(7, 2)
