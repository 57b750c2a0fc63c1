"""``healer maintenance``: windows in which nothing is done, and which must end."""

import click

from healer.cli import show
from healer.cli.client import Client
from healer.cli.incidents import when
from healer.cli.settings import Command, Group, settings


def duration(_: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Seconds out of 90s, 15m, 2h; raises BadParameter."""
    from healer.yamldoc.parsers import Duration
    from healer.yamldoc.shape import Mistake

    if value is None:
        return None
    try:
        return Duration.parse(value)
    except Mistake as exc:
        raise click.BadParameter(str(exc), param=param) from None


@click.group(cls=Group)
def maintenance() -> None:
    """Windows in which nothing is done; looking goes on."""


@maintenance.command(cls=Command)
@click.argument("target", default="")
@click.option("--for", "seconds", required=True, callback=duration, metavar="TIME", help="How long: 30m, 2h, 1d.")
@click.option("--reason", required=True, help="Why; it is sealed.")
@click.option("--kind", help="All targets of this kind (glob).")
@click.option("--organ", help="All targets of this organ.")
@click.option("--group", help="All members of this group (glob).")
@click.option("--all", "everything", is_flag=True, help="Everything.")
def add(
    *,
    target: str,
    seconds: float,
    reason: str,
    kind: str | None,
    organ: str | None,
    group: str | None,
    everything: bool,
) -> int:
    """Begin a window over TARGET, or over what the options select."""
    chosen = {"target": target or None, "kind": kind, "organ": organ, "group": group, "all": everything or None}
    selector = {name: value for name, value in chosen.items() if value is not None}
    if not selector:
        raise click.UsageError("say over what: TARGET, --kind, --organ, --group or --all")
    given = settings()
    found = Client(given).request("maintenance-add", args={"for": seconds, "reason": reason, "selector": selector})
    if given.json:
        show.as_json({"id": found["because"], "selector": selector})
    else:
        show.line(str(found["because"]))
    return 0


@maintenance.command("list", cls=Command)
def list_() -> int:
    """List the windows that are open."""
    given = settings()
    found = Client(given).get("/status")["maintenance"]
    if given.json:
        show.as_json({"maintenance": found})
        return 0
    rows = [
        (
            one["id"],
            ", ".join(f"{name}={value}" for name, value in one["selector"].items()),
            when(one["until"]),
            show.ago(one["left"]),
            one["owner"],
            one["reason"],
        )
        for one in found
    ]
    show.table(given, ("ID", "OVER", "UNTIL", "LEFT", "OWNER", "REASON"), rows, empty="no window is open")
    return 0


@maintenance.command(cls=Command)
@click.argument("window")
def end(*, window: str) -> int:
    """End a window before its time."""
    given = settings()
    found = Client(given).request("maintenance-end", args={"id": window})
    if given.json:
        show.as_json(found)
    else:
        show.line(str(found["because"]))
    return 0
