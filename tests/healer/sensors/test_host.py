"""The host's pulse on a made-up /proc, where every file can be missing, odd or reset; and once on the real one."""

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healer.clock import SystemClock
from healer.model.observation import Observation, Unknown
from healer.model.vocabulary import METRICS
from healer.sensors.host import HostSensor

FILES = {
    "stat": "cpu  100 0 100 700 50 0 0 50 0 0\nintr 1\n",
    "loadavg": "1.50 0.5 0.5 1/80 100\n",
    "meminfo": "MemTotal: 1000 kB\nMemAvailable: 250 kB\nSwapTotal: 100 kB\nSwapFree: 75 kB\n",
    "vmstat": "nr_free 1\npswpin 10\noom_kill 0\n",
    "diskstats": " 8 0 sda 1 0 100 0 1 0 200 0 0 500 0\n 8 1 sda1 1 0 100 0 1 0 200 0 0 500 0\n",
    "net/dev": "a\nb\n eth0: 1000 1 0 0 0 0 0 0 2000 1 0 0 0 0 0 0\n",
    "net/snmp": "Tcp: OutSegs RetransSegs\nTcp: 1000 10\n",
    "pressure/cpu": "some avg10=25.00 avg60=0 avg300=0 total=1\n",
    "pressure/memory": "some avg10=1.00 avg60=0 avg300=0 total=1\nfull avg10=0.50 avg60=0 avg300=0 total=1\n",
    "pressure/io": "some avg10=2.00 avg60=0 avg300=0 total=1\nfull avg10=1.50 avg60=0 avg300=0 total=1\n",
}
LATER = {
    "stat": "cpu  150 0 120 710 60 0 0 60 0 0\nintr 1\n",
    "vmstat": "nr_free 1\npswpin 14\noom_kill 2\n",
    "diskstats": " 8 0 sda 1 0 300 0 1 0 600 0 0 1500 0\n 8 1 sda1 1 0 300 0 1 0 600 0 0 1500 0\n",
    "net/dev": "a\nb\n eth0: 3000 1 2 4 0 0 0 0 6000 1 0 0 0 0 0 0\n",
    "net/snmp": "Tcp: OutSegs RetransSegs\nTcp: 1090 20\n",
}


class Jumping:
    """A clock whose two hands can be set apart."""

    def __init__(self):
        self.boot = 100.0
        self.offset = 1e9

    def now(self):
        return self.boot

    def wall(self):
        return self.boot + self.offset


class Host:
    def __init__(self, folder):
        self.proc = folder / "proc"
        for name, text in FILES.items():
            self.write(name, text)
        (folder / "sys/block/sda").mkdir(parents=True)
        self.clock = Jumping()
        self.sensor = HostSensor(self.clock, proc=str(self.proc), sys=str(folder / "sys"))

    def write(self, name, text):
        path = self.proc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def look(self, after=2.0):
        self.clock.boot += after
        return {reading.series: reading for reading in self.sensor.glance(self.clock.boot)}


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def value(readings, name):
    (found,) = [reading for series, reading in readings.items() if str(series).startswith(name)]
    return found.value if isinstance(found, Observation) else None


def because(readings, name):
    (found,) = [reading for series, reading in readings.items() if str(series).startswith(name)]
    return found.because if isinstance(found, Unknown) else ""


def test_what_needs_one_look_is_known_at_the_first(host):
    seen = host.look()
    assert value(seen, "memory.available") == 0.25
    assert value(seen, "memory.used") == 0.75
    assert value(seen, "memory.total") == 1024000
    assert value(seen, "swap.used") == 0.25
    assert value(seen, "cpu.psi.some10") == 0.25
    assert value(seen, "io.psi.full10") == 0.015
    assert value(seen, "cpu.load_per_core") > 0
    assert value(seen, "host.uptime") == 102


@pytest.mark.parametrize(
    "metric",
    [
        "cpu.used",
        "swap.in_rate",
        "oom.kills_rate",
        "disk.read_rate",
        "net.rx_rate",
        "tcp.retransmit",
        "clock.offset_jump",
    ],
)
def test_what_needs_two_looks_is_unknown_at_the_first(host, metric):
    assert "needs two looks" in because(host.look(), metric)


def test_rates_are_per_second_of_the_time_between(host):
    host.look()
    for name, text in LATER.items():
        host.write(name, text)
    seen = host.look(after=2.0)
    assert value(seen, "cpu.used") == pytest.approx(0.8)
    assert value(seen, "cpu.iowait") == pytest.approx(0.1)
    assert value(seen, "cpu.steal") == pytest.approx(0.1)
    assert value(seen, "swap.in_rate") == 2 * 4096
    assert value(seen, "oom.kills_rate") == 1
    assert value(seen, 'disk.read_rate{device="sda"}') == 200 * 512 / 2
    assert value(seen, 'disk.write_rate{device="sda"}') == 400 * 512 / 2
    assert value(seen, 'disk.busy{device="sda"}') == 0.5
    assert value(seen, 'net.rx_rate{interface="eth0"}') == 1000
    assert value(seen, 'net.tx_rate{interface="eth0"}') == 2000
    assert value(seen, 'net.errors_rate{interface="eth0"}') == 1
    assert value(seen, 'net.drops_rate{interface="eth0"}') == 2
    assert value(seen, "tcp.retransmit_ratio") == pytest.approx(0.1)
    assert value(seen, "clock.offset_jump") == 0


def test_a_partition_is_not_counted_beside_its_disk(host):
    assert not [series for series in host.look() if "sda1" in str(series)]


@pytest.mark.parametrize("metric", ["cpu.used", "swap.in_rate", "disk.read_rate", "net.rx_rate", "tcp.retransmit"])
def test_counters_that_went_back_are_unknown_and_counted_anew(host, metric):
    for name, text in LATER.items():
        host.write(name, text)
    host.look()
    for name in LATER:
        host.write(name, FILES[name])
    assert "went back" in because(host.look(), metric)


