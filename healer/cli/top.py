"""``healer top``: the status, again and again."""

import time

import click

from healer.cli import show, status
from healer.cli.client import Client
from healer.cli.settings import Command, settings


@click.command(cls=Command)
@click.option(
    "--every", type=click.FloatRange(0.2, 3600), default=2.0, show_default=True, help="Seconds between looks."
)
@click.option("--times", type=click.IntRange(0), default=0, help="Stop after so many; 0 is never.")
def top(*, every: float, times: int) -> int:
    """Show what the agent sees until Ctrl-C."""
    given = settings()
    client = Client(given)
    shown = 0
    while True:
        found = client.get("/status")
        if given.json:
            show.as_json(found)
        else:
            if given.color:
                click.clear()
            status.page(given, found)
        shown += 1
        if times and shown >= times:
            return 0
        time.sleep(every)
