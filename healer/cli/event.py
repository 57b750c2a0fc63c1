"""``healer event``: a word on the agent's bus."""

import json
from typing import Any

import click

from healer.cli import show
from healer.cli.client import Client
from healer.cli.settings import Command, Group, settings


@click.group(cls=Group)
def event() -> None:
    """Events of the agent's local bus."""


@event.command(cls=Command)
@click.argument("topic")
@click.argument("data", default="{}", metavar="[JSON]")
def send(*, topic: str, data: str) -> int:
    """Publish TOPIC with JSON (an object). Topics that audit.events names are sealed too."""
    given = settings()
    found = Client(given).request("event", args={"topic": topic, "data": as_object(data)})
    if given.json:
        show.as_json(found)
    else:
        show.line(str(found["because"]))
    return 0


def as_object(text: str) -> dict[str, Any]:
    """A JSON object out of an argument; raises UsageError."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise click.UsageError(f"{text[:40]!r} is no JSON: {exc}"[:200]) from None
    if not isinstance(value, dict):
        raise click.UsageError(f"{text[:40]!r} is no JSON object")
    return value
