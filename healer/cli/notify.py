"""``healer notify`` and ``alerts``: the ways to tell people, proved at noon, and what they are told about."""

from collections.abc import Mapping
from typing import Any

import click

from healer.cli import show
from healer.cli.ask import verdict
from healer.cli.client import Client
from healer.cli.settings import Command, Group, settings
from healer.errors import HealerError
from healer.model.alert import SEVERITIES


@click.group(cls=Group)
def notify() -> None:
    """The channels of notify: in organism.yaml."""


@notify.command("list", cls=Command)
def list_() -> int:
    """Every channel: what it was told, what failed, whether it is skipped now."""
    given = settings()
    found = Client(given).get("/status")["channels"]
    if given.json:
        show.as_json({"channels": found})
        return 0
    columns = ("CHANNEL", "KIND", "ALERTS", "SENT", "FAILED", "SKIPPED", "LAST", "BECAUSE")
    show.table(given, columns, [_row(one) for one in found])
    return 0


def _row(one: Mapping[str, Any]) -> tuple[object, ...]:
    because = f"skipped, again in {show.ago(one['retry_in'])}: {one['because']}" if one["skipping"] else one["because"]
    alerts = "yes" if one["alerts"] else "no"
    return one["name"], one["kind"], alerts, one["sent"], one["failed"], one["skipped"], show.ago(one["told"]), because


@notify.command("test", cls=Command)
@click.argument("channel")
@click.option("--message", default="", metavar="TEXT", help="What to say.")
@click.option("--severity", type=click.Choice(SEVERITIES), default="info", show_default=True, help="How loud.")
@click.option(
    "--wait", type=click.FloatRange(1, 300), default=60.0, show_default=True, metavar="SECONDS", help="For the proof."
)
def test(*, channel: str, message: str, severity: str, wait: float) -> int:
    """Tell CHANNEL something, and print what proves that it was taken; exit 1 where it was not."""
    given = settings()
    client = Client(given)
    known = [one["name"] for one in client.get("/status")["channels"]]
    if channel not in known:
        raise HealerError(f"there is no channel {channel!r}", hint=f"one of: {', '.join(known)}")
    asked = client.request("notify", channel, {"message": message, "severity": severity})
    found = verdict(client, str(asked["id"]), wait)
    done = found["outcome"] == "done"
    if given.json:
        show.as_json({"channel": channel, "delivered": done, "result": found["outcome"],
                      "because": found["outcome_because"], "intent": found["id"]})  # fmt: skip
    else:
        show.line(str(found["outcome_because"]) if done else f"{found['outcome']}: {found['outcome_because']}")
    return 0 if done else 1


@click.command(cls=Command)
def alerts() -> int:
    """List what is wrong in the words of alerts, the loudest first: who was told, and who knows."""
    given = settings()
    found = Client(given).get("/status")["alerts"]
    if given.json:
        show.as_json({"alerts": found})
        return 0
    rows = [
        (one["key"], one["severity"], show.ago(one["age"]), ", ".join(one["told"]) or "-", _standing(one), one["says"])
        for one in found
    ]
    columns = ("ALERT", "SEVERITY", "OPEN", "TOLD", "STANDING", "SAYS")
    show.table(given, columns, rows, empty="nothing is wrong that anybody wants to hear of")
    return 0


def _standing(one: Mapping[str, Any]) -> str:
    if one["acked"]:
        return f"known to {one['acked']}"
    if one["muted"]:
        return "muted by maintenance"
    return "comes and goes" if one["flapping"] else "open"
