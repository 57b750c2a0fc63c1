"""The systemd files, judged by systemd's own tools where they are, without a running systemd."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).resolve().parents[1] / "systemd"


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        if os.environ.get("HEALER_REQUIRE_REAL") == "1":
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    return found


# What stays open, stays for a reason the unit states: signals, reading, programs that run as others, the network.
@pytest.mark.parametrize(
    ("unit", "worst"),
    [("healer.service", 2.8), ("healer-unprivileged.service", 1.4), ("healer-witness.service", 1.2)],
)
def test_the_service_is_no_more_exposed_than_it_must_be(unit, worst):
    analyze = [tool("systemd-analyze"), "security", "--offline=true", "--no-pager", str(SYSTEMD / unit)]
    done = subprocess.run(analyze, check=False, capture_output=True, text=True)
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert level, done.stdout + done.stderr
    assert float(level[1]) <= worst


@pytest.mark.parametrize("unit", sorted(path.name for path in SYSTEMD.glob("*.service")))
def test_systemd_understands_every_line(unit):
    verify = [tool("systemd-analyze"), "verify", "--man=no", str(SYSTEMD / unit)]
    done = subprocess.run(verify, check=False, capture_output=True, text=True)
    # Not installed here: the program is missing, and that alone may be said.
    faults = [line for line in done.stderr.splitlines() if unit in line and "is not executable" not in line]
    assert not faults


def test_both_services_are_watched_and_reloadable_the_same_way():
    for unit in ("healer.service", "healer-unprivileged.service"):
        lines = (SYSTEMD / unit).read_text(encoding="utf-8").splitlines()
        for line in (
            "Type=notify",
            "NotifyAccess=main",
            "WatchdogSec=30",
            'ExecReload=/bin/sh -c "kill -HUP $MAINPID"',
        ):
            assert line in lines, f"{unit} lacks {line}"


def test_the_user_and_the_folders_are_made(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("making users and folders, even below another root, needs root")
    (tmp_path / "etc").mkdir()
    for name in ("sysusers", "tmpfiles"):
        create = ["--create"] if name == "tmpfiles" else []
        argv = [tool(f"systemd-{name}"), f"--root={tmp_path}", *create, str(SYSTEMD / f"healer.{name}")]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    users = (tmp_path / "etc" / "passwd").read_text(encoding="utf-8")
    for user in ("healer", "healer-witness"):
        assert re.search(rf"^{user}:.*:/usr/sbin/nologin$", users, flags=re.MULTILINE)
    assert (tmp_path / "etc" / "healer" / "rules").stat().st_mode & 0o777 == 0o755
