"""``healer explain``: why a rule does, or does not do, something."""

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from healer.cli import moments, show
from healer.cli.client import Client, segment
from healer.cli.settings import Command, Settings, settings
from healer.errors import HealerError

_MARKS = {"true": "✓", "false": "✗", "unknown": "?", None: "·"}


@click.command(cls=Command)
@click.argument("rule")
@click.argument("target", default="")
@click.option("--at", metavar="MOMENT", help="How it stood then, by history and log: 2h (ago), 18:20, 2026-11-20.")
def explain(*, rule: str, target: str, at: str | None) -> int:
    """Show the truth of RULE (on TARGET) with values and ages, every gate's answer, and what would have changed it."""
    given = settings()
    if at is None:
        found = Client(given).get(f"/rules/{segment(rule)}/explain", target=target or None)["explanations"]
    else:
        found = _then(given, rule, target, at)
    if given.json:
        show.as_json({"explanations": found})
        return 0
    for number, one in enumerate(found):
        if number:
            show.line()
        for text in lines(one):
            show.line(text)
    return 0


def _then(given: Settings, rule: str, target: str, at: str) -> list[dict[str, Any]]:
    """As it was: the rules of today over the samples kept then, and the gates over what the log says of then."""
    from healer.app.then import explained
    from healer.clock import SystemClock
    from healer.config import load_config

    config = load_config(Path(given.config) if given.config else None, environ=os.environ)
    moment = moments.wall(at, SystemClock().wall())
    found = explained(config, given.state, rule, target, moment)
    if not found:
        about = f" with target {target!r}" if target else ""
        read = f"read: {config.source}" if config.source else "no organism.yaml was found: --config FILE"
        raise HealerError(f"there is no rule {rule!r}{about}", hint=read)
    show.note("as kept: today's rules, one sample of each series every few seconds, and what was sealed until then")
    return found


def lines(one: Mapping[str, Any]) -> Iterator[str]:
    """One explanation as text."""
    yield f"{one['rule']} on {one['target']}: {one['phase']} ({one['file']})"
    if one["why"]:
        yield f"  why it exists: {one['why']}"
    yield "  condition:"
    yield from (f"    {text}" for text in tree(one["tree"]))
    if one["for"]:
        yield f"  held for {one['confirmed']:.1f} s of {one['for']:g} s"
    steps = " -> ".join(f"[{name}]" if number == one["step"] else name for number, name in enumerate(one["then"]))
    first = ", each step only once the log's witnesses have seen it" if one.get("witness") == "before" else ""
    yield f"  remedy: {steps or 'none'}{first}"
    yield "  gates:"
    for gate in one["gates"]:
        mark = "✓" if gate["ok"] else "✗"
        wait = f" (again in {show.ago(gate['wait'])})" if gate["wait"] else ""
        yield f"    {mark} {gate['gate']}{': ' + gate['because'] if gate['because'] else ''}{wait}"
        if gate.get("proposal"):
            yield f"      -> {gate['proposal']}"
    yield f"  missing: {one['missing']}"
    if one["flip"]["changes"]:
        yield f"  smallest change that would have made it {one['flip']['to']}:"
        yield from (f"    - {_change(change)}" for change in one["flip"]["changes"])


def _change(change: Mapping[str, Any]) -> str:
    if change["ends"] is None:
        return str(change["what"])
    at = datetime.fromtimestamp(change["ends"], tz=UTC).astimezone()
    return f"{change['what']} (ends {at:%H:%M:%S})"


def tree(node: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """A condition and its parts, indented."""
    said = node["truth"] or node["value"]
    age = f", {show.ago(node['age'])} ago" if node["age"] is not None else ""
    because = f" ({node['because']})" if node["because"] else ""
    yield f"{'  ' * depth}{_MARKS[node['truth']]} {node['source']}: {said}{age}{because}"
    for child in node["children"]:
        yield from tree(child, depth + 1)
