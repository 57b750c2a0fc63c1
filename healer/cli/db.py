"""``healer db``: what state.db is, copies of it, and its tables brought forward or back."""

from collections.abc import Mapping
from pathlib import Path

import click

from healer.cli import show
from healer.cli.incidents import when
from healer.cli.settings import Command, Group, settings
from healer.errors import HealerError


@click.group(cls=Group)
def db() -> None:
    """Look after state.db: history and snapshots. The sealed log is another file, and needs none of this."""


def _path() -> Path:
    """The store meant: that of the state folder named, else of the first that has a log."""
    return settings().log / "state.db"


def _copies() -> Path:
    from healer.store import backup as copying

    return _path().parent / copying.FOLDER


@db.command(cls=Command)
def status() -> int:
    """Say which tables it has, how large it is, from when to when it knows history, and which copies there are.

    Exit 0: it is as this healer wants it; 1: it is to be upgraded, or another release's.
    """
    from healer.migrations.run import revision
    from healer.store import backup as copying
    from healer.store import schema
    from healer.store.archive import Archive

    path = _path()
    found = revision(path, ours=False)
    fits = found == schema.REVISION
    told: dict[str, object] = {
        "path": str(path),
        "revision": found,
        "wanted": schema.REVISION,
        "size": path.stat().st_size,
        "samples": None,
        "copies": [str(one) for one in copying.copies(_copies())],
    }
    if fits:
        with Archive(path) as archive:
            told |= {"samples": archive.span(), "series": len(archive.series())}
    if settings().json:
        show.as_json(told)
    else:
        _tell(told, fits=fits)
    return 0 if fits else 1


def _tell(told: Mapping[str, object], *, fits: bool) -> None:
    show.line(f"{told['path']}: revision {told['revision']}, {_size(told['size'])}")
    if isinstance(span := told["samples"], tuple):
        show.line(f"history of {told['series']} series from {when(span[0])} to {when(span[1])}")
    for copy in told["copies"] if isinstance(told["copies"], list) else []:
        show.line(f"copy: {copy}")
    if not fits:
        show.note(f"this healer wants revision {told['wanted']}: healer db upgrade (or another healer)")


@db.command(cls=Command)
def upgrade() -> int:
    """Bring the tables to what this healer wants, after a copy that was proved restorable; the agent must not run.

    An agent that starts on older tables does the same by itself.
    """
    from healer.clock import SystemClock
    from healer.migrations import run
    from healer.store import backup as copying

    with copying.alone(_path().parent):
        moved = run.upgrade(_path(), now=SystemClock().wall())
    return _moved(moved.before, moved.after, moved.copy)


@db.command(cls=Command)
@click.argument("version")
def downgrade(*, version: str) -> int:
    """Bring the tables back to what healer VERSION wants (or a revision's name), after a proved copy."""
    from healer.clock import SystemClock
    from healer.migrations import run
    from healer.store import backup as copying

    with copying.alone(_path().parent):
        moved = run.downgrade(_path(), version, now=SystemClock().wall())
    return _moved(moved.before, moved.after, moved.copy)


@db.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path), required=False)
def backup(*, file: Path | None) -> int:
    """Copy the store to FILE (else into the state folder), also while the agent runs; opened, checked and counted."""
    from healer import __version__
    from healer.clock import SystemClock
    from healer.migrations.run import revision
    from healer.store import backup as copying

    if file is not None and file.exists():
        raise HealerError(f"{file} is there already", hint="name another file, or take it away")
    path = _path()
    named = file or copying.place(
        _copies(), revision=revision(path, ours=False), version=__version__, now=SystemClock().wall()
    )
    made = copying.make(path, named)
    if settings().json:
        show.as_json({"path": str(made.path), "revision": made.revision, "rows": dict(made.rows), "size": made.size})
        return 0
    show.line(f"{made.path}: revision {made.revision}, {sum(made.rows.values())} rows, {_size(made.size)}, proved")
    return 0


@db.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
def restore(*, file: Path) -> int:
    """Put a copy in the place of the store, which is kept as a copy itself; the agent must not run."""
    from healer import __version__
    from healer.clock import SystemClock
    from healer.store import backup as copying
    from healer.store.store import set_aside

    path = _path()
    with copying.alone(path.parent):
        proved = copying.prove(file)
        kept = ""
        if path.exists():
            named = copying.place(_copies(), revision="before", version=__version__, now=SystemClock().wall())
            try:
                kept = str(copying.make(path, named).path)
            except HealerError as exc:
                show.note(f"what was there cannot be copied, and is set aside: {exc.message}")
                kept = str(set_aside(path))
        copying.restore(file, path)
    if settings().json:
        show.as_json({"restored": str(path), "from": str(file), "revision": proved.revision, "kept": kept})
        return 0
    show.line(f"{path}: restored from {file} (revision {proved.revision}, {sum(proved.rows.values())} rows)")
    if kept:
        show.line(f"what was there before: {kept}")
    return 0


def _moved(before: str, after: str, copy: object) -> int:
    from healer.store.backup import Copy

    path = str(copy.path) if isinstance(copy, Copy) else None
    if settings().json:
        show.as_json({"before": before, "after": after, "copy": path})
    elif path is None:
        show.line(f"revision {after} already: nothing to do")
    else:
        show.line(f"revision {before} -> {after}; the copy before: {path}")
    return 0


def _size(octets: object) -> str:
    return f"{int(str(octets)) / 1e6:.1f} MB"
