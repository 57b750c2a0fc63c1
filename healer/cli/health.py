"""``healer health``: well or not, as an exit code."""

import click

from healer.cli import show
from healer.cli.client import Client
from healer.cli.settings import Command, settings
from healer.errors import HealerError


@click.command(cls=Command)
@click.argument("part", type=click.Choice(["agent", "rules", "audit"]), required=False)
def health(*, part: str | None) -> int:
    """Say whether the agent, its rules and its log are well. Exit 0: yes; 1: no, or nobody answers."""
    given = settings()
    try:
        found = Client(given, timeout=10.0).get(f"/health/{part}" if part else "/health")
    except HealerError as exc:
        found = {"status": "fail", "because": [exc.message]}
    if given.json:
        show.as_json(found)
    else:
        show.line(str(found["status"]))
        for because in found["because"]:
            show.line(f"  {because}")
    return 0 if found["status"] == "pass" else 1
