"""What can be told of a process before it is gone: facts from /proc, bounded, and never its environment."""

import os
from collections.abc import Mapping
from pathlib import Path

_FACTS = ("status", "stat", "cmdline", "cgroup", "limits", "io", "wchan", "syscall", "oom_score", "net/sockstat")
_PRESSURE = ("cpu", "io", "memory")
_FACT_CAP = 8192
_MOST_FDS = 256
_MOST_THREADS = 64


def of_process(pid: int) -> Mapping[str, object]:
    """Facts of one process; what cannot be read is left out. Touches /proc only; call it through `blocking`."""
    folder = Path(f"/proc/{pid}")
    found: dict[str, object] = {name: text for name in _FACTS if (text := _read(folder / name))}
    found["fds"] = _links(folder / "fd")
    found["cwd"] = _link(folder / "cwd")
    found["exe"] = _link(folder / "exe")
    found["threads"] = {
        task.name: {
            "comm": _read(task / "comm").strip(),
            "wchan": _read(task / "wchan"),
            "stack": _read(task / "stack"),
        }
        for task in _entries(folder / "task")[:_MOST_THREADS]
    }
    return found


def of_host() -> Mapping[str, object]:
    """Pressure, load and memory of the host."""
    pressure = {name: _read(Path("/proc/pressure") / name) for name in _PRESSURE}
    return {"pressure": pressure, "loadavg": _read(Path("/proc/loadavg")), "meminfo": _read(Path("/proc/meminfo"))}


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_FACT_CAP).replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name))
    except OSError:
        return []


def _links(folder: Path) -> dict[str, str]:
    return {entry.name: _link(entry) for entry in _entries(folder)[:_MOST_FDS]}


def _link(path: Path) -> str:
    try:
        return os.fsencode(path.readlink()).decode("utf-8", "replace")
    except OSError:
        return ""
