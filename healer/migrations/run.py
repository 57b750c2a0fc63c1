"""Upgrading and downgrading a store: a proved copy first, then all steps in one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert

from healer import __version__
from healer.errors import HealerError
from healer.store import backup, engine, schema
from healer.store.engine import told
from healer.store.versions import parsed

_PLACE: Final = "healer:migrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What was done to a store."""

    before: str
    after: str
    copy: backup.Copy | None
    """None where nothing had to be done."""


def upgrade(path: Path, *, now: float) -> Moved:
    """Bring a store to the tables of this healer; raises HealerError, and then the store is as it was.

    A process that dies in the middle leaves the old tables, whole, and the copy. ``now`` is wall seconds.
    """
    before = revision(path)
    if before == schema.REVISION:
        return Moved(before=before, after=before, copy=None)
    copy = _copied(path, before, now)
    _move(path, lambda config: command.upgrade(config, schema.REVISION))
    return Moved(before=before, after=schema.REVISION, copy=copy)


def downgrade(path: Path, to: str, *, now: float) -> Moved:
    """Bring a store to the tables of an older healer: a release such as ``0.1.0``, or a revision such as ``0001``.

    Raises HealerError like `upgrade`.
    """
    before, target = revision(path), wanted(to)
    if before == target:
        return Moved(before=before, after=target, copy=None)
    if before in schema.PAST and int(target) > int(before):
        raise HealerError(f"{path} has revision {before} already, which is older", hint="healer db upgrade")
    copy = _copied(path, before, now)
    _move(path, lambda config: command.downgrade(config, target))
    return Moved(before=before, after=target, copy=copy)


def revision(path: Path, *, ours: bool = True) -> str:
    """The revision of a store; raises HealerError, and NewSchemaError for one only a newer healer knows if ``ours``."""
    if not path.is_file():
        raise HealerError(f"there is no store at {path}")
    held = engine.reading(path)
    try:
        with told(path), held.connect() as connection:
            found = engine.revision_of(connection, path)
    finally:
        held.dispose()
    if found is None:
        raise HealerError(f"{path} is empty", hint="the agent makes its tables when it starts")
    if ours and found not in {schema.REVISION, *schema.PAST}:
        engine.check(found, path)
    return found


def wanted(to: str) -> str:
    """The revision meant: its own name, or the last one that a release knew. Raises HealerError."""
    since = {one.revision: str(one.module.since) for one in _scripts().walk_revisions()}
    if to in since:
        return to
    if len(to) == len(schema.REVISION) and to.isdecimal():
        raise HealerError(f"there is no revision {to}", hint=f"there are {', '.join(sorted(since))}")
    release = parsed(to)
    known = [name for name, first in since.items() if parsed(first) <= release]
    if not known:
        raise HealerError(f"healer {to} had no store", hint=f"there are revisions {', '.join(sorted(since))}")
    return max(known, key=lambda name: parsed(since[name]))


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", _PLACE)
    config.set_main_option("path_separator", "os")
    return config


def _copied(path: Path, before: str, now: float) -> backup.Copy:
    folder = path.parent / backup.FOLDER
    copy = backup.make(path, backup.place(folder, revision=before, version=__version__, now=now))
    backup.tidy(folder)
    return copy


def _move(path: Path, work: Callable[[Config], None]) -> None:
    held = engine.writing(path)
    try:
        with told(path), held.execution_options(writes=True).begin() as connection:
            _stamp(connection, path)
            config = _config()
            config.attributes["connection"] = connection
            work(config)
    finally:
        held.dispose()


def _stamp(connection: Connection, path: Path) -> None:
    """Say in Alembic's words what a file from before Alembic is."""
    found = engine.revision_of(connection, path)
    if not connection.dialect.has_table(connection, schema.revision.name):
        schema.revision.create(connection)
        connection.execute(insert(schema.revision).values(version_num=found))
