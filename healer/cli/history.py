"""``healer history``: the samples of a metric."""

import click

from healer.cli import show
from healer.cli.client import Client, segment
from healer.cli.incidents import when
from healer.cli.settings import Command, settings


@click.command(cls=Command)
@click.argument("metric")
@click.option("--since", metavar="TIME", default="1h", show_default=True, help="90s, 15m, 2h, 7d.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="At most so many.")
def history(*, metric: str, since: str, limit: int) -> int:
    """Print the samples of METRIC as they were kept (thinned); what was unknown is a gap."""
    given = settings()
    found = Client(given).get(f"/history/{segment(metric)}", since=since, limit=limit)
    if given.json:
        show.as_json(found)
        return 0
    rows = [(when(one["at"]), labels(one["labels"]), one["value"]) for one in found["samples"]]
    show.table(given, ("WHEN", "LABELS", "VALUE"), rows, empty=f"no sample of {metric} in {since} (healer metrics)")
    return 0


def labels(held: dict[str, str]) -> str:
    """Labels as rules write them."""
    return ", ".join(f'{name}="{value}"' for name, value in held.items())
