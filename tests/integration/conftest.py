"""What the tests of real systems share: saying what is missing, and where big things are kept between runs."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

RELEASE = "bookworm"
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,make,curl"
LATER = "polkitd"
"""Its set-up fails inside debootstrap, and succeeds in the tree that debootstrap made."""


def absent(programs: tuple[str, ...], *, root: bool) -> str:
    """One sentence about what is not here; empty when everything is."""
    missing = [
        program for program in programs if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None
    ]
    if missing:
        return f"not installed: {', '.join(missing)} (.ci/run installs what integration tests need)"
    if root and os.geteuid() != 0:
        return "needs root"
    return ""


@pytest.fixture(scope="session")
def real() -> Callable[..., None]:
    """Ask for real parts: ``real("dockerd", root=True)`` skips with a sentence where they are not.

    With HEALER_REQUIRE_REAL=1 it fails instead: there, a skipped test would be a check nobody made.
    """

    def require(*programs: str, root: bool = False) -> None:
        if because := absent(programs, root=root):
            if os.environ.get("HEALER_REQUIRE_REAL") == "1":
                pytest.fail(because)
            pytest.skip(because)

    return require


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where downloads and system trees outlive a run: $HEALER_CACHE, else the XDG cache folder."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("HEALER_CACHE") or home / "healer-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A booted system; commands are run inside it as root."""

    pid: int

    @property
    def root(self) -> Path:
        """Its file system, seen from here."""
        return Path(f"/proc/{self.pid}/root")

    @property
    def bus(self) -> str:
        """Address of its message bus, for programs out here."""
        return f"unix:path={self.root}/run/dbus/system_bus_socket"

    def run(self, *argv: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        inside = [
            "nsenter",
            "--target",
            str(self.pid),
            "--all",
            "env",
            "-i",
            "PATH=/usr/local/bin:/usr/sbin:/usr/bin",
        ]
        done = subprocess.run(
            [*inside, "HOME=/root", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels", *argv],
            check=False,
            cwd="/",  # a folder of ours would be nowhere inside, and every shell would say so
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            journal = self.run("journalctl", "--no-pager", "-n", "60", check=False).stdout
            pytest.fail(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}\n--- journal\n{journal}")
        return done

    def show(self, *names: str) -> dict[str, str]:
        said = self.run("systemctl", "show", "healer.service", f"--property={','.join(names)}").stdout
        return dict(line.split("=", 1) for line in said.splitlines())

    def wait_until(self, what: str, true: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                journal = self.run("journalctl", "--no-pager", "-n", "60", check=False).stdout
                pytest.fail(f"not within {seconds} s: {what}\n--- journal\n{journal}")
            time.sleep(0.1)


@pytest.fixture(scope="session")
def tree(real, cache) -> Path:
    """A minimal Debian, made once and kept."""
    real("systemd-nspawn", "debootstrap", "nsenter", root=True)
    made = cache / f"{RELEASE}-{hashlib.sha256(f'{PACKAGES} {LATER}'.encode()).hexdigest()[:8]}"
    with (cache / "tree.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            part = made.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            argv = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(part)]
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
            inside = [
                "systemd-nspawn",
                "--quiet",
                f"--directory={part}",
                "--register=no",
                "--keep-unit",
                "--console=pipe",
            ]
            install = [
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "install",
                "-qq",
                "-y",
                "--no-install-recommends",
            ]
            subprocess.run([*inside, *install, LATER], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            part.rename(made)
    return made


@pytest.fixture(scope="session")
def boot(tree, tmp_path_factory) -> Callable[..., AbstractContextManager[System]]:
    """Boot the tree, with more words for systemd-nspawn; what is written to it goes to memory and is soon gone."""

    @contextlib.contextmanager
    def booted(*words: str) -> Iterator[System]:
        argv = [
            *("systemd-nspawn", "--quiet", f"--directory={tree}", "--volatile=overlay", "--boot", "--register=no"),
            *("--keep-unit", "--private-network", "--console=pipe", "--kill-signal=SIGRTMIN+3", *words),
        ]
        console = tmp_path_factory.mktemp("systemd") / "console"
        with (
            console.open("w") as said,
            subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT) as nspawn,
        ):
            try:
                system = System(pid=first_process(nspawn))
                ready = {"running", "degraded"}
                system.wait_until(
                    "the system is up",
                    lambda: system.run("systemctl", "is-system-running", check=False).stdout.strip() in ready,
                )
                yield system
            finally:
                nspawn.terminate()
                try:
                    nspawn.wait(20)
                except subprocess.TimeoutExpired:
                    nspawn.kill()

    return booted


def first_process(nspawn: subprocess.Popen[bytes]) -> int:
    """The pid, seen from here, of the systemd that nspawn started."""
    children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and nspawn.poll() is None:
        for pid in children.read_text().split():
            if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                return int(pid)
        time.sleep(0.05)
    pytest.fail("systemd-nspawn did not start a systemd")
