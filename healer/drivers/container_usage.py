"""What a container on this very host uses, read from its control group: the engine takes a second to say the same."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from healer.drivers.containers import Usage

_MOUNTS = Path("/proc/self/mounts")
_PROC = Path("/proc")
_V2 = "v2"
_LINE = re.compile(r"^(\w+) (\d{1,19})$", re.MULTILINE)
_LONGEST = 1 << 16


class Groups:
    """Where each controller's hierarchy is mounted; looked up once."""

    def __init__(self, mounts: Path = _MOUNTS, proc: Path = _PROC) -> None:
        self._mounts, self._proc = mounts, proc
        self._points: Mapping[str, Path] | None = None

    def usage(self, pid: int, container: str) -> Usage | None:
        """What the container of this id and first process uses; None where the kernel does not say. Never raises.

        The id must stand in the group's path: a pid may have changed hands, and an engine may be on another host.
        """
        try:
            folders = self._folders(pid, container)
            return _v2(folders[_V2]) if "memory" not in folders else _v1(folders)
        except (OSError, KeyError, ValueError):
            return None

    def _folders(self, pid: int, container: str) -> Mapping[str, Path]:
        if self._points is None:
            self._points = dict(_points(_read(self._mounts)))
        found: dict[str, Path] = {}
        for line in _read(self._proc / str(pid) / "cgroup").splitlines():
            number, controllers, path = line.split(":", 2)
            if container not in path:
                continue
            for name in (_V2,) if number == "0" else controllers.split(","):
                if name in self._points:
                    found[name] = self._points[name] / path.lstrip("/")
        return found


def _points(mounts: str) -> Iterator[tuple[str, Path]]:
    for line in mounts.splitlines():
        _, point, kind, options, *_ = line.split(" ")
        if kind == "cgroup2":
            yield _V2, Path(point)
        elif kind == "cgroup":
            yield from ((name, Path(point)) for name in options.split(","))


def _v2(folder: Path) -> Usage:
    cpu, memory = _table(folder / "cpu.stat"), _table(folder / "memory.stat")
    used = int(_read(folder / "memory.current"))
    return Usage(
        cpu=cpu["usage_usec"] / 1e6,
        memory=max(0, used - memory["inactive_file"]),
        pids=_one(folder / "pids.current"),
        periods=cpu.get("nr_periods"),
        throttled=cpu.get("nr_throttled"),
    )


def _v1(folders: Mapping[str, Path]) -> Usage:
    used = int(_read(folders["memory"] / "memory.usage_in_bytes"))
    quota = _table(folders["cpu"] / "cpu.stat") if "cpu" in folders else {}
    return Usage(
        cpu=int(_read(folders["cpuacct"] / "cpuacct.usage")) / 1e9,
        memory=max(0, used - _table(folders["memory"] / "memory.stat")["total_inactive_file"]),
        pids=_one(folders["pids"] / "pids.current") if "pids" in folders else None,
        periods=quota.get("nr_periods"),
        throttled=quota.get("nr_throttled"),
    )


def _one(path: Path) -> int | None:
    try:
        return int(_read(path))
    except (OSError, ValueError):
        return None


def _table(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value in _LINE.findall(_read(path))}


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_LONGEST).decode("ascii", "replace")
