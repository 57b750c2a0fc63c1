"""``healer stop-healing`` and ``resume-healing``: the kill switch, with or without a running agent."""

import os
from collections.abc import Iterator
from pathlib import Path

import click

from healer.api.where import KILL_SWITCH, SERVICE_STATES
from healer.cli import show
from healer.cli.client import Client
from healer.cli.settings import Command, Settings, settings
from healer.errors import HealerError

_ASKING = 3.0
"""Seconds a hung agent may hold this command up: the file works without it."""


@click.command("stop-healing", cls=Command)
def stop_healing() -> int:
    """Nothing is done any more, by any agent on this host that keeps its state where we look.

    The switch is a file (stop-healing in the state folder): `touch` it as root where even this command is broken.
    """
    return _switch(on=True)


@click.command("resume-healing", cls=Command)
def resume_healing() -> int:
    """Take the kill switch away, and leave safe mode."""
    return _switch(on=False)


def _switch(*, on: bool) -> int:
    from healer.runtime.dispatch import KillSwitch

    given = settings()
    folders = dict.fromkeys(folder.resolve() for folder in _folders(given))
    if (told := _running(given)) is not None:
        folders[told] = None
    if not folders:
        raise HealerError(f"there is no state folder at {given.state}", hint="name it: --state-dir")
    done: list[Path] = []
    failures: list[HealerError] = []
    for folder in folders:
        switch = KillSwitch(folder / KILL_SWITCH)
        try:
            (switch.throw if on else switch.take_away)()
        except HealerError as exc:
            failures.append(exc)  # one that cannot be reached must not keep the others from being stopped
        else:
            done.append(folder)
    # The file is what counts; the agent seals that it was thrown, and leaves safe mode only when it is asked.
    sealed = _tell(given, on=on) if told is not None else False
    if given.json and not failures:
        show.as_json({"on": on, "files": [str(folder / KILL_SWITCH) for folder in done], "sealed": sealed})
        return 0
    for folder in done:
        show.line(f"{'made' if on else 'removed'} {folder / KILL_SWITCH}")
    if failures:
        raise failures[0]
    show.line("nothing is done any more until resume-healing" if on else "healing goes on")
    if told is None:
        show.note("no agent answers; one that starts, or comes round, will see it")
    return 0


def _folders(given: Settings) -> Iterator[Path]:
    """State folders that exist: the one named, else every one an agent of this host would use."""
    named = bool(given.state_dir or os.environ.get("STATE_DIRECTORY"))
    for folder in (given.state,) if named else (given.state, *SERVICE_STATES):
        if folder.is_dir():
            yield folder


def _running(given: Settings) -> Path | None:
    """The state folder of the agent that answers; None where none does in time."""
    try:
        return Path(str(Client(given, timeout=_ASKING).get("/status")["state_dir"])).resolve()
    except (HealerError, KeyError):
        return None


def _tell(given: Settings, *, on: bool) -> bool:
    try:
        Client(given, timeout=_ASKING).request("stop-healing" if on else "resume-healing", wait=_ASKING)
    except HealerError as exc:
        show.note(f"the agent did not confirm it: {exc.message}")
        return False
    return True
