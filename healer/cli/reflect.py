"""``healer reflect`` and ``healer rebalance``: the agent's own judgement, with the figures it rests on."""

import click

from healer.cli import show
from healer.cli.client import Client
from healer.cli.settings import Command, settings


@click.command(cls=Command)
def reflect() -> int:
    """Let the agent assess the host and itself now: score, trend, insights, recommendations."""
    given = settings()
    found = Client(given).get("/reflect")
    if given.json:
        show.as_json(found)
        return 0
    trend = found["trend"]
    show.line(f"harmony {show.whole(found['score'])} of 100, {trend['word']} over {show.ago(trend['over'])}")
    for insight in found["insights"]:
        figures = ", ".join(f"{name}={value}" for name, value in insight["figures"].items())
        show.line(f"  {insight['about']}: {insight['says']} [{figures}]")
    for one in found["recommendations"]:
        show.line(f"  -> {one['says']}")
    if not found["insights"]:
        show.line("  nothing to remark")
    return 0


@click.command(cls=Command)
def rebalance() -> int:
    """Check harmony now, and judge the balancing rules."""
    given = settings()
    found = Client(given).post("/rebalance")
    if given.json:
        show.as_json(found)
        return 0
    show.line(f"harmony {show.whole(found['harmony'])} of 100: {found['answer']}")
    for topic in found["events"]:
        show.line(f"  {topic}")
    return 0
