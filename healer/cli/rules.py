"""``healer rules``: what is loaded, how it fares, and its switches."""

from collections.abc import Mapping
from typing import Any

import click

from healer.cli import show
from healer.cli.ask import ask
from healer.cli.client import Client
from healer.cli.importing import import_
from healer.cli.settings import Command, Group, settings
from healer.errors import HealerError


@click.group(cls=Group)
def rules() -> None:
    """List, show, switch and import rules."""


rules.add_command(import_)


@rules.command("list", cls=Command)
def list_() -> int:
    """List the rules, most urgent first: state, runs, how they ended, when the next action is allowed."""
    given = settings()
    found = Client(given).get("/rules")
    if given.json:
        show.as_json(found)
        return 0
    rows = [
        (
            one["id"],
            one["priority"],
            _mode(one),
            _state(one),
            len(one["targets"]),
            one["runs"],
            show.ago(one["last_run"]),
            _verdicts(one["verdicts"]),
            show.left(max((each["next_allowed"] for each in one["targets"]), default=0.0)),
            _starts(one),
        )
        for one in found["rules"]
    ]
    columns = ("RULE", "PRIORITY", "MODE", "STATE", "TARGETS", "RUNS", "LAST", "VERDICTS", "NEXT IN", "STARTS")
    show.table(given, columns, rows, empty="no rule is loaded")
    return 0


def _mode(rule: Mapping[str, Any]) -> str:
    """The mode that really holds, under every ceiling; several where its targets differ, the strictest first."""
    if not rule["enabled"]:
        return "off"
    return "/".join(one["mode"] for one in rule["holds"]) or str(rule["mode"])


_WORST = ("given-up", "acting", "verifying", "firing", "clearing", "pending", "unknown", "inactive", "disabled")


def _state(rule: Mapping[str, Any]) -> str:
    """The most remarkable of its states."""
    states = {each["state"] for each in rule["targets"]}
    return next((word for word in _WORST if word in states), "no target")


def _starts(rule: Mapping[str, Any]) -> str:
    """What starts it: its condition (auto), a person, the calendar (and when), an event."""
    coming = rule["next_start"]
    return str(rule["trigger"]) if coming is None else f"in {show.ago(coming)}"


def _verdicts(held: Mapping[str, int] | None) -> str:
    if held is None:
        return "?"
    return ", ".join(f"{number} {word}" for word, number in sorted(held.items())) or "-"


@rules.command("show", cls=Command)
@click.argument("rule")
def show_(*, rule: str) -> int:
    """Show one rule and its state on each of its targets."""
    given = settings()
    found = next((one for one in Client(given).get("/rules")["rules"] if one["id"] == rule), None)
    if found is None:
        raise HealerError(f"no rule {rule!r} is loaded", hint="healer rules list")
    if given.json:
        show.as_json(found)
        return 0
    for name in ("id", "name", "why", "file", "priority", "mode", "enabled", "starts_on", "when", "then", "runs"):
        value = found[name]
        if value not in ("", []):
            text = " -> ".join(value) if isinstance(value, list) else str(value)
            show.line(f"{name:<9} {text}")
    for one in found["holds"]:
        if one["mode"] != found["mode"]:
            show.line(f"{'holds':<9} {one['mode']} ({one['because']})")
    show.line(f"{'verdicts':<9} {_verdicts(found['verdicts'])}")
    if found["next_start"] is not None:
        show.line(f"{'next':<9} in {show.ago(found['next_start'])}")
    if found["groups_dropped"]:
        show.line(f"{'dropped':<9} {found['groups_dropped']} groups of events, having too many to remember")
    rows = [
        (one["target"], one["state"], one["truth"], one["in_a_row"], one["failures"], show.left(one["next_allowed"]))
        for one in found["targets"]
    ]
    show.table(given, ("TARGET", "STATE", "TRUTH", "IN A ROW", "FAILED", "NEXT IN"), rows, empty="it has no target")
    return 0


@rules.command(cls=Command)
@click.argument("rule")
def enable(*, rule: str) -> int:
    """Switch a rule on again."""
    return ask("enable-rule", rule)


@rules.command(cls=Command)
@click.argument("rule")
def disable(*, rule: str) -> int:
    """Switch a rule off; it is sealed, and lasts until it is enabled."""
    return ask("disable-rule", rule)
