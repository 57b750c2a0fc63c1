"""What a process is started with: an argument vector, a rebuilt environment, an account; never a shell."""

import os
import pwd
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from healer.errors import ActionError

FIXED_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where commands are looked for: the agent's own PATH may have been poisoned by whoever started it."""

_MAX_ARGUMENT = 131_072  # MAX_ARG_STRLEN of the kernel: one byte more is E2BIG
_MAX_TOTAL = 1_048_576
_NAME = re.compile(r"[A-Za-z0-9@_.:\\][A-Za-z0-9@_.:\\-]{0,254}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who a process runs as."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def account(name: str) -> Account:
    """Look an account up by name; raises ActionError when there is none, or when the agent may not become it."""
    try:
        entry = pwd.getpwnam(name)
    except (KeyError, ValueError) as exc:
        raise ActionError(f"there is no account {name!r}", hint="create it or change `user:`", transient=False) from exc
    if os.geteuid() not in (0, entry.pw_uid):
        raise ActionError(f"cannot become {name}: the agent is not root", hint="run it as root", transient=False)
    groups = tuple(os.getgrouplist(name, entry.pw_gid))
    return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid, groups=groups, home=entry.pw_dir or "/")


def own_account() -> Account:
    """The account the agent itself runs as, also where it has no name."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return Account(name=str(uid), uid=uid, gid=gid, groups=(), home="/")
    return Account(name=entry.pw_name, uid=uid, gid=gid, groups=(), home=entry.pw_dir or "/")


def checked(argv: Sequence[str]) -> list[str]:
    """The argument vector as given; raises ActionError for what no kernel would start."""
    if not argv or not all(isinstance(word, str) for word in argv) or not argv[0]:
        raise ActionError("the command is empty or not a list of strings", transient=False)
    sizes = [len(os.fsencode(word)) for word in argv]
    if any("\0" in word for word in argv) or max(sizes) >= _MAX_ARGUMENT or sum(sizes) > _MAX_TOTAL:
        raise ActionError("an argument holds a NUL or is too long", transient=False)
    return list(argv)


def slot(value: str) -> str:
    """A value from outside on its way into an argument: a plain name, or ActionError.

    What could be read as an option (``-oProxyCommand=``), a file (``@file``) or a path never gets through.
    """
    if not _NAME.fullmatch(value) or value.startswith("@"):
        raise ActionError(f"{value[:80]!r} is not a plain name, so it cannot be an argument", transient=False)
    return value


def resolve(command: str, path: str = FIXED_PATH, cwd: str = "/") -> str:
    """The absolute path of a command; one with a slash is taken from ``cwd``. Raises ActionError when there is none."""
    candidates = [str(Path(cwd) / command)] if "/" in command else _on_path(command, path)
    for candidate in candidates:
        # access first: for most folders of a PATH it says no, and it is cheaper than a look at the file
        if os.access(candidate, os.X_OK) and Path(candidate).is_file():
            return candidate
    raise ActionError(
        f"there is no command {command!r}", hint=f"looked in {cwd if '/' in command else path}", transient=False
    )


def _on_path(command: str, path: str) -> list[str]:
    return [f"{folder}/{command}" for folder in path.split(":") if folder.startswith("/")]


def check_owners(path: str) -> None:
    """Raise ActionError unless nobody but root and the agent's own account could have put this file there.

    Walks every component, and every link, from the root: a folder anyone may write to is as good as the file itself.
    """
    _check_chain(Path(path), hops=0)


def _check_chain(path: Path, hops: int) -> None:
    if hops > 40:
        raise ActionError(f"{path} is a loop of links", transient=False)
    for part in [*reversed(path.parents), path]:
        seen = part.lstat()
        if stat.S_ISLNK(seen.st_mode):
            target = part.parent / part.readlink()
            _check_owner(part, seen, writable=False)
            _check_chain(Path(os.path.abspath(target)), hops + 1)  # noqa: PTH100 - resolve() would follow what is judged
            continue
        # In a sticky folder others can add, but not replace what is not theirs.
        sticky = stat.S_ISDIR(seen.st_mode) and bool(seen.st_mode & stat.S_ISVTX)
        _check_owner(part, seen, writable=bool(seen.st_mode & 0o022) and not sticky)


def _check_owner(part: Path, seen: os.stat_result, *, writable: bool) -> None:
    if seen.st_uid not in (0, os.geteuid()):
        raise ActionError(f"{part} belongs to uid {seen.st_uid}", hint="only root's commands are run", transient=False)
    if writable:
        raise ActionError(f"{part} can be written by others", hint=f"chmod go-w {part}", transient=False)


def environment(declared: Mapping[str, str], markers: Mapping[str, str], who: Account) -> dict[str, str]:
    """A clean environment: constants, then what is declared, then the agent's markers, which nothing overrides.

    Nothing of the agent's own environment is passed on. Raises ActionError for a name that is none.
    """
    made = {
        "PATH": FIXED_PATH,
        "LANG": "C.UTF-8",
        "HOME": who.home,
        "USER": who.name,
        "LOGNAME": who.name,
        "SHELL": "/bin/sh",
    }
    for name, value in declared.items():
        if not _VARIABLE.fullmatch(name) or "\0" in value:
            raise ActionError(f"{name[:80]!r} cannot be an environment variable", transient=False)
        made[name] = value
    made.update(markers)
    return made
