"""``healer doctor``: what the agent needs of its environment, each with ok, warn or fail and what to do."""

import importlib.util
import os
import shutil
import stat
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from pathlib import Path

import click

from healer.api.where import KILL_SWITCH
from healer.cli import show
from healer.cli.client import NotReachableError, find
from healer.cli.sealing import Found, looks
from healer.cli.settings import Command, Settings, settings

ROOT = Path("/")
"""Where the host's own files are; tests look elsewhere."""
_LITTLE = 256 << 20
_LIBRARIES = {"postgres": "psycopg", "redis": "redis", "apprise": "apprise"}
"""By the kind of target, or of channel, that needs it."""


Look = Callable[[Settings], Iterator[Found]]


@click.command(cls=Command)
def doctor() -> int:
    """Check Python, key, disk, clock, kernel, Docker, rights, configuration, witnesses, room. Exit 1 where it fails."""
    given = settings()
    found = [one for look in LOOKS for one in look(given)]
    if given.json:
        show.as_json({"checks": [asdict(one) for one in found]})
    else:
        show.table(given, ("CHECK", "", "FOUND", "DO"), [(one.what, one.how, one.says, one.fix) for one in found])
    return 1 if any(one.how == "fail" for one in found) else 0


def python(_: Settings) -> Iterator[Found]:
    """The interpreter, and whether another package is called audit."""
    yield Found(what="python", how="ok", says=".".join(map(str, sys.version_info[:3])))
    import audit

    ours = Path(str(audit.__file__)).parent.parent
    if not (ours / "healer").is_dir():
        fix = "install healer into an environment of its own (make install does)"
        yield Found(what="audit", how="fail", says=f"another package named audit is imported, from {ours}", fix=fix)
    elif sys.prefix == sys.base_prefix:
        fix = "install healer into an environment of its own: SELinux's tools import another package named audit"
        yield Found(what="audit", how="warn", says="healer is installed beside the system's own packages", fix=fix)
    else:
        yield Found(what="audit", how="ok", says="our own, in a private environment")


def state(given: Settings) -> Iterator[Found]:
    """The folder nothing may be lost from."""
    folder = given.log
    if not os.path.exists(folder):  # noqa: PTH110 - a folder we may not look into is none to us, and no traceback
        there = next(above for above in folder.absolute().parents if os.path.exists(above))  # noqa: PTH110 - as above
        if os.access(there, os.W_OK | os.X_OK):
            yield Found(what="state", how="ok", says=f"{folder} will be made at the first start")
        else:
            fix = "name another: --state-dir or $HEALER_STATE_DIR"
            yield Found(what="state", how="fail", says=f"{folder} cannot be made: we may not write to {there}", fix=fix)
        return
    yield from _folder("state", folder)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        fix = "run this as root or as the agent's own user"
        yield Found(what="state", how="warn", says=f"we may not look into {folder}, or not write to it", fix=fix)
        return
    yield from _disk(folder)
    yield from _key(folder)
    if (folder / KILL_SWITCH).exists():
        says = f"{folder / KILL_SWITCH} is there: nothing is healed"
        yield Found(what="kill switch", how="warn", says=says, fix="healer resume-healing")
    else:
        yield Found(what="kill switch", how="ok", says="off")


def _folder(what: str, folder: Path) -> Iterator[Found]:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        yield Found(what=what, how="warn", says=f"{folder} is open to others ({mode:04o})", fix=f"chmod 700 {folder}")
    else:
        yield Found(what=what, how="ok", says=str(folder))


def _disk(folder: Path) -> Iterator[Found]:
    usage = shutil.disk_usage(folder)
    free = f"{usage.free >> 20} MiB free"
    if usage.free < _LITTLE:
        yield Found(
            what="disk", how="warn", says=f"{free} for the log", fix="seal or stop: a full disk stops the healing"
        )
    else:
        yield Found(what="disk", how="ok", says=free)


def _key(folder: Path) -> Iterator[Found]:
    key = folder / "keys" / "seal.pem"
    try:
        found = key.lstat()
    except FileNotFoundError:
        if (folder / "audit.db").exists():
            fix = "put it back from its backup: a log is never continued with another key in silence"
            yield Found(what="key", how="fail", says=f"the log is there and {key} is not", fix=fix)
        return
    except OSError as exc:
        yield Found(what="key", how="warn", says=f"cannot look at {key}: {exc.strerror}", fix="run this as root")
        return
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077 or not stat.S_ISREG(found.st_mode):
        yield Found(what="key", how="fail", says=f"{key} is open to others ({mode:04o})", fix=f"chmod 600 {key}")
    else:
        yield Found(what="key", how="ok", says=f"{key}, mode {mode:04o}")


