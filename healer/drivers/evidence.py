"""What can be told of a process before it is gone: facts from /proc and a few logs, bounded, never its environment."""

import contextlib
import itertools
import os
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from healer.drivers import output

_FACTS = (
    "status", "stat", "cmdline", "cgroup", "limits", "io", "wchan", "syscall", "oom_score", "oom_score_adj",
    "schedstat",
)  # fmt: skip
_PRESSURE = ("cpu", "io", "memory")
_GROUP = (
    "cpu.stat", "cpu.max", "cpu.pressure", "memory.current", "memory.max", "memory.high", "memory.events",
    "memory.pressure", "io.pressure", "pids.current", "pids.max",
)  # fmt: skip
_FACT_CAP = 8192
_MOST_FDS = 256
_MOST_THREADS = 64
_NET_CAP = 2 * 1024 * 1024
_CHANGES = ("/var/log/dpkg.log", "/var/log/apt/history.log", "/var/log/dnf.rpm.log", "/var/log/pacman.log")
_CHANGES_CAP = 4096
_MOST_FILES = 64
_STATES = (
    "", "established", "syn-sent", "syn-received", "fin-wait-1", "fin-wait-2", "time-wait", "close", "close-wait",
    "last-ack", "listen", "closing",
)  # fmt: skip
Enough = Callable[[], bool]
"""Says that the time is over: what has not been read by then is left out."""


def _never() -> bool:
    return False


def of_process(pid: int, enough: Enough = _never) -> Mapping[str, object]:
    """Facts of one process; what cannot be read is left out. Touches /proc only; call it through `blocking`."""
    folder = Path(f"/proc/{pid}")
    found: dict[str, object] = {name: text for name in _FACTS if (text := _read(folder / name))}
    found["exe"], found["cwd"] = _link(folder / "exe"), _link(folder / "cwd")
    fds = _links(folder / "fd")
    found["fds"] = fds
    if not enough():
        found["threads"] = _threads(folder / "task", enough)
    if not enough():
        found["sockets"] = list(_sockets(folder / "net", set(_socket_inodes(fds.values()))))
    if not enough():
        # Last: the kernel walks all of its memory for this, which may take long.
        found["smaps_rollup"] = _read(folder / "smaps_rollup")
    if group := _group_of(str(found.get("cgroup", ""))):
        found["group"] = of_group(group)
    return found


def of_group(path: Path) -> Mapping[str, str]:
    """Figures of a control group (version 2): what it used, what held it up, what it may have."""
    return {name: text for name in _GROUP if (text := _read(path / name))}


def of_host() -> Mapping[str, object]:
    """Pressure, load and memory of the host."""
    pressure = {name: _read(Path("/proc/pressure") / name) for name in _PRESSURE}
    return {"pressure": pressure, "loadavg": _read(Path("/proc/loadavg")), "meminfo": _read(Path("/proc/meminfo"))}


def changes(logs: Iterable[str] = _CHANGES) -> Mapping[str, str]:
    """The ends of the package managers' logs: what was installed, or upgraded, last."""
    found = {log: output.tail(Path(log), _CHANGES_CAP).decode("utf-8", "replace") for log in logs}
    return {log: text for log, text in found.items() if text}


def files(paths: Iterable[str]) -> Sequence[Mapping[str, object]]:
    """When declared files last changed, the newest first; folders with what lies in them."""
    seen = [one for path in paths for one in _with_content(Path(path))][: _MOST_FILES * 4]
    told = []
    for path in seen:
        with contextlib.suppress(OSError):
            stat = path.lstat()
            told.append({"path": str(path), "changed": stat.st_mtime, "size": stat.st_size, "mode": oct(stat.st_mode)})
    return sorted(told, key=lambda one: -float(str(one["changed"])))[:_MOST_FILES]


def _with_content(path: Path) -> list[Path]:
    return [path, *_entries(path, _MOST_FILES)] if path.is_dir() and not path.is_symlink() else [path]


