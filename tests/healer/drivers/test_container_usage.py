"""What the kernel keeps per control group, in both its versions, from files made here."""

import pytest

from healer.drivers.container_usage import Groups

ID = "ab" * 32


@pytest.fixture
def host(tmp_path):
    """Makes a host of one version; returns its groups."""

    def make(files, cgroup, mounts):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        (tmp_path / "mounts").write_text("".join(line.format(tmp_path) for line in mounts))
        (tmp_path / "7").mkdir()
        (tmp_path / "7" / "cgroup").write_text(cgroup)
        return Groups(tmp_path / "mounts", tmp_path)

    return make


V2 = {
    f"u/docker/{ID}/cpu.stat": "usage_usec 2500000\nuser_usec 1\nnr_periods 20\nnr_throttled 5\n",
    f"u/docker/{ID}/memory.stat": "anon 10\ninactive_file 300\n",
    f"u/docker/{ID}/memory.current": "1000\n",
    f"u/docker/{ID}/pids.current": "3\n",
}
V1 = {
    f"cpu/docker/{ID}/cpuacct.usage": "1500000000\n",
    f"cpu/docker/{ID}/cpu.stat": "nr_periods 4\nnr_throttled 1\nthrottled_time 9\n",
    f"mem/docker/{ID}/memory.usage_in_bytes": "1000\n",
    f"mem/docker/{ID}/memory.stat": "cache 5\ntotal_inactive_file 100\n",
}
V1_LINES = f"3:cpu,cpuacct:/docker/{ID}\n2:memory:/docker/{ID}\n1:pids:/docker/{ID}\n"
V1_MOUNTS = ["cgroup {}/cpu cgroup rw,cpu,cpuacct 0 0\n", "cgroup {}/mem cgroup rw,memory 0 0\n"]


def test_version_two_is_read(host):
    used = host(V2, f"0::/docker/{ID}\n", ["cgroup2 {}/u cgroup2 rw 0 0\n"]).usage(7, ID)
    assert (used.cpu, used.memory, used.pids, used.periods, used.throttled) == (2.5, 700, 3, 20, 5)


def test_version_one_is_read_and_what_is_not_mounted_is_not_said(host):
    used = host(V1, V1_LINES, V1_MOUNTS).usage(7, ID)
    assert (used.cpu, used.memory, used.pids, used.periods, used.throttled) == (1.5, 900, None, 4, 1)


def test_a_pid_that_is_somebody_elses_now_says_nothing(host):
    others = {name.replace(ID, "cd" * 32): content for name, content in V2.items()}
    groups = host({**V2, **others}, f"0::/docker/{'cd' * 32}\n", ["cgroup2 {}/u cgroup2 rw 0 0\n"])
    assert groups.usage(7, ID) is None
    assert groups.usage(8, ID) is None


@pytest.mark.parametrize("junk", ["", "many\n", "1 2 3\n"])
def test_files_that_hold_something_else_say_nothing(host, junk):
    files = {**V2, f"u/docker/{ID}/memory.current": junk}
    assert host(files, f"0::/docker/{ID}\n", ["cgroup2 {}/u cgroup2 rw 0 0\n"]).usage(7, ID) is None


def test_lines_that_are_none_say_nothing(host):
    assert host(V2, "nonsense\n", ["cgroup2 {}/u cgroup2 rw 0 0\n"]).usage(7, ID) is None
