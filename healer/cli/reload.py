"""``healer reload``: configuration and rules again, all or nothing."""

import click

from healer.cli import show
from healer.cli.client import Client
from healer.cli.settings import Command, settings


@click.command(cls=Command)
def reload() -> int:
    """Read configuration and rules again; with a mistake in them the old ones stay, and every mistake is told.

    Exit 1 where a plug-in was left out: then all else is read.
    """
    given = settings()
    found = Client(given).post("/reload")
    if given.json:
        show.as_json(found)
    else:
        for text in found.get("left_out", ()):
            show.note(f"! plug-in {text} (an earlier form of it, if there was one, goes on)")
        show.line(f"{found['rules']} rules, {found['targets']} targets, rules' hash {str(found['hash'])[:16]}")
    return 1 if found.get("left_out") else 0
