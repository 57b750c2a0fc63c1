"""Monitoring plugins, as Nagios, Icinga and their kin run them."""

from healer.model.kinds.kind import Kind
from healer.model.metric import Shelf
from healer.model.unit import Unit

NAGIOS_STATES: tuple[str, ...] = ("ok", "warning", "critical", "unknown")
_SEEN = Shelf(labels=("target",), max_age=300.0)
KIND = Kind(
    name="nagios",
    organ="heart",
    up="nagios.ok",
    metrics=(
        _SEEN.put("nagios.ok", Unit.FLAG, "1 when the plugin says OK; unknown when it says UNKNOWN"),
        _SEEN.put("nagios.state", Unit.WORD, "what the plugin says", words=NAGIOS_STATES),
        _SEEN.put("nagios.message", Unit.WORD, "its first line, without the figures"),
        _SEEN.put("nagios.latency", Unit.SECONDS, "until it exited"),
        _SEEN.put("nagios.perf", Unit.NUMBER, "a figure it gave: seconds, bytes, 0-1 for %, else as given", "name"),
        _SEEN.put("nagios.garbage", Unit.COUNT, "figures it gave that are none"),
    ),
)
