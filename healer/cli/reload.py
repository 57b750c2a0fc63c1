"""``healer reload``: configuration and rules again, all or nothing."""

import click

from healer.cli import show
from healer.cli.client import Client
from healer.cli.settings import Command, settings


@click.command(cls=Command)
def reload() -> int:
    """Read configuration and rules again; with a mistake in them the old ones stay, and every mistake is told."""
    given = settings()
    found = Client(given).post("/reload")
    if given.json:
        show.as_json(found)
    else:
        show.line(f"{found['rules']} rules, {found['targets']} targets, rules' hash {str(found['hash'])[:16]}")
    return 0