OF_FILE = {
    "stat": {"cpu.used", "cpu.iowait", "cpu.steal"},
    "loadavg": {"cpu.load_per_core"},
    "meminfo": {"memory.available", "memory.used", "memory.total", "swap.used"},
    "vmstat": {"swap.in_rate", "oom.kills_rate"},
    "diskstats": {"disk.read_rate", "disk.write_rate", "disk.busy"},
    "net/dev": {"net.rx_rate", "net.tx_rate", "net.errors_rate", "net.drops_rate"},
    "net/snmp": {"tcp.retransmit_ratio"},
    "pressure/cpu": {"cpu.psi.some10"},
    "pressure/memory": {"memory.psi.some10", "memory.psi.full10"},
    "pressure/io": {"io.psi.some10", "io.psi.full10"},
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_makes_its_own_series_unknown_and_no_other(tmp_path, name):
    known = []
    for host in (Host(tmp_path / "whole"), Host(tmp_path / "broken")):
        if known:
            (host.proc / name).unlink()
        host.look()
        for later in LATER.keys() - ({name} if known else set()):
            host.write(later, LATER[later])
        known.append({series.metric for series, seen in host.look().items() if isinstance(seen, Observation)})
    assert known[0] - known[1] == OF_FILE[name]
    assert known[0] == known[1] | OF_FILE[name]


def test_a_counter_that_stands_still_because_no_time_passed_is_not_called_a_reset(host):
    host.look()
    assert "no time" in because(host.look(), "cpu.used")


def test_absent_pressure_is_unknown_never_nought(host):
    shutil.rmtree(host.proc / "pressure")
    seen = host.look()
    for metric in ("cpu.psi.some10", "memory.psi.some10", "memory.psi.full10", "io.psi.some10", "io.psi.full10"):
        assert "does not exist" in because(seen, metric)


def test_pressure_without_a_line_is_unknown(host):
    host.write("pressure/io", "some avg10=2.00 avg60=0 avg300=0 total=1\n")
    seen = host.look()
    assert value(seen, "io.psi.some10") == 0.02
    assert "no line 'full'" in because(seen, "io.psi.full10")


def test_a_kernel_that_does_not_count_says_so(host):
    host.write("vmstat", "pswpin 1\n")
    assert "does not count oom_kill" in because(host.look(), "oom.kills_rate")


def test_a_host_without_swap_uses_none_of_it(host):
    host.write("meminfo", "MemTotal: 1000 kB\nMemAvailable: 250 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n")
    assert value(host.look(), "swap.used") == 0


@pytest.mark.parametrize(
    "text", ["", "MemTotal: 0 kB\nMemAvailable: 0 kB\n", "MemTotal: 5 kB\n", "MemAvailable: 5 kB\n"]
)
def test_memory_that_cannot_be_a_ratio_is_unknown(host, text):
    host.write("meminfo", text)
    seen = host.look()
    assert because(seen, "memory.used")
    assert because(seen, "swap.used")


def test_more_memory_available_than_there_is_is_garbage_and_counted(host):
    host.write("meminfo", "MemTotal: 1000 kB\nMemAvailable: 2000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n")
    assert "garbage" in because(host.look(), "memory.available")
    assert host.sensor.garbage == 2


def test_an_interface_that_goes_is_unknown_once_and_starts_anew_when_it_returns(host):
    host.look()
    host.write("net/dev", "a\nb\n")
    assert "eth0 is gone" in because(host.look(), "net.rx_rate")
    assert not [series for series in host.look() if series.metric == "net.rx_rate"]
    host.write("net/dev", FILES["net/dev"])
    assert "needs two looks" in because(host.look(), "net.rx_rate")


def test_a_file_that_vanishes_makes_its_known_devices_unknown(host):
    host.look()
    host.look()
    host.sensor._parts[5].file.close()
    (host.proc / "net/dev").unlink()
    assert "does not exist" in because(host.look(), 'net.rx_rate{interface="eth0"}')


@pytest.mark.parametrize("jump", [3600.0, -3600.0, 0.5])
def test_a_jump_of_the_wall_clock_is_told_with_its_sign(host, jump):
    host.look()
    host.clock.offset += jump
    assert value(host.look(), "clock.offset_jump") == pytest.approx(jump)
    assert value(host.look(), "clock.offset_jump") == 0


def test_no_time_between_two_looks_is_unknown(host):
    host.look()
    assert "no time" in because(host.look(after=0.0), "net.rx_rate")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(FILES)), octets=st.binary(max_size=200), cut=st.integers(0, 60))
def test_a_scrambled_file_never_makes_an_insane_number(host, name, octets, cut):
    text = FILES[name].encode()
    (host.proc / name).write_bytes(text[:cut] + octets + text[cut:])
    for reading in host.look().values():
        if isinstance(reading, Observation):
            bounds = METRICS[reading.metric]
            assert bounds.minimum is None or reading.value >= bounds.minimum
            assert bounds.maximum is None or reading.value <= bounds.maximum
    (host.proc / name).write_bytes(text)


async def test_the_real_host_tells_everything_at_the_second_look():
    clock = SystemClock()
    sensor = HostSensor(clock)
    await sensor.look(clock.now())
    end = clock.now() + 0.05
    while clock.now() < end:
        pass  # the kernel counts CPU time in ticks of 10 ms
    seen = {reading.metric for reading in await sensor.look(clock.now()) if isinstance(reading, Observation)}
    await sensor.close()
    assert {"cpu.used", "memory.available", "cpu.load_per_core", "host.uptime", "clock.offset_jump"} <= seen
