"""``healer healings``: what was done, told from the sealed log."""

from collections.abc import Mapping
from typing import Any

import click

from healer.cli import show
from healer.cli.client import Client, NotReachableError
from healer.cli.incidents import when
from healer.cli.settings import Command, Settings, settings


@click.command(cls=Command)
@click.option("--last", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@click.option("--rule", default="*", help="Only of these rules (glob).")
@click.option("--target", default="*", help="Only on these targets (glob).")
@click.option("--all", "quiet", is_flag=True, help="Notes, waits and captures too.")
def healings(*, last: int, rule: str, target: str, quiet: bool) -> int:
    """List what was done, how it ended, and what it changed; also without a running agent, from its log."""
    given = settings()
    try:
        found = Client(given).get("/healings", limit=last, rule=rule, target=target, all=int(quiet))["healings"]
    except NotReachableError as exc:
        found = _offline(given, exc, last, rule, target, quiet=quiet)
    if given.json:
        show.as_json({"healings": found})
        return 0
    rows = [
        (
            when(one["at"]),
            one["action"],
            one["target"],
            one["rule"] or one["actor"],
            one["verdict"] or one["outcome"] or "open",
            "-" if one["healed_ms"] is None else f"{one['healed_ms']:.0f} ms",
            "-" if one["impact"] is None else f"{one['impact']:+.1f}",
            _because(one),
        )
        for one in found
    ]
    columns = ("WHEN", "ACTION", "TARGET", "BY", "VERDICT", "AFTER", "HARMONY", "BECAUSE")
    show.table(given, columns, rows, empty="nothing was done")
    return 0


def _because(one: Mapping[str, Any]) -> str:
    """Why it was done; where it did not help, why not: that is what somebody who looks wants to know then."""
    if (one["verdict"] or one["outcome"]) in {None, "", "done", "verified"}:
        return str(one["because"])
    return str(one["verdict_because"] or one["outcome_because"] or one["because"])


def _offline(
    given: Settings, exc: NotReachableError, last: int, rule: str, target: str, *, quiet: bool
) -> list[dict[str, object]]:
    """The same from the log of an agent that does not run; raises what was raised where there is no log either."""
    from audit.opening import has_log
    from healer.api.healings import Healings

    if not has_log(given.log):
        raise exc
    read = Healings(given.log)
    read.update()
    show.note(f"no agent runs; read from the log in {given.log} (healer audit verify proves it)")
    return read.last(last, rule=rule, target=target, quiet=quiet)
