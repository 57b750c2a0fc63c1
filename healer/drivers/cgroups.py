"""A cgroup per program where the host lets us make one, so that nothing it started can slip away from a kill."""

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

_MOUNTS = Path("/proc/self/mounts")
_OWN = Path("/proc/self/cgroup")
_V1 = ("pids", "freezer", "name=systemd")
"""v1 hierarchies in which membership costs nothing, best first; one is enough to find a tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cgroup:
    """One folder below our own cgroup."""

    path: Path

    def members(self) -> set[int]:
        """The processes in it, empty when it is gone."""
        try:
            fd = os.open(f"{self.path}/cgroup.procs", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return set()
        try:
            text = b"".join(iter(lambda: os.read(fd, 65536), b""))
        except OSError:
            return set()
        finally:
            os.close(fd)
        return {int(word) for word in text.split() if word != b"0"}  # 0: it lives in another pid namespace

    def attach(self, pid: int) -> bool:
        """Move a process here; False when it is gone or the host refuses."""
        try:
            (self.path / "cgroup.procs").write_text(str(pid), encoding="ascii")
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Kill all of it at once where the kernel can (v2 since 5.14); elsewhere nothing happens."""
        kill = self.path / "cgroup.kill"
        if kill.exists():
            with contextlib.suppress(OSError):
                kill.write_text("1", encoding="ascii")

    def remove(self) -> bool:
        """Take the empty folder away; False while something is in it."""
        try:
            self.path.rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True


class Cgroups:
    """Where cgroups can be made, if anywhere."""

    def __init__(self, root: Path | None, because: str) -> None:
        self.root = root
        """The folder that holds ours; None where there is none."""
        self.because = because
        """Why there is none, or which kind there is."""

    def make(self, name: str) -> Cgroup | None:
        """Make (or find) the cgroup of this name; None where the host does not let us."""
        if self.root is None:
            return None
        path = self.root / f"healer-{_safe(name)}"
        try:
            path.mkdir(exist_ok=True)
        except OSError:
            return None
        return Cgroup(path=path)


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.@-]", "_", name)[:120]


def detect(mounts: Path = _MOUNTS, own: Path = _OWN) -> Cgroups:
    """Find a cgroup tree we may write to: unified first, then a v1 hierarchy. Never raises."""
    try:
        places = dict(_places(mounts.read_text(encoding="utf-8"), own.read_text(encoding="utf-8")))
    except OSError as exc:
        return Cgroups(None, f"cannot read {exc.filename}: {exc.strerror}")
    for kind in ("v2", *_V1):
        root = places.get(kind)
        if root is not None and os.access(root, os.W_OK | os.X_OK) and (root / "cgroup.procs").exists():
            return Cgroups(root, f"cgroup {kind} at {root}")
    return Cgroups(None, "no cgroup tree that we may write to" if places else "no cgroup tree is mounted")


def _places(mounts: str, own: str) -> list[tuple[str, Path]]:
    """(kind, our own folder) for each hierarchy that is mounted."""
    paths: dict[str, str] = {}
    for line in own.splitlines():
        number, controllers, path = line.split(":", 2)
        for kind in ("v2",) if number == "0" else controllers.split(","):
            paths[kind] = path
    found = []
    for line in mounts.splitlines():
        _, point, kind, options, *_ = line.split(" ")
        kinds = ("v2",) if kind == "cgroup2" else options.split(",") if kind == "cgroup" else ()
        found += [(name, _below(point, paths[name])) for name in kinds if name in paths]
    return found


def _below(point: str, path: str) -> Path:
    """Our folder under this mount. A hardened unit mounts just that folder writable, over itself: later lines win."""
    return Path(point) if path != "/" and point.endswith(path) else Path(point + path)
