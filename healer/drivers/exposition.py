"""Read what exporters expose (Prometheus' text format 0.0.4); the only importer of prometheus_client.

Only lines of metrics that somebody asked for are parsed: an exporter has thousands, and a rule reads a handful.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

MOST_SERIES = 10_000
"""Series of the metrics asked for; what exposes more is asked for too much."""
ACCEPT = "text/plain;version=0.0.4"


class Garbage(Exception):
    """What came is no exposition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One series and its value."""

    labels: Mapping[str, str]
    value: float
    at: float | None
    """Seconds since 1970, where the exporter says when it measured."""


def read(octets: bytes, metrics: Collection[str], *, newer: bool = False) -> Mapping[str, list[Sample]]:
    """The samples of these metrics, by metric; raises Garbage.

    ``newer``: it is OpenMetrics, which tells times in seconds and may add an exemplar behind a value.
    """
    from prometheus_client.parser import text_string_to_metric_families

    lines = _lines(octets, metrics, newer=newer)
    found: dict[str, list[Sample]] = {metric: [] for metric in metrics}
    try:
        for family in text_string_to_metric_families("\n".join(lines) + "\n"):
            for sample in family.samples:
                at = None if sample.timestamp is None else float(sample.timestamp) * (1000.0 if newer else 1.0)
                found[sample.name].append(Sample(labels=sample.labels, value=float(sample.value), at=at))
    except (ValueError, KeyError, IndexError) as exc:
        raise Garbage(f"its figures cannot be read: {exc}"[:200]) from exc
    return found


def _lines(octets: bytes, metrics: Collection[str], *, newer: bool) -> list[str]:
    begins = tuple(f"{metric}{end}" for metric in metrics for end in ("{", " ", "\t"))
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise Garbage("its figures are no text") from exc
    if "# TYPE " not in text and "# HELP " not in text and not any(begin in text for begin in begins):
        raise Garbage("it answered with something else than figures")
    lines = [line for line in text.split("\n") if line.startswith(begins)]
    if len(lines) > MOST_SERIES:
        raise Garbage(f"more than {MOST_SERIES} series are of the metrics asked for")
    return [line.partition(" # {")[0] for line in lines] if newer else lines
