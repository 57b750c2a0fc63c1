"""``healer incidents``: what is wrong and being treated."""

from datetime import UTC, datetime

import click

from healer.cli import show, status
from healer.cli.client import Client
from healer.cli.settings import Command, settings


@click.command(cls=Command)
@click.option("--since", metavar="TIME", help="Also those that are over: 90s, 15m, 2h, 7d.")
def incidents(*, since: str | None) -> int:
    """List the open incidents, and with --since the past ones too."""
    given = settings()
    found = Client(given).get("/incidents", since=since)
    if given.json:
        show.as_json(found)
        return 0
    if found["incidents"]:
        status.incidents(given, found["incidents"])
    else:
        show.note("no incident is open")
    if past := found.get("past"):
        rows = [
            (when(one["opened"]), one["rule"], one["target"], one["phase"], one["actions"], one["verdict"])
            for one in past
        ]
        show.table(given, ("OPENED", "RULE", "TARGET", "PHASE", "ACTIONS", "VERDICT"), rows)
    return 0


def when(wall: float) -> str:
    """A moment in the reader's own zone."""
    return datetime.fromtimestamp(wall, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
