"""``healer incidents``: what is wrong and being treated."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from healer.cli import moments, show, status
from healer.cli.client import Client, NotReachableError
from healer.cli.settings import Command, Settings, settings


@click.command(cls=Command)
@click.option("--since", metavar="TIME", help="Also those that are over: 90s, 15m, 2h, 7d.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many past ones."
)
def incidents(*, since: str | None, limit: int) -> int:
    """List the open incidents, and with --since the past ones too; of an agent that does not run, those it kept."""
    given = settings()
    try:
        found = Client(given).get("/incidents", since=since, limit=limit)
    except NotReachableError as exc:
        found = _offline(given, exc, since, limit)
    if given.json:
        show.as_json(found)
        return 0
    if found["incidents"]:
        status.incidents(given, found["incidents"])
    elif not found.get("offline"):
        show.note("no incident is open")
    if past := found.get("past"):
        columns = ("OPENED", "RULE", "TARGET", "PHASE", "LASTED", "ACTIONS", "VERDICT")
        show.table(given, columns, [_row(one) for one in past])
    return 0


def _row(one: Mapping[str, Any]) -> tuple[object, ...]:
    lasted = None if one["closed"] is None else max(0.0, one["closed"] - one["opened"])
    return (
        when(one["opened"]),
        one["rule"],
        one["target"],
        one["phase"],
        show.ago(lasted),
        one["actions"],
        one["verdict"],
    )


def _offline(given: Settings, exc: NotReachableError, since: str | None, limit: int) -> dict[str, Any]:
    """What the index of a stopped agent says; raises what was raised where there is none."""
    from healer.clock import SystemClock
    from healer.store.archive import Archive

    path = given.log / "state.db"
    if not path.is_file():
        raise exc
    start = SystemClock().wall() - moments.seconds(since or "30d")
    with Archive(path) as archive:
        past = [asdict(one) for one in archive.incidents(start, limit=limit)]
    show.note(f"no agent runs; these it kept in {path}, with what was open when it ended")
    return {"incidents": [], "past": past, "offline": True}


def when(wall: float) -> str:
    """A moment in the reader's own zone."""
    return datetime.fromtimestamp(wall, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
