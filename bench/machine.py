"""A whole system manager to measure on: a minimal Debian, booted by systemd-nspawn and gone afterwards."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
CACHE = Path(os.environ.get("HEALER_CACHE") or _HOME / "healer-tests")
"""Where the tests keep their tree: one that is there is used."""
RELEASE = "bookworm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    pid: int
    """Its first process, seen from here."""

    @property
    def root(self) -> Path:
        return Path(f"/proc/{self.pid}/root")

    @property
    def bus(self) -> str:
        return f"unix:path={self.root}/run/dbus/system_bus_socket"

    def run(self, *argv: str) -> str:
        inside = ["nsenter", "--target", str(self.pid), "--all", "env", "-i", "PATH=/usr/bin:/usr/sbin", *argv]
        done = subprocess.run(inside, check=False, cwd="/", capture_output=True, text=True, timeout=30)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
        return done.stdout

    def outside(self, inside: int) -> int:
        """The number, out here, of one of its processes."""
        mine = Path(f"/proc/{self.pid}/ns/pid").readlink()
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                (spaces,) = [line.split() for line in status.read_text().splitlines() if line.startswith("NSpid:")]
                if spaces[-1] == str(inside) and (status.parent / "ns/pid").readlink() == mine:
                    return int(status.parent.name)
        raise LookupError(f"{inside} does not run")


def tree() -> Path:
    """A Debian with systemd and D-Bus in it; made when there is none, which takes a minute."""
    CACHE.mkdir(parents=True, exist_ok=True)
    there = [found for found in sorted(CACHE.glob(f"{RELEASE}-*")) if (found / "usr/bin/dbus-daemon").exists()]
    if there:
        return there[0]
    made = CACHE / f"{RELEASE}-bench"
    part = made.with_suffix(".part")
    argv = ["debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus", RELEASE, str(part)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    part.rename(made)
    return made


@contextlib.contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """Boot it, with ``folder`` at the same place inside."""
    argv = [
        *("systemd-nspawn", "--quiet", f"--directory={tree()}", "--volatile=overlay", "--boot", "--register=no"),
        *("--keep-unit", "--private-network", "--console=pipe", "--kill-signal=SIGRTMIN+3", f"--bind={folder}"),
    ]
    with (folder / "console").open("w") as said:
        nspawn = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
    try:
        yield _ready(nspawn)
    finally:
        nspawn.terminate()
        try:
            nspawn.wait(20)
        except subprocess.TimeoutExpired:
            nspawn.kill()
            nspawn.wait()


def _ready(nspawn: "subprocess.Popen[bytes]") -> Machine:
    children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")
    end = time.monotonic() + 30
    while time.monotonic() < end and nspawn.poll() is None:
        for pid in children.read_text().split():
            with contextlib.suppress(OSError, RuntimeError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                    machine = Machine(pid=int(pid))
                    machine.run("systemctl", "is-active", "multi-user.target")
                    return machine
        time.sleep(0.05)
    raise TimeoutError("no system came up")
