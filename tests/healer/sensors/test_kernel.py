"""The kernel's text files, also the odd ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.sensors import kernel
from healer.sensors.kernel import CpuTimes

PARSERS = [
    kernel.parse_cpu, kernel.parse_meminfo, kernel.parse_vmstat, kernel.parse_pressure, kernel.parse_disks,
    kernel.parse_interfaces, kernel.parse_tcp,
]  # fmt: skip


def test_cpu_time_counts_guests_once():
    text = b"cpu  100 10 50 1000 20 3 7 5 60 1\ncpu0 1 2 3\n"
    assert kernel.parse_cpu(text) == CpuTimes(1195, 1000, 20, 5)


def test_shares_of_cpu_time():
    used, iowait, steal = kernel.cpu_shares(CpuTimes(1000, 500, 100, 0), CpuTimes(1100, 550, 120, 10))
    assert used == pytest.approx(0.3)
    assert iowait == pytest.approx(0.2)
    assert steal == pytest.approx(0.1)


@pytest.mark.parametrize("new", [CpuTimes(1000, 500, 100, 0), CpuTimes(900, 450, 90, 0), CpuTimes(1100, 400, 100, 0)])
def test_counters_that_stand_or_go_back_give_no_share(new):
    assert kernel.cpu_shares(CpuTimes(1000, 500, 100, 0), new) is None


def test_iowait_may_fall_without_being_a_reset():
    used, iowait, _ = kernel.cpu_shares(CpuTimes(1000, 500, 100, 0), CpuTimes(1100, 590, 98, 0))
    assert iowait == 0
    assert used == pytest.approx(0.1)


@given(*[st.tuples(*[st.integers(0, 2**63)] * 4)] * 2)
def test_a_share_is_a_ratio_whatever_the_counters_do(old, new):
    shares = kernel.cpu_shares(CpuTimes(*old), CpuTimes(*new))
    assert shares is None or all(0 <= share <= 1 for share in shares)


def test_memory_of_an_old_kernel_lacks_what_it_lacks():
    assert kernel.parse_meminfo(b"MemTotal:  100 kB\nMemFree: 50 kB\nSwapTotal: 8 kB\n") == {
        "MemTotal": 102400, "SwapTotal": 8192,
    }  # fmt: skip


def test_pressure_is_a_ratio():
    text = b"some avg10=12.50 avg60=0.78 avg300=0.49 total=5122344\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    assert kernel.parse_pressure(text) == {"some": 0.125, "full": 0.0}


def test_disks_are_counted_in_sectors_of_512_and_loops_left_out():
    text = (
        b" 253 0 vda 10 1 100 5 20 2 200 6 0 1500 11 0 0 0 0 0 0\n"
        b"   7 0 loop0 1 1 1 1 1 1 1 1 1 1 1\n short line\n"
        b" 8 0 sda 1 0 8 0 1 0 8 0 0 4 4\n"
    )
    assert kernel.parse_disks(text) == {"vda": (51200, 102400, 1.5), "sda": (4096, 4096, 0.004)}


def test_interfaces_without_the_loopback_and_containers_cables():
    line = b"1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0\n"
    text = b"Inter-| x\n face |y\n    lo: " + line + b"  eth0:" + line + b"veth1a: " + line + b"half: 1 2\nnone\n"
    assert kernel.parse_interfaces(text) == {"eth0": (1000, 2000, 4, 6)}


def test_a_thousand_interfaces_are_bounded():
    text = b"\n\n" + b"".join(b"eth%d: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n" % n for n in range(1000))
    assert len(kernel.parse_interfaces(text)) == kernel.MOST


def test_tcp_finds_its_columns_by_name():
    text = b"Ip: a b\nIp: 1 2\nTcp: RtoMin RetransSegs OutSegs\nTcp: 200 7 1000\nUdp: x\nUdp: 1\n"
    assert kernel.parse_tcp(text) == (1000, 7)


def test_a_line_of_too_few_numbers_is_no_line_of_numbers():
    with pytest.raises(ValueError, match="3 columns"):
        kernel.parse_tcp(b"Tcp: OutSegs RetransSegs\nTcp: 1\n")


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.binary(max_size=300))
def test_any_octets_are_understood_or_a_value_error(parse, text):
    try:
        parse(text)
    except ValueError:
        return


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "text", [b"", b"\n", b"cpu x y z\n", b"cpu  1 2\n", b"eth0: x x x x x x x x x x x x x x x x\n"]
)
def test_empty_and_broken_files_are_understood_or_a_value_error(parse, text):
    try:
        found = parse(b"\n\n" + text)
    except ValueError:
        return
    assert not found
