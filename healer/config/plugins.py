"""Take up the plug-ins that organism.yaml names: files of root's, or distributions that are installed beside us.

A plug-in runs with the agent's rights, so it must belong to root or to the agent's own account, and nobody else may be
able to write to it or to a folder above it. One that fails is left out, and reported wherever the agent reports what
is wrong with itself; what it would have brought is then unknown by name.
"""

import functools
import hashlib
import os
import stat
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from healer import plugged
from healer.config import targets
from healer.config.kinds.own import Own
from healer.errors import ConfigError
from healer.model import verbs, vocabulary

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

INSTALLED = "installed"
"""The word for: what installed distributions offer as entry points."""
GROUPS = ("healer.sensors", "healer.actions", "healer.conditions")
MARK = "__healer__"
"""The attribute by which what a plug-in declares is found; `healer.plugin` sets it."""
LARGEST = 1 << 20
_MOST = 100
Undo = Callable[[], object]


class _Taken:
    """One plug-in that was taken up: what it declares, and how to take that out again."""

    def __init__(self, digest: str, declared: Sequence[Any]) -> None:
        self.digest = digest
        self._declared = declared
        self._undo: list[Undo] = []

    def join(self) -> None:
        """Take in all of it, or nothing; raises ConfigError."""
        try:
            for one in self._declared:
                for undo in _join(one):
                    self._undo.append(undo)
        except ConfigError:
            self.leave()
            raise

    def leave(self) -> None:
        """Take all of it out."""
        while self._undo:
            self._undo.pop()()


_taken: dict[str, _Taken] = {}


def take_up(named: Iterable[str]) -> None:
    """Take up these plug-ins (absolute paths of files or folders, or `INSTALLED`); the others stay as they are.

    One that has not changed since is left alone. Never raises: what fails stands in `healer.plugged.FAILED`, and if it
    was there in an earlier form, that one goes on.
    """
    plugged.FAILED.clear()
    for one in named:
        for where, digest, read in _found(one):
            known = _taken.get(where)
            if known is None or known.digest != digest:
                _take(where, digest, read)


def keep_only(named: Iterable[str]) -> None:
    """Let go of plug-ins that are no longer named, once nothing in use rests on them."""
    kept = {where for one in named for where, _, _ in _found(one)}
    for where in _taken.keys() - kept:
        _taken.pop(where).leave()


def _take(where: str, digest: str, read: Callable[[], Sequence[Any]]) -> None:
    try:
        fresh = _Taken(digest, _something(read()))
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - a stranger's code may raise anything, and ends nothing here
        plugged.FAILED[where] = str(exc) if isinstance(exc, ConfigError) else f"{type(exc).__name__}: {exc}"[:300]
        return
    old = _taken.pop(where, None)
    if old is not None:
        old.leave()
    try:
        fresh.join()
        _taken[where] = fresh
    except ConfigError as exc:
        plugged.FAILED[where] = str(exc)
        if old is not None:
            old.join()
            _taken[where] = old


def _something(declared: Sequence[Any]) -> Sequence[Any]:
    if not declared:
        raise ConfigError("it declares nothing", hint="@sensor, @action or @condition of healer.plugin")
    return declared


# What one looks like -------------------------------------------------------------------------------------------


def _found(named: str) -> Iterator[tuple[str, str, Callable[[], list[Any]]]]:
    """Where each plug-in is, what tells its versions apart, and how it is read."""
    if named == INSTALLED:
        yield from _installed()
        return
    path = Path(named)
    for file in sorted(path.glob("*.py"))[:_MOST] if path.is_dir() else [path]:
        try:
            code = _trusted(file)
        except (OSError, ConfigError) as exc:
            plugged.FAILED[str(file)] = str(exc) if isinstance(exc, ConfigError) else f"cannot read it: {exc.strerror}"
        else:
            yield str(file), hashlib.sha256(code).hexdigest(), functools.partial(_declared_in, file, code)


def _installed() -> Iterator[tuple[str, str, Callable[[], list[Any]]]]:
    import importlib.metadata  # 2 MB that an agent without plug-ins does not pay

    for group in GROUPS:
        for entry in importlib.metadata.entry_points(group=group):
            version = entry.dist.version if entry.dist else ""
            yield f"{group}:{entry.name}", f"{entry.value} {version}", functools.partial(_offered, entry)


def _trusted(file: Path) -> bytes:
    """The file's octets; raises ConfigError where somebody else could have written them."""
    for part in (file, *file.parents):
        found = part.lstat()
        if stat.S_ISLNK(found.st_mode):
            raise ConfigError(f"{part} is a symbolic link", hint="name the place itself")
        if found.st_uid not in {0, os.geteuid()}:
            raise ConfigError(f"{part} belongs to another account", hint="it must be root's")
        sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        if found.st_mode & 0o022 and not sticky:
            raise ConfigError(f"others may write to {part}", hint=f"chmod go-w {part}")
    fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as opened:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ConfigError(f"{file} is no regular file")
        code = opened.read(LARGEST + 1)
    if len(code) > LARGEST:
        raise ConfigError(f"{file} is larger than {LARGEST} bytes")
    return code


def _declared_in(file: Path, code: bytes) -> list[Any]:
    name = f"healer_plugin_{file.stem}_{hashlib.sha256(os.fsencode(file)).hexdigest()[:8]}"
    module = types.ModuleType(name)
    module.__file__ = str(file)
    sys.modules[name] = module  # dataclasses and pickles look for it there
    exec(compile(code, str(file), "exec"), module.__dict__)  # noqa: S102 - that is what a plug-in is for; see `_trusted`
    return [found for value in vars(module).values() if (found := _mark_of(value, name)) is not None]


def _offered(entry: "EntryPoint") -> list[Any]:
    return _declared(entry.load())


def _declared(loaded: object) -> list[Any]:
    """What an entry point names: one declared thing, or a module with several."""
    if isinstance(loaded, types.ModuleType):
        return [one for value in vars(loaded).values() if (one := _mark_of(value, loaded.__name__)) is not None]
    one = getattr(loaded, MARK, None)
    return [] if one is None else [one]


def _mark_of(value: object, module: str) -> Any:  # noqa: ANN401 - a declaration
    """What a value of a module declares; None for one that only was imported there."""
    return getattr(value, MARK, None) if getattr(value, "__module__", "") == module else None


# What is done with it ------------------------------------------------------------------------------------------


def _join(one: Any) -> Iterator[Undo]:  # noqa: ANN401 - a declaration
    """Take one thing in; gives what takes it out again, step by step. Raises ConfigError."""
    if isinstance(one, plugged.Function):
        if one.name in plugged.FUNCTIONS:
            raise ConfigError(f"there is a function {one.name} already")
        plugged.FUNCTIONS[one.name] = one
        yield lambda: plugged.FUNCTIONS.pop(one.name)
    elif one.what == "sensor":
        yield from _join_sensor(one)
    else:
        verbs.learn(one.name, one.verb)
        yield lambda: verbs.forget(one.name)
        plugged.ACTIONS[one.name] = one.make
        yield lambda: plugged.ACTIONS.pop(one.name)


def _join_sensor(one: Any) -> Iterator[Undo]:  # noqa: ANN401 - a declaration
    kind = one.kind
    vocabulary.learn(kind)
    yield lambda: vocabulary.forget(kind)
    targets.learn(kind.name, Own(fields=tuple(one.keys), every=one.every, shown=f"{one.every:g}s"))
    yield lambda: targets.forget(kind.name)
    plugged.SENSORS[kind.name] = one.make
    yield lambda: plugged.SENSORS.pop(kind.name)
