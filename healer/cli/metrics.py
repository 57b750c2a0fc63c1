"""``healer metrics``: every metric, and its latest value where an agent runs."""

from fnmatch import fnmatchcase
from pathlib import Path

import click

from healer.cli import configured, show
from healer.cli.client import Client, NotReachableError
from healer.cli.history import labels
from healer.cli.settings import Command, Settings, settings


@click.command(cls=Command)
@click.argument("pattern", default="*")
@click.option("--list", "only_list", is_flag=True, help="What there is, with units and meaning; asks no agent.")
@click.option("--markdown", is_flag=True, help="The same as docs/metrics.md.")
def metrics(*, pattern: str, only_list: bool, markdown: bool) -> int:
    """List the metrics that match PATTERN (unit.*, or unit) with their values; without an agent, what there is."""
    given = settings()
    if markdown:
        from healer.model.vocabulary import metrics_markdown

        click.echo(metrics_markdown(), nl=False)
        return 0
    configured.plugins(Path(given.config) if given.config else None)
    if only_list:
        return _vocabulary(given, pattern)
    try:
        found = Client(given).get("/metrics")["metrics"]
    except NotReachableError as exc:
        show.note(f"{exc.message}: values are left out")
        return _vocabulary(given, pattern)
    found = [one for one in found if fits(one["metric"], pattern)]
    if given.json:
        show.as_json({"metrics": found})
        return 0
    rows = [
        (one["metric"], labels(one["labels"]), "unknown" if one["value"] is None else one["value"], one["unit"],
         show.ago(one["age"]), one["because"])
        for one in found
    ]  # fmt: skip
    show.table(given, ("METRIC", "LABELS", "VALUE", "UNIT", "AGE", "BECAUSE"), rows, empty="no series matches")
    return 0


def _vocabulary(given: Settings, pattern: str) -> int:
    from healer.model.vocabulary import METRICS

    found = [metric for name, metric in METRICS.items() if fits(name, pattern)]
    if given.json:
        said = [
            {"metric": one.name, "labels": list(one.labels), "unit": one.unit.value, "max_age": one.max_age,
             "words": list(one.words), "doc": one.doc}
            for one in found
        ]  # fmt: skip
        show.as_json({"metrics": said})
        return 0
    rows = [(one.name, ", ".join(one.labels), one.unit.value, f"{one.max_age:g} s", one.doc) for one in found]
    show.table(given, ("METRIC", "LABELS", "UNIT", "KEPT", "MEANING"), rows, empty="no metric matches")
    return 0


def fits(metric: str, pattern: str) -> bool:
    """Whether a metric is asked for: by a pattern, its name, or the first part of it."""
    return fnmatchcase(metric, pattern) or metric.startswith(f"{pattern}.")
