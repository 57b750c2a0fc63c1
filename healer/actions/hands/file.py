"""What can be done to files, within what is declared with them: delete what can be made again, set aside, mend."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from healer import blocking
from healer.actions.hand import Hand
from healer.actions.hands.catalog import Services
from healer.actions.interface import Done, Order
from healer.actions.run import Run
from healer.clock import Clock
from healer.drivers import pagecache, setaside
from healer.drivers.files import Cleared, Clearing, Policy, Survey
from healer.drivers.sqlitefile import Mended, Repair
from healer.errors import ActionError

T = TypeVar("T")
_SPARE = 2.0
"""Seconds of a step's timeout that are kept for what comes after the work."""


def hands(services: Services) -> Mapping[str, Hand]:
    """By verb."""
    return {
        "clear_cache": Clear(services.clock, services.state_dir),
        "quarantine": Aside(services.state_dir),
        "repair": Mend(services.clock, services.state_dir, Run(services.programs.groups)),
    }


class _OneAtATime:
    """A thread that was given up on may still be at work on a path: then nothing else is begun there."""

    def __init__(self) -> None:
        self._at_work: set[str] = set()

    async def call(self, path: str, work: Callable[[], T]) -> T:
        if path in self._at_work:
            raise ActionError(f"an earlier action on {path} has not come back yet")
        self._at_work.add(path)

        def run() -> T:
            # Here and not around the await: whoever gave up leaves the mark until the thread is back.
            try:
                return work()
            finally:
                self._at_work.discard(path)

        return await blocking.call(run)


_TURN = _OneAtATime()
"""One for all hands, and over reloads, which make them anew: a thread that is still deleting knows of neither."""


class Clear(Hand):
    """Deletes old files below a declared folder."""

    touches = "files below the declared folder that its `clear` lets go"

    def __init__(self, clock: Clock, state_dir: Path) -> None:
        self._clock, self._state_dir = clock, state_dir
        self._ahead = clock.wall() - clock.now()
        self._turn = _TURN

    async def act(self, order: Order) -> Done:
        """Delete, the oldest first; raises ActionError."""
        path = _path(order, self._state_dir)
        if which := order.params.get("page_cache"):
            return await self._turn.call(path, lambda: _forgotten(path, str(which)))
        clearing = self._clearing(order, order.timeout - _SPARE)
        done = await self._turn.call(path, clearing.clear)
        return Done(
            because=f"{_size(done.size)} in {done.files} files below {path} deleted{_rest(done)}", facts=_facts(done)
        )

    def would(self, order: Order) -> str:
        """Count what would go; blocks for a moment, a second at most."""
        try:
            path = _path(order, self._state_dir)
            if which := order.params.get("page_cache"):
                return f"would have the kernel forget {path if which == 'file' else 'the pages of all files'}"
            found = self._clearing(order, 1.0).survey()
        except ActionError as exc:
            return f"would refuse: {exc}"
        return f"would delete {_size(found.size)} in {len(found.chosen)} files below {path}{_rest(found)}"

    def _clearing(self, order: Order, within: float) -> Clearing:
        declared = order.target.spec.get("clear")
        if declared is None:
            raise ActionError(
                f"{order.target.id} does not say what may be deleted",
                hint="declare it: clear: {older: 7d}",
                transient=False,
            )
        return Clearing(
            _path(order, self._state_dir),
            Policy(
                older=float(declared.get("older", 86400.0)),
                pattern=str(declared.get("pattern") or "*"),
                keep=int(declared.get("keep") or 0),
                most_files=_narrowed(declared.get("most", 10_000), order.params.get("most")),
                most_bytes=_narrowed(declared.get("most_bytes", 10 * 2**30), order.params.get("most_bytes")),
            ),
            # A clock that is set forward makes no file old: it may be wrong, and what is deleted stays so.
            wall=min(self._clock.wall(), self._ahead + self._clock.now()),
            until=self._clock.now() + max(0.1, within),
            now=self._clock.now,
            keep_out=_inode(self._state_dir),
        )


def _forgotten(path: str, which: str) -> Done:
    if which == "host":
        before, after = pagecache.drop_all()
        return Done(because=f"the kernel kept {_size(before)} of files in memory, now {_size(after)}")
    size = pagecache.drop_file(path)
    return Done(because=f"the kernel was told to forget the {_size(size)} of {path}")


