"""``healer history``: what a metric was."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from healer.cli import moments, show
from healer.cli.client import Client, NotReachableError, segment
from healer.cli.incidents import when
from healer.cli.settings import Command, Settings, settings

Json = dict[str, Any]


@click.command(cls=Command)
@click.argument("metric")
@click.option("--since", metavar="TIME", default="1h", show_default=True, help="90s, 15m, 2h, 7d.")
@click.option("--from", "start", metavar="MOMENT", help="2h (ago), 18:20, 2026-11-20T17:05 (not --since).")
@click.option("--to", "end", metavar="MOMENT", default="now", show_default=True, help="The same.")
@click.option("--step", metavar="TIME", default="auto", show_default=True, help="raw, or one value for each 5m, 1h.")
@click.option("--label", "labels", metavar="NAME=VALUE", multiple=True, help="Only of series with this label.")
@click.option("--limit", type=click.IntRange(1, 10_000_000), default=1000, show_default=True, help="At most so many.")
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values, moments in UTC.")
def history(metric: str, *, limit: int, as_csv: bool, **asked: Any) -> int:  # noqa: ANN401 - the options above
    """Print what METRIC was, also without a running agent; what was unknown is a gap.

    Every sample for three hours, and for longer the least, mean, greatest and last of each stretch.
    """
    given = settings()
    metric, asked["labels"] = _series(metric, asked["labels"])
    found = _all(given, metric, _query(**asked), limit)
    if found.get("next") is not None:
        show.note(f"there is more: --limit {limit} was reached")
    _say(given, found, f"no sample of {metric} from then on ({_near(metric)})", as_csv=as_csv)
    return 0


def _series(text: str, labels: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Metric and labels of ``disk.used{mount="/"}``, as rules name it; raises click's usage error."""
    if "{" not in text:
        return text, labels
    from healer.model.vocabulary import METRICS
    from healer.rules.expression import ExpressionError, parse
    from healer.rules.syntax import Select

    try:
        found = parse(text, vocabulary=METRICS, lenient=True)
    except ExpressionError as exc:
        raise click.BadParameter(str(exc), param_hint="METRIC") from None
    if not isinstance(found, Select) or any(one.op != "=" or one.value is None for one in found.matchers):
        hint = """write one series, such as 'disk.used{mount="/"}'"""
        raise click.BadParameter(f"{text!r} is more than a metric with its labels; {hint}", param_hint="METRIC")
    return found.metric, (*labels, *(f"{one.label}={one.value}" for one in found.matchers))


def _near(metric: str) -> str:
    """A hint for a metric of which nothing was found."""
    from healer.model.vocabulary import METRICS
    from healer.rules.units import OWN, near

    known = (*METRICS, *OWN)
    return (near(metric, known) if metric not in known else "") or "healer metrics"


def _query(*, since: str, start: str | None, end: str, step: str, labels: tuple[str, ...]) -> Json:
    """The question as the interface takes it. What is relative stays so: the agent's clock is the one that counts."""
    from healer.clock import SystemClock

    if any("=" not in one for one in labels):
        raise click.BadParameter("a label is given as NAME=VALUE")
    now = SystemClock().wall()
    query: Json = {
        "since": f"{moments.seconds(since):.3f}s",
        "start": None if start is None else round(moments.wall(start, now), 3),
        "end": None if end == "now" else round(moments.wall(end, now), 3),
        "step": step if step in {"auto", "raw"} else f"{moments.seconds(step):.3f}s",
        "label": list(labels),
    }
    if start is not None and query["start"] > (query["end"] or now):
        raise click.BadParameter("that begins after its end")
    return query


def _all(given: Settings, metric: str, query: Json, limit: int) -> Json:
    """Page after page, up to ``limit``."""
    from healer.store.asked import MOST

    found = _page(given, metric, query | {"limit": min(limit, MOST)})
    if "samples" not in found:
        return found
    query |= {"step": "raw", "end": found["end"]}
    while found["next"] is not None and (left := limit - len(found["samples"])) > 0:
        more = _page(given, metric, query | {"start": found["next"], "limit": min(left, MOST)})
        found = more | {"start": found["start"], "samples": found["samples"] + more["samples"]}
    return found


def _page(given: Settings, metric: str, query: Json) -> Json:
    try:
        return Client(given).get(f"/history/{segment(metric)}", **query)
    except NotReachableError as exc:
        return _offline(given, exc, metric, query)


def _offline(given: Settings, exc: NotReachableError, metric: str, query: Json) -> Json:
    """The same from the store of an agent that does not run; raises what was raised where there is none either."""
    from healer.clock import SystemClock
    from healer.store.archive import Archive
    from healer.store.asked import AUTO, RAW, Asked

    path = given.log / "state.db"
    if not path.is_file():
        raise exc
    end = SystemClock().wall() if query["end"] is None else query["end"]
    step = {"auto": AUTO, "raw": RAW}.get(query["step"])
    asked = Asked(
        metric=metric,
        labels={name: value for name, _, value in (one.partition("=") for one in query["label"])},
        start=end - moments.seconds(query["since"]) if query["start"] is None else query["start"],
        end=end,
        step=moments.seconds(query["step"]) if step is None else step,
        limit=int(query["limit"]),
    )
    with Archive(path) as archive:
        return archive.answer(asked)


def _say(given: Settings, found: Json, nothing: str, *, as_csv: bool) -> None:
    if given.json:
        show.as_json(found)
        return
    columns: Sequence[str] = ("at", "labels", "value")
    if "lines" in found:
        columns = ("at", "labels", "min", "mean", "max", "last", "count")
    rows = list(_rows(found, columns))
    if as_csv:
        _as_csv(columns, rows)
        return
    said = [(when(row[0]), *row[1:]) for row in rows]
    show.table(given, ["WHEN", *(name.upper() for name in columns[1:])], said, empty=nothing)


def _rows(found: Json, columns: Sequence[str]) -> Iterator[list[Any]]:
    for line in found.get("lines", ()):
        for one in line["buckets"]:
            yield [one["at"], labels(line["labels"]), *(one.get(name) for name in columns[2:])]
    for one in found.get("samples", ()):
        yield [one["at"], labels(one["labels"]), one["value"]]


def _as_csv(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for at, *rest in rows:
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        writer.writerow([moment, *(_cell(one) for one in rest)])
    click.echo(text.getvalue(), nl=False)


def _cell(value: object) -> object:
    """A cell that no spreadsheet takes for a formula: labels and words may be somebody else's."""
    return f"'{show.clean(value)}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def labels(held: dict[str, str]) -> str:
    """Labels as rules write them."""
    return ", ".join(f'{name}="{value}"' for name, value in held.items())
