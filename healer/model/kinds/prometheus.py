"""An exporter of Prometheus' metrics: the series of it that were asked for."""

from healer.model.kinds.kind import Kind
from healer.model.metric import Shelf
from healer.model.unit import Unit

_SEEN = Shelf(labels=("target",), max_age=60.0)
KIND = Kind(
    name="prometheus",
    organ="nervous",
    up="prometheus.ok",
    metrics=(
        _SEEN.put("prometheus.ok", Unit.FLAG, "1 when it answered with figures that can be read"),
        _SEEN.put("prometheus.message", Unit.WORD, "why it is not ok; empty when it is"),
        _SEEN.put("prometheus.value", Unit.NUMBER, "one of its figures, by the name you gave it", "name"),
        _SEEN.put("prometheus.latency", Unit.SECONDS, "until the whole answer had come"),
        _SEEN.put("prometheus.size", Unit.BYTES, "of its answer"),
    ),
)