class Aside(Hand):
    """Moves a file into the declared folder, and back.

    It is never put back by itself: what it harmed is well because it is gone.
    """

    touches = "where the file lies"

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._turn = _TURN

    async def act(self, order: Order) -> Done:
        """Move it; raises ActionError."""
        path, folder = _path(order, self._state_dir), _aside(order)
        back = order.params.get("back")
        if back is not None:
            name, inode = _noted(back)
            await self._turn.call(path, lambda: setaside.back(path, folder, name, inode))
            return Done(because=f"{path} is back in its place")
        moved = await self._turn.call(path, lambda: setaside.away(path, folder, order.intent))
        more = f"; it has {moved.links - 1} other names" if moved.links > 1 else ""
        return Done(
            because=f"{path} lies in {folder} as {moved.name}{more}; back: {{name: {moved.name}}} puts it back",
            facts={"folder": folder, "name": moved.name, "inode": moved.inode},
        )

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        try:
            path, folder = _path(order, self._state_dir), _aside(order)
            setaside.look(path)
        except ActionError as exc:
            return f"would refuse: {exc}"
        return f"would move {path} to {folder}"


class Mend(Hand):
    """Mends a file in the way that was declared."""

    touches = "the file, and what its declared command touches"

    def __init__(self, clock: Clock, state_dir: Path, run: Run) -> None:
        self._clock, self._state_dir, self._run = clock, state_dir, run
        self._turn = _TURN

    async def act(self, order: Order) -> Done:
        """Mend it; raises ActionError, AmbiguousError."""
        way, path = _way(order), _path(order, self._state_dir)
        if command := way.get("command"):
            return await self._run.act(replace(order, params=_command(path, command, way.get("user"))))
        until = self._clock.now() + max(0.1, order.timeout - _SPARE)
        mark = order.intent[:12] or "by-hand"
        repair = Repair(
            path=path, work=self._state_dir / "repair" / mark, mark=mark, late=lambda: self._clock.now() > until
        )
        mended = await self._turn.call(path, repair.run)
        return Done(because=_told(path, mended), facts={"how": mended.how, "lost": list(mended.lost)})

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        try:
            way, path = _way(order), _path(order, self._state_dir)
        except ActionError as exc:
            return f"would refuse: {exc}"
        if command := way.get("command"):
            return self._run.would(replace(order, params=_command(path, command, way.get("user"))))
        return f"would check {path}, and mend a copy of it where it is not whole"


def _told(path: str, mended: Mended) -> str:
    if not mended.how:
        return f"{path} is whole: integrity_check found nothing"
    lost = f"; not all could be read of {', '.join(mended.lost)}" if mended.lost else ""
    return f"{path} was {mended.how}, {mended.rows} rows{lost}; the old one is {mended.kept[0]}"


def _path(order: Order, state_dir: Path) -> str:
    path = str(order.target.spec["path"])
    if Path(path).is_relative_to(state_dir.resolve()):
        raise ActionError(f"{path} is the agent's own", hint="healer db, healer audit", transient=False)
    return path


def _aside(order: Order) -> str:
    folder = order.target.spec.get("aside")
    if not folder:
        raise ActionError(
            f"{order.target.id} does not say where it may be moved to",
            hint="declare aside: FOLDER, on the same device",
            transient=False,
        )
    return str(folder)


def _way(order: Order) -> Mapping[str, Any]:
    way: Mapping[str, Any] | None = order.target.spec.get("repair")
    if way is None:
        raise ActionError(f"{order.target.id} does not say how it is mended", hint="declare repair:", transient=False)
    return way


def _command(path: str, command: object, user: object) -> dict[str, Any]:
    words = [path if word == "{path}" else str(word) for word in (command if isinstance(command, list | tuple) else ())]
    return {"argv": words, **({"user": str(user)} if user else {})}


def _noted(back: Mapping[str, Any]) -> tuple[str, int | None]:
    name, inode = back.get("name"), back.get("inode")
    if not isinstance(name, str) or "/" in name or name in {"", ".", ".."}:
        raise ActionError("the name it was given makes no sense", hint="back: {name: NAME}", transient=False)
    if inode is not None and not str(inode).isdecimal():
        raise ActionError("the number of its inode makes no sense", hint="leave it out", transient=False)
    return name, None if inode is None else int(inode)


def _narrowed(declared: Any, asked: Any) -> int:  # noqa: ANN401 - numbers of the configuration and of a rule
    return min(int(declared), int(asked)) if asked is not None else int(declared)


def _inode(folder: Path) -> frozenset[int]:
    with contextlib.suppress(OSError):
        return frozenset({folder.stat().st_ino})
    return frozenset()


def _facts(done: Cleared) -> Mapping[str, Any]:
    return {"files": done.files, "size": done.size, "spared": dict(done.spared)}


def _rest(found: Cleared | Survey) -> str:
    spared = ", ".join(f"{count} {because}" for because, count in sorted(found.spared.items(), key=lambda one: -one[1]))
    cut = f"; not all was looked at: {found.cut}" if found.cut else ""
    return (f"; left: {spared[:300]}" if spared else "") + cut


def _size(size: int) -> str:
    for unit, bits in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << bits:
            return f"{size / (1 << bits):.1f} {unit}"
    return f"{size} B"