_REDACTED = "[redacted]"
_WORD = (
    r"(?:passw(?:or)?d|passphrase|(?<![a-z])pass(?![a-z])|requirepass|[_-]pwd|secret|token|api[_-]?key|private[_-]?key|authorization|cookie"
    r"|credential)"
)
_VALUE = r"""(?:(?<=")(?:[^"\\]|\\.){1,4000}|(?<=')[^']{1,4000}|[^\s"',;&]+)"""
_SECRETS = tuple(
    re.compile(pattern)
    for pattern in (
        # Behind what comes first of each stands what is taken out; all repeats are bounded: logs are others' text.
        r"(?i)((?:authorization|cookie)[\"']?\s{0,4}[=:]\s{0,4}[\"']?(?:(?:bearer|basic)\s{1,4})?)[^\r\n\"']+",
        rf"(?i)({_WORD}[\w-]{{0,30}}[\"']?\s{{0,4}}(?:=>|[=:])\s{{0,4}}[\"']?(?:(?:bearer|basic)\s{{1,4}})?){_VALUE}",
        rf"(?i)((?<![\w-])--?[\w-]{{0,30}}?{_WORD}[\w-]{{0,30}}\s{{1,4}})[^\s-][^\s]*",
        r"(?i)(\bbearer\s{1,4})[\w.~+/=-]{8,}",
        r"(\beyJ)[\w-]{6,}\.[\w-]{6,}\.[\w-]*",
        r"([a-z][a-z0-9+.-]{0,20}://[^\s:/@]{0,100}:)[^\s/]{1,200}(?=@)",
        r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[^-]*",
    )
)
_OPTION = re.compile(rf"(?i)--?[\w-]{{0,30}}?{_WORD}[\w-]{{0,30}}")


def scrubbed(text: str) -> str:
    """Text of unknown origin without what looks like a secret: a password in a command line, a token in a log line."""
    for pattern in _SECRETS:
        text = pattern.sub(rf"\1{_REDACTED}", text)
    return text


def without_secrets(value: object) -> object:
    """The same for every text within."""
    if isinstance(value, str):
        return scrubbed(value)
    if isinstance(value, Mapping):
        return {str(name): without_secrets(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_REDACTED if _told_by(before) else without_secrets(item) for before, item in _with_former(value)]
    return value


def _with_former(value: Sequence[object]) -> Iterator[tuple[object, object]]:
    return zip((None, *value), value, strict=False)


def _told_by(before: object) -> bool:
    """Whether what follows in a list of words is a secret: an engine has the words of a command line one by one."""
    return isinstance(before, str) and _OPTION.fullmatch(before) is not None


def _threads(folder: Path, enough: Enough) -> Mapping[str, object]:
    found: dict[str, object] = {}
    for task in _entries(folder, _MOST_THREADS):
        if enough():
            break
        comm = _read(task / "comm").strip()
        found[task.name] = {"comm": comm, "wchan": _read(task / "wchan"), "stack": _read(task / "stack")}
    return found


def _group_of(text: str) -> Path | None:
    for line in text.splitlines():
        if line.startswith("0::/"):
            return Path("/sys/fs/cgroup") / line[4:].strip()
    return None


def _socket_inodes(links: Iterable[str]) -> Iterator[str]:
    for link in links:
        if link.startswith("socket:["):
            yield link[8:-1]


def _sockets(folder: Path, inodes: set[str]) -> Iterator[Mapping[str, str]]:
    """Which peers it talks to, of the sockets it holds."""
    for name in ("tcp", "tcp6", "udp", "udp6") if inodes else ():
        for line in _read(folder / name, _NET_CAP).splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[9] in inodes:
                state = int(fields[3], 16) if name.startswith("tcp") else 0
                yield {
                    "kind": name,
                    "local": endpoint(fields[1]),
                    "peer": endpoint(fields[2]),
                    "state": _STATES[state] if state < len(_STATES) else str(state),
                    "queues": fields[4],
                }
    for line in _read(folder / "unix", _NET_CAP).splitlines()[1:] if inodes else ():
        fields = line.split(None, 7)
        if len(fields) > 7 and fields[6] in inodes:
            yield {"kind": "unix", "local": fields[7]}


def endpoint(text: str) -> str:
    """``0100007F:1F90`` as ``127.0.0.1:8080``: the kernel writes addresses as words in the host's own order."""
    host, _, port = text.partition(":")
    try:
        words = [bytes.fromhex(host[place : place + 8])[::-1] for place in range(0, len(host), 8)]
        family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
        return f"{socket.inet_ntop(family, b''.join(words))}:{int(port, 16)}"
    except (ValueError, OSError):
        return text


def _read(path: Path, most: int = _FACT_CAP) -> str:
    try:
        with path.open("rb") as file:
            return file.read(most).replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def _entries(folder: Path, most: int) -> list[Path]:
    """The first entries as they come: a folder may hold a million."""
    try:
        with os.scandir(folder) as entries:
            found = [Path(entry.path) for entry in itertools.islice(entries, most)]
    except OSError:
        return []
    return sorted(found, key=lambda path: (len(path.name), path.name))


def _links(folder: Path) -> dict[str, str]:
    return {entry.name: _link(entry) for entry in _entries(folder, _MOST_FDS)}


def _link(path: Path) -> str:
    try:
        return os.fsencode(path.readlink()).decode("utf-8", "replace")
    except OSError:
        return ""
