"""``healer run``: the agent in the foreground."""

import asyncio
import contextlib
import ctypes
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from healer.cli import logs, show
from healer.cli.settings import Command, Settings, settings

if TYPE_CHECKING:
    from healer.app import Agent

_MODES = ("off", "observe", "suggest", "approve", "auto")
_PROFILES = ("full", "core", "economy", "maintenance")


@click.command(cls=Command)
@click.option("--mode", type=click.Choice(_MODES), help="Ceiling for everything, instead of the configured one.")
@click.option("--profile", type=click.Choice(_PROFILES), help="What the agent runs of itself.")
@click.option("--once", is_flag=True, help="Look and think once, print what would be done, act on nothing.")
def run(*, mode: str | None, profile: str | None, once: bool) -> int:
    """Run the agent in the foreground until Ctrl-C or SIGTERM; SIGHUP reloads."""
    from healer.app import Agent
    from healer.model.mode import Mode, Profile

    given = settings()
    level = given.log_level if given.log_level != "warning" else os.environ.get("HEALER_LOG_LEVEL", "warning")
    logs.setup(level)
    first = not (given.state / "keys" / "seal.pem").exists()
    agent = Agent(
        Path(given.config) if given.config else None,
        state_dir=given.state,
        mode=Mode.parse(mode) if mode else None,
        profile=Profile(profile) if profile else None,
    )
    if once:
        return _once(given, agent)
    # The sealing thread must not wait 5 ms for its turn while the loop goes on: a tenth of the time to heal (measured).
    sys.setswitchinterval(0.0002)
    _share_one_heap()
    asyncio.run(agent.serve(ready=lambda: _greet(agent, first=first)))
    show.note("stopped; the last block is sealed")
    return 0


def _share_one_heap() -> None:
    """Tell glibc to keep no heap for each thread: they take turns anyway, and it is 3 MB (measured).

    M_ARENA_MAX of mallopt(3). Another C library has no such word, and is left alone.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(-8, 1)


def _greet(agent: "Agent", *, first: bool) -> None:
    """What a person wants to know when it starts."""
    found = agent.status()
    counts = found["counts"]
    say = show.line
    say(f"healer {found['version']} on {found['node']}, mode {found['mode']}, profile {found['profile']}")
    say(
        f"  looks at   {counts['targets']['all']} targets with {len(found['sensors'])} sensors; {counts['rules']} rules"
    )
    say(f"  config     {found['config']['source'] or 'a mapping'}")
    say(f"  socket     {', '.join(found['listeners'])}")
    say(f"  log        {agent.state_dir / 'audit.db'}")
    say(f"  key        {found['log']['key']}")
    if first:
        say("             made just now: keep this fingerprint (and a copy of keys/seal.pub) in another place,")
        say("             it is what proves the log to somebody who does not trust this host")
    for because in (*found["degraded"], found["safe_mode"]):
        if because:
            say(f"  !          {because}")
    if os.geteuid() != 0:
        say("  without root it acts on its own programs only, and sees less of others' processes")
    say("  see it with `healer status`; Ctrl-C stops it")
    sys.stdout.flush()


def _once(given: Settings, agent: "Agent") -> int:
    """Look and think once in a core that can do nothing: no log, no hands, only eyes."""
    found = asyncio.run(agent.once())
    if given.json:
        show.as_json(found)
        return 0
    from healer.cli.status import harmony, organs, targets

    harmony(found)
    organs(given, found)
    if found["targets"]:
        targets(given, found)
    rows = [(one["rule"], one["target"], one["action"], one["because"]) for one in found["would"]]
    show.table(given, ("RULE", "TARGET", "WOULD", "BECAUSE"), rows, empty="nothing would be done")
    return 0
