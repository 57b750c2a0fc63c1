"""``healer healings``: what was done, told from the sealed log."""

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from healer.cli import show
from healer.cli.client import Client, NotReachableError
from healer.cli.incidents import when
from healer.cli.settings import Command, Settings, settings
from healer.errors import HealerError

if TYPE_CHECKING:
    from healer.api.healings import Healings


@click.command(cls=Command)
@click.option("--last", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@click.option("--rule", default="*", help="Only of these rules (glob).")
@click.option("--target", default="*", help="Only on these targets (glob).")
@click.option("--all", "quiet", is_flag=True, help="Notes, waits and captures too.")
@click.option("--impact", is_flag=True, help="What it changed: harmony, and the values it rested on.")
@click.option("--by", type=click.Choice(["rule", "action", "target"]), help="How often it helped, over the whole log.")
def healings(*, last: int, rule: str, target: str, quiet: bool, impact: bool, by: str | None) -> int:
    """List what was done, how it ended, and what it changed; also without a running agent, from its log.

    Success is a verdict that it worked, seen afterwards: never an attempt, never an exit status.
    """
    given = settings()
    if by is not None:
        return _summary(given, by)
    try:
        found = Client(given).get("/healings", limit=last, rule=rule, target=target, all=int(quiet))["healings"]
    except NotReachableError as exc:
        found = _offline(given, exc).last(last, rule=rule, target=target, quiet=quiet)
        _with_after(given, found)
    if given.json:
        show.as_json({"healings": found})
        return 0
    if impact:
        return _impact(given, found)
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


def _summary(given: Settings, by: str) -> int:
    """How often it helped, by rule, action or target."""
    try:
        found = Client(given).get("/healings", by=by)["summary"]
    except NotReachableError as exc:
        from healer.api.healings import summary

        found = summary(_offline(given, exc).ended, by)
    if given.json:
        show.as_json({"by": by, "summary": found})
        return 0
    rows = [(one[by] or "(by request)", one["began"], one["verified"], _share(one), _others(one)) for one in found]
    show.table(given, (by.upper(), "BEGAN", "VERIFIED", "SUCCESS", "OTHERWISE"), rows, empty="nothing was done")
    return 0


def _share(one: Mapping[str, Any]) -> str:
    return "-" if one["success"] is None else f"{one['success']:.0%}"


def _others(one: Mapping[str, Any]) -> str:
    return ", ".join(f"{times} {result}" for result, times in one["results"].items() if result != "verified")


def _impact(given: Settings, found: list[dict[str, Any]]) -> int:
    """What each changed: harmony (sealed), and the values it rested on (before: sealed; after: from history)."""
    rows = [
        (
            when(one["at"]),
            one["action"],
            one["target"],
            one["verdict"] or one["outcome"] or "open",
            "-" if one["healed_ms"] is None else f"{one['healed_ms']:.0f} ms",
            "-" if one["impact"] is None else f"{one['harmony_before']:.0f} -> {one['harmony_after']:.0f}",
            _changed(one),
        )
        for one in found
    ]
    columns = ("WHEN", "ACTION", "TARGET", "VERDICT", "AFTER", "HARMONY", "VALUES")
    show.table(given, columns, rows, empty="nothing was done")
    return 0


def _changed(one: Mapping[str, Any]) -> str:
    after = {value["series"]: value["value"] for value in one["after"]}
    return ", ".join(
        f"{was['series']} {_plain(was['value'])} -> {_plain(after.get(was['series'], '?'))}" for was in one["before"]
    )


def _plain(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _offline(given: Settings, exc: NotReachableError) -> "Healings":
    """The same from the log of an agent that does not run; raises what was raised where there is no log either."""
    from audit.opening import has_log
    from healer.api.healings import Healings

    if not has_log(given.log):
        raise exc
    read = Healings(given.log)
    read.update()
    show.note(f"no agent runs; read from the log in {given.log} (healer audit verify proves it)")
    return read


def _with_after(given: Settings, found: list[dict[str, Any]]) -> None:
    """What became of the values, where there is history; the log itself needs none."""
    from healer.store.archive import Archive

    with contextlib.suppress(HealerError), Archive(given.log) as archive:
        archive.add_after(found)
