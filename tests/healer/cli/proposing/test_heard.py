import os
import socket
import subprocess
import sys

import pytest

from healer.cli.proposing.heard import Heard, listeners, owner


@pytest.mark.parametrize(
    ("address", "host"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("192.0.2.1", "192.0.2.1")],
)
def test_where_it_listens_is_where_it_is_reached_from_here(address, host):
    assert Heard(name="x", pid=1, address=address, port=1).host == host


def test_the_owner_is_told_by_the_control_group(tmp_path):
    groups = {
        1: "0::/system.slice/nginx.service\n",
        2: "0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n",
        3: f"4:pids:/docker/{'ab' * 32}\n",
        4: f"0::/system.slice/docker-{'cd' * 32}.scope\n",
        5: "0::/user.slice/user-0.slice/session-1.scope\n",
    }
    for pid, text in groups.items():
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cgroup").write_text(text)
    found = {pid: owner(pid, tmp_path) for pid in (*groups, 6)}
    assert found == {
        1: ("nginx.service", False), 2: ("postgresql@15-main.service", False), 3: ("", True), 4: ("", True),
        5: ("", False), 6: ("", False),
    }  # fmt: skip


def test_who_listens_is_heard_and_we_are_not():
    code = "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1]); sys.stdin.read()"
    with (
        socket.create_server(("127.0.0.1", 0)) as own,
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child,
    ):
        port = int(child.stdout.readline())
        found = {one.port: one for one in listeners()}
        ours = own.getsockname()[1]
        child.stdin.close()
    assert found[port].pid == child.pid
    assert found[port].argv[0] == sys.executable
    assert ours not in {one.port for one in found.values() if one.pid == os.getpid()}
