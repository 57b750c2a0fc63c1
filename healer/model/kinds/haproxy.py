"""HAProxy: one server of a backend, a whole backend, or the process itself."""

from healer.model.kinds.kind import Kind
from healer.model.metric import Metric, Shelf
from healer.model.unit import Unit

_SEEN = Shelf(labels=("target",), max_age=30.0)
STATUSES: tuple[str, ...] = ("up", "down", "nolb", "drain", "maint", "no check", "open", "stop")
ADMIN: tuple[str, ...] = ("ready", "drain", "maint")
_OF_ALL: tuple[Metric, ...] = (
    _SEEN.put("haproxy.up", Unit.FLAG, "1 when its check passes; of a backend: some server takes requests"),
    _SEEN.put("haproxy.message", Unit.WORD, "what its last check found, or why it could not be asked"),
    _SEEN.put("haproxy.generation", Unit.WORD, "its incarnation: another after a reload, or when it was added anew"),
    _SEEN.put("haproxy.sessions", Unit.COUNT, "sessions at this moment"),
    _SEEN.put("haproxy.session_use", Unit.RATIO, "sessions, of its limit; unknown where it has none"),
)
_OF_TRAFFIC: tuple[Metric, ...] = (
    _SEEN.put("haproxy.status", Unit.WORD, "in HAProxy's own word", words=STATUSES),
    _SEEN.put("haproxy.weight", Unit.NUMBER, "share of the requests it is given, against its neighbours'"),
    _SEEN.put("haproxy.queue", Unit.COUNT, "requests that wait for it"),
    _SEEN.put("haproxy.requests_rate", Unit.PER_SECOND, "requests sent to it (sessions, where it does not speak HTTP)"),
    _SEEN.put("haproxy.errors_rate", Unit.PER_SECOND, "its 5xx replies, broken replies and refused connections"),
    _SEEN.share("haproxy.errors", "the same, of all requests since the last look; unknown when there was none"),
    _SEEN.put("haproxy.latency", Unit.SECONDS, "until its reply began, mean of its last 1024; unknown without any"),
    _SEEN.put("haproxy.last_change", Unit.SECONDS, "since it last went up or down"),
    _SEEN.put("haproxy.downtime", Unit.SECONDS, "down, in sum, since HAProxy started"),
    _SEEN.put("haproxy.downs", Unit.COUNT, "times it went down since HAProxy started"),
)
_OF_SERVERS: tuple[Metric, ...] = (
    _SEEN.put("haproxy.admin", Unit.WORD, "what was ordered, by whomever", words=ADMIN),
    _SEEN.put("haproxy.others", Unit.COUNT, "servers beside it that take requests"),
    _SEEN.put("haproxy.check", Unit.WORD, "how its last check ended: L7OK, L4CON (refused), L7STS (bad status) ..."),
    _SEEN.put("haproxy.check_duration", Unit.SECONDS, "how long it took"),
)
_OF_BACKENDS: tuple[Metric, ...] = (
    _SEEN.put("haproxy.servers", Unit.COUNT, "servers of the backend"),
    Metric(
        name="haproxy.servers_up", unit=Unit.COUNT, doc="those that take requests", labels=("target",),
        max_age=30.0, falls=True,
    ),
)  # fmt: skip
_OF_PROCESS: tuple[Metric, ...] = (
    Metric(
        name="haproxy.idle", unit=Unit.RATIO, doc="time the process had nothing to do", labels=("target",),
        max_age=30.0, maximum=1.0, falls=True,
    ),
    _SEEN.put("haproxy.uptime", Unit.SECONDS, "since the process started"),
)  # fmt: skip
KIND = Kind(
    name="haproxy",
    organ="lungs",
    up="haproxy.up",
    metrics=(*_OF_ALL, *_OF_TRAFFIC, *_OF_SERVERS, *_OF_BACKENDS, *_OF_PROCESS),
)