def clock(_: Settings) -> Iterator[Found]:
    """A wall clock nobody sets makes calendars and dates in the log worthless."""
    synchronized = ROOT / "run/systemd/timesync/synchronized"
    daemons = ("run/chrony", "run/ntpd.pid", "run/chronyd.pid", "run/ntpsec")
    if synchronized.exists() or any((ROOT / one).exists() for one in daemons):
        yield Found(what="clock", how="ok", says="something keeps it right")
    else:
        fix = "timedatectl set-ntp true (durations do not depend on it, calendars and the log's dates do)"
        yield Found(what="clock", how="warn", says="nothing seems to set the clock", fix=fix)


def kernel(_: Settings) -> Iterator[Found]:
    """What looking and containing need of the kernel."""
    if (ROOT / "proc/pressure/cpu").exists():
        yield Found(what="pressure", how="ok", says="PSI is there")
    else:
        says = "the kernel keeps no PSI: saturation is judged by CPU and memory in use"
        yield Found(what="pressure", how="warn", says=says, fix="boot with psi=1")
    if (ROOT / "sys/fs/cgroup/cgroup.controllers").exists():
        yield Found(what="cgroups", how="ok", says="version 2")
    else:
        says = "no unified hierarchy: trees of programs are followed by process group and environment"
        yield Found(what="cgroups", how="warn", says=says, fix="boot with systemd.unified_cgroup_hierarchy=1")
    if hasattr(os, "pidfd_open"):
        yield Found(what="pidfd", how="ok", says="exits are seen at once")
    else:
        yield Found(
            what="pidfd", how="fail", says="this Python has no pidfd_open", fix="Linux 5.3 or newer, glibc builds"
        )


def docker(_: Settings) -> Iterator[Found]:
    """Containers can be looked after where their engine's socket may be opened."""
    named = os.environ.get("DOCKER_HOST", "")
    if named and not named.startswith("unix://"):
        yield Found(what="docker", how="ok", says=f"{named} (DOCKER_HOST)")
        return
    path = Path(named.removeprefix("unix://")) if named else ROOT / "run/docker.sock"
    if not path.exists():
        yield Found(what="docker", how="ok", says="no engine here: containers cannot be targets")
    elif os.access(path, os.R_OK | os.W_OK):
        yield Found(what="docker", how="ok", says=str(path))
    else:
        yield Found(what="docker", how="warn", says=f"we may not open {path}", fix="add the agent's user to its group")


def rights(_: Settings) -> Iterator[Found]:
    """What can be done without root."""
    if os.geteuid() == 0:
        yield Found(what="rights", how="ok", says="root: every process can be seen and signalled")
    else:
        says = "not root: it acts on its own programs, and sees less of others' processes"
        yield Found(what="rights", how="warn", says=says, fix="sudo make install sets up the service")


def configuration(given: Settings) -> Iterator[Found]:
    """Whether it loads; what is wrong with it is check's to say."""
    from healer import plugged
    from healer.config import load_config
    from healer.config.files import rule_files
    from healer.errors import HealerError
    from healer.rules.load import load
    from healer.rules.switched import switched

    try:
        config = load_config(Path(given.config) if given.config else None, environ=os.environ)
        rules = switched(load(rule_files(config.rules), base=config.rules.base), config.rules.modes)
    except HealerError as exc:
        yield Found(what="configuration", how="fail", says=exc.message, fix="healer check")
        return
    says = f"{config.source or 'shipped'}: {len(rules.rules)} rules, {len(config.targets)} targets"
    yield Found(what="configuration", how="ok", says=says)
    for where, because in plugged.FAILED.items():
        says = f"{where} was left out: {because}"
        yield Found(what="plug-in", how="fail", says=says, fix="mend it: docs/extending.md")
    yield from libraries({target.kind for target in config.targets} | {one.kind for one in config.notify.values()})
    yield from looks(config, given.log)


def libraries(kinds: Collection[str]) -> Iterator[Found]:
    """Whether what the configuration names can be reached at all: some client libraries are not everybody's."""
    from healer.drivers.interface import EXTRAS

    for kind, library in _LIBRARIES.items():
        if kind in kinds and importlib.util.find_spec(library) is None:
            says = f"{library} is not installed, and {kind} needs it"
            yield Found(what="library", how="fail", says=says, fix=EXTRAS)


def agent(given: Settings) -> Iterator[Found]:
    """Whether one runs here."""
    try:
        yield Found(what="agent", how="ok", says=f"listens at {find(given)}")
    except NotReachableError as exc:
        yield Found(what="agent", how="warn", says=exc.message, fix=exc.hint)


LOOKS: tuple[Look, ...] = (python, state, clock, kernel, docker, rights, configuration, agent)
