"""Range queries of Prometheus as JSON (``/api/v1/query_range``), one file of them or the plain list of results."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from healer.errors import HealerError
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS
from healer.replay.names import exposed
from healer.replay.track import Extent, Track

LARGEST = 2 * 2**30
"""Octets of a file: more does not fit into memory beside its values; ask for shorter ranges."""


class PrometheusFile:
    """A file of results; the whole of it is one stretch."""

    def __init__(self, path: Path) -> None:
        """Raises HealerError for a file that holds no range query's answer."""
        self._ignored: dict[str, str] = {}
        self._tracks = [track for one in _results(path) if (track := self._track(path, one)) is not None]
        times = [moment for track in self._tracks for moment in (track.times[0], track.times[-1])]
        series = tuple(track.series for track in self._tracks)
        self.extent = Extent(
            start=min(times, default=0.0), end=max(times, default=0.0), series=series, ignored=self._ignored
        )

    def stretches(self) -> Iterator[Sequence[Track]]:
        """All of it at once."""
        yield self._tracks

    def _track(self, path: Path, result: Any) -> Track | None:  # noqa: ANN401 - whatever the file holds
        try:
            marks = {str(key): str(value) for key, value in result["metric"].items()}
            pairs = sorted((float(at), str(value)) for at, value in result["values"])
        except (KeyError, TypeError, ValueError, AttributeError) as exc:
            raise HealerError(f"{path}: a result is no series of values: {exc!r:.120}", hint=_HINT) from exc
        name = marks.get("__name__", "")
        series = exposed(name, marks)
        if series is None:
            self._ignored[name or str(marks)[:80]] = "no metric of ours has this name"
            return None
        if METRICS[series.metric].unit is Unit.WORD:
            self._ignored[name] = "a metric of words: Prometheus keeps numbers only"
            return None
        # A marker of staleness is NaN there: from then on nobody knew.
        good = [(at, value) for at, text in pairs if math.isfinite(value := _number(text)) and math.isfinite(at)]
        if not good:
            self._ignored[name] = "no finite value"
            return None
        return Track(series=series, times=[at for at, _ in good], values=[value for _, value in good])


_HINT = "ask the server for /api/v1/query_range and keep its JSON"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _results(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise HealerError(f"{path} is larger than {LARGEST >> 30} GiB", hint="ask for shorter ranges")
        found = orjson.loads(path.read_bytes())
    except OSError as exc:
        raise HealerError(f"{path} cannot be read: {exc.strerror}") from exc
    except (ValueError, RecursionError) as exc:
        raise HealerError(f"{path} is no JSON: {exc}", hint=_HINT) from exc
    if isinstance(found, dict):
        found = found.get("data", found)
    if isinstance(found, dict):
        if found.get("resultType", "matrix") != "matrix":
            raise HealerError(f"{path} holds a {found['resultType']}, not a range", hint=_HINT)
        found = found.get("result")
    if not isinstance(found, list):
        raise HealerError(f"{path} holds no results of a range query", hint=_HINT)
    return found
