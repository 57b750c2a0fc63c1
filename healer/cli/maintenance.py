"""``healer maintenance``: windows in which nothing is done, and which must end."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

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
        hint = f" ({exc.hint})" if exc.hint else ""
        raise click.BadParameter(f"{exc}{hint}", param=param) from None


@click.group(cls=Group)
def maintenance() -> None:
    """Windows in which nothing is done; looking goes on."""


def moment(_: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Seconds since 1970 out of 2026-12-24T22:00, in the host's zone unless it names one; raises BadParameter."""
    if value is None:
        return None
    try:
        return datetime.fromisoformat(value).astimezone().timestamp()
    except (ValueError, OverflowError) as exc:
        raise click.BadParameter(f"{exc}; write 2026-12-24T22:00", param=param) from None


def pair(_: click.Context, param: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    """Labels out of NAME=VALUE; raises BadParameter."""
    found = {name: text for name, mark, text in (one.partition("=") for one in value) if name and mark}
    if len(found) != len(value):
        raise click.BadParameter("write NAME=VALUE, each name once", param=param)
    return found


@maintenance.command(cls=Command)
@click.argument("target", default="")
@click.option("--for", "seconds", callback=duration, metavar="TIME", help="How long: 30m, 2h, 1d.")
@click.option("--until", callback=moment, metavar="WHEN", help="Its end instead: 2026-12-24T22:00.")
@click.option("--from", "begins", callback=moment, metavar="WHEN", help="Its beginning; without it, now.")
@click.option("--hours", metavar="HOURS", help="Again and again until its end, at these hours: 22:00-06:00.")
@click.option("--days", metavar="DAYS", help="The same on these days: sat-sun.")
@click.option("--tz", metavar="ZONE", help="The zone of hours and days: Europe/Warsaw. Without it, the host's.")
@click.option("--reason", required=True, help="Why; it is sealed.")
@click.option("--owner", help="Who is responsible; without it, you.")
@click.option("--kind", help="All targets of this kind (glob).")
@click.option("--name", help="All targets of this name (glob).")
@click.option("--organ", help="All targets of this organ.")
@click.option("--group", multiple=True, help="All members of this group (glob), or of one of several.")
@click.option("--label", multiple=True, callback=pair, metavar="NAME=VALUE", help="All targets with this label.")
@click.option("--except", "but", multiple=True, metavar="GLOB", help="But not these (a target's id or name).")
@click.option("--all", "everything", is_flag=True, help="Everything.")
def add(*, target: str, everything: bool, but: tuple[str, ...], **given: Any) -> int:  # noqa: ANN401 - options
    """Begin a window over TARGET, or over what the options select; it must have an end."""
    if (given["seconds"] is None) == (given["until"] is None):
        raise click.UsageError("say when it ends: --for or --until")
    chosen = {"target": target or None, "all": everything or None, "group": list(given["group"])}
    chosen |= {name: given[name] for name in ("kind", "name", "organ", "label")}
    selector = {name: value for name, value in chosen.items() if value}
    if not selector:
        raise click.UsageError("say over what: TARGET, --kind, --name, --organ, --group, --label or --all")
    if but:
        selector["except"] = list(but)
    args: dict[str, Any] = {"for": given["seconds"], "until": given["until"], "from": given["begins"]}
    args |= {"repeat": {name: given[name] for name in ("hours", "days", "tz") if given[name]}}
    args |= {"reason": given["reason"], "owner": given["owner"], "selector": selector}
    return _post({name: value for name, value in args.items() if value})


def _post(args: dict[str, Any]) -> int:
    given = settings()
    found = Client(given).request("maintenance-add", args=args)
    if given.json:
        show.as_json({"id": found["because"], "selector": args["selector"]})
    else:
        show.line(str(found["because"]))
    return 0


@maintenance.command("list", cls=Command)
def list_() -> int:
    """List the windows: open now, or to come."""
    given = settings()
    found = Client(given).get("/status")["maintenance"]
    if given.json:
        show.as_json({"maintenance": found})
        return 0
    rows = [
        (
            one["id"],
            ", ".join(f"{name}={value}" for name, value in one["selector"].items()),
            "open" if one["open"] else f"from {when(one['from'])}" if _to_come(one) else "waits",
            _again(one["repeat"]),
            when(one["until"]),
            show.ago(one["left"]),
            one["owner"],
            one["reason"],
        )
        for one in found
    ]
    show.table(
        given, ("ID", "OVER", "STATE", "AGAIN", "UNTIL", "LEFT", "OWNER", "REASON"), rows, empty="there is no window"
    )
    return 0


def _to_come(one: Mapping[str, Any]) -> bool:
    """Whether it has not begun at all yet."""
    return one["from"] is not None and not one["repeat"]


def _again(repeat: Mapping[str, Any]) -> str:
    """The hours and days at which a window comes again, as a person writes them."""
    hours = ", ".join(f"{_clock(first)}-{_clock(last)}" for first, last in repeat.get("hours", ()))
    days = repeat.get("days", ())
    named = "" if len(days) in {0, len(_DAYS)} else ", ".join(_DAYS[day] for day in days)
    rest = [f"{name} {value}" for name, value in repeat.items() if name not in {"hours", "days", "tz"}]
    return " ".join(part for part in (hours, named, *rest, repeat.get("tz", "")) if part)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@maintenance.command(cls=Command)
@click.argument("window")
@click.option("--because", metavar="TEXT", help="Why; it is sealed.")
def end(*, window: str, because: str | None) -> int:
    """End a window before its time."""
    given = settings()
    args = {"id": window, "because": because} if because else {"id": window}
    found = Client(given).request("maintenance-end", args=args)
    if given.json:
        show.as_json(found)
    else:
        show.line(str(found["because"]))
    return 0
