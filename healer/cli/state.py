"""``healer state``: where a target is in its life."""

import click

from healer.cli import show
from healer.cli.client import Client, segment
from healer.cli.settings import Command, settings


@click.command(cls=Command)
@click.argument("target", default="")
def state(*, target: str) -> int:
    """Show the state of TARGET; without one, of the agent and of all targets."""
    given = settings()
    client = Client(given)
    if target and target != "agent":
        one = client.get(f"/targets/{segment(target)}")
        if given.json:
            show.as_json(one)
        else:
            show.line(f"{one['id']} {one['state']} ({one['health']}{', ' + one['because'] if one['because'] else ''})")
        return 0
    found = client.get("/status")
    states = {"agent": found["state"], **({} if target else {one["id"]: one["state"] for one in found["targets"]})}
    if given.json:
        show.as_json(states)
    else:
        for name, word in states.items():
            show.line(f"{name} {word}")
    return 0
