"""Who listens for connections on this host, and whose process that is."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_UNIT = re.compile(r"/([^/]+\.service)(?:/|$)")
_CONTAINER = re.compile(r"[0-9a-f]{64}")
_PUBLISHERS = frozenset({"docker-proxy", "rootlessport", "conmon"})
"""They listen for containers, which are found by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A process, and one port it listens at."""

    name: str
    pid: int
    address: str
    port: int
    argv: tuple[str, ...] = ()
    unit: str = ""
    """The service of systemd it belongs to."""
    container: bool = False
    """It lives in a container."""

    @property
    def host(self) -> str:
        """Where it can be reached from here."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
        return everywhere.get(self.address, self.address.removeprefix("::ffff:"))

    @property
    def says(self) -> str:
        """What was seen, in words."""
        return f"pid {self.pid} listens at {self.address}:{self.port}" if self.pid else f"it listens at {self.address}"


def listeners() -> Iterator[Heard]:
    """Every TCP port that somebody listens at, lowest port first; without root, others' are hidden."""
    import psutil

    try:
        sockets = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return
    listening = [
        (int(getattr(one.laddr, "port", 0)), str(getattr(one.laddr, "ip", "")), int(one.pid))
        for one in sockets
        if one.status == psutil.CONN_LISTEN and one.laddr and one.pid
    ]
    for port, address, pid in sorted(listening):
        if pid == os.getpid():
            continue
        try:
            process = psutil.Process(pid)
            name, argv = str(process.name()), tuple(process.cmdline())
        except psutil.Error:
            continue
        if name not in _PUBLISHERS:
            unit, container = owner(pid)
            yield Heard(name=name, pid=pid, address=address, port=port, argv=argv, unit=unit, container=container)


def owner(pid: int, proc: Path = _PROC) -> tuple[str, bool]:
    """The service a process belongs to, and whether it lives in a container, by its control group."""
    try:
        text = (proc / str(pid) / "cgroup").read_text(encoding="utf-8", errors="replace")[:65536]
    except OSError:
        return "", False
    if _CONTAINER.search(text):
        return "", True
    found = _UNIT.findall(text)
    return (found[-1] if found else ""), False
