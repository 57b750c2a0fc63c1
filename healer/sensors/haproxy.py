"""HAProxy: how one of its servers does, one of its backends, or the process itself."""

import math
from collections.abc import Mapping, Sequence

from healer.drivers.haproxy import AbsentError, Haproxy
from healer.drivers.haproxy_answers import Absent, Backend, Process, Server
from healer.drivers.interface import DriverError
from healer.errors import SensorError
from healer.model.kinds.haproxy import KIND
from healer.model.observation import Reading
from healer.model.target import Target
from healer.sensors.down import tell_down
from healer.sensors.interface import TargetSensor
from healer.sensors.rates import Rates
from healer.sensors.sane import Sieve, ratio

_MARGIN = 0.5
_ERRORS = ("econ", "eresp", "hrsp_5xx")
_REPLIES = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other")


class HaproxySensor(TargetSensor):
    """Keys of the target: ``socket``, ``backend``, ``server``.

    A HAProxy that does not answer is down, which is a fact about the process only: of its servers nothing is known
    then. One that answers and knows no such server is believed.
    """

    def __init__(self, target: Target, haproxy: Haproxy) -> None:
        super().__init__(target, every=5.0, margin=_MARGIN)
        self._haproxy = haproxy
        self._backend = str(target.spec.get("backend") or "")
        self._server = str(target.spec.get("server") or "")
        self._counters = Rates()
        self._generation = ""

    async def look(self, now: float) -> Sequence[Reading]:
        """Ask once."""
        sieve = Sieve(now, self.marks)
        try:
            if self._backend:
                self._tell(sieve, await self._haproxy.backend(self._backend))
            else:
                self._tell_process(sieve, await self._haproxy.process())
        except (Absent, AbsentError) as exc:
            tell_down(sieve, KIND, str(exc))
        except DriverError as exc:
            if self._backend or not exc.fact:
                raise SensorError(exc.message, hint=exc.hint) from exc
            tell_down(sieve, KIND, exc.message)
        self.garbage += sieve.garbage
        return sieve.readings

    def _tell(self, sieve: Sieve, backend: Backend) -> None:
        if self._server:
            server = backend.server(self._server)
            self._of(server.generation)
            _tell_server(sieve, server, backend.others(server.name))
            self._tell_traffic(sieve, server.row, server.status)
        else:
            self._of(backend.generation)
            _tell_backend(sieve, backend)
            self._tell_traffic(sieve, backend.row, str(backend.row.get("status", "")).partition(" ")[0].lower())

    def _of(self, generation: str) -> None:
        """Counters of another incarnation begin anew."""
        if generation != self._generation:
            self._generation, self._counters = generation, Rates()

    def _tell_traffic(self, sieve: Sieve, row: Mapping[str, str], status: str) -> None:
        sieve.word("haproxy.status", status)
        sieve.number("haproxy.weight", _figure(row, "weight"))
        sieve.number("haproxy.queue", _figure(row, "qcur"))
        sieve.number("haproxy.last_change", _figure(row, "lastchg"))
        _tell_use(sieve, _figure(row, "scur"), _figure(row, "slim"))
        for name, column in (("haproxy.downtime", "downtime"), ("haproxy.downs", "chkdown")):
            _tell_where_there(sieve, name, row, column)
        replied = sum(_figure(row, column) or 0.0 for column in _REPLIES)
        took = _figure(row, "rtime")
        if replied and took is not None:
            sieve.number("haproxy.latency", took / 1000.0)
        else:
            sieve.unknown("haproxy.latency", "it has not replied yet, or does not speak HTTP")
        self._tell_rates(sieve, row, replied)

    def _tell_rates(self, sieve: Sieve, row: Mapping[str, str], replied: float) -> None:
        # A server that refuses connections has sessions and no replies: both are requests that came to it.
        asked = max(replied + (_figure(row, "econ") or 0.0), _figure(row, "stot") or 0.0)
        wrong = sum(_figure(row, column) or 0.0 for column in _ERRORS)
        requests = self._counters.step("asked", asked, sieve.at)
        errors = self._counters.step("wrong", wrong, sieve.at)
        for name, rate in (("haproxy.requests_rate", requests), ("haproxy.errors_rate", errors)):
            if isinstance(rate, str):
                sieve.unknown(name, rate)
            else:
                sieve.number(name, rate)
        if isinstance(requests, str) or isinstance(errors, str):
            sieve.unknown("haproxy.errors", "a share needs two looks")
        elif requests > 0:
            sieve.number("haproxy.errors", min(1.0, errors / requests))
        else:
            sieve.unknown("haproxy.errors", "it was sent no request since the last look")

    def _tell_process(self, sieve: Sieve, process: Process) -> None:
        figures = process.figures
        sieve.number("haproxy.up", 1)
        sieve.word("haproxy.message", "")
        sieve.word("haproxy.generation", process.generation)
        sieve.number("haproxy.uptime", _figure(figures, "Uptime_sec"))
        idle = _figure(figures, "Idle_pct")
        sieve.number("haproxy.idle", None if idle is None else idle / 100.0)
        _tell_use(sieve, _figure(figures, "CurrConns"), _figure(figures, "Maxconn"))


def _tell_server(sieve: Sieve, server: Server, others: int) -> None:
    if server.unjudged:
        sieve.unknown("haproxy.up", server.unjudged)
    else:
        sieve.number("haproxy.up", server.running)
    row = server.row
    found = (row.get("check_desc") or "", row.get("last_chk") or "")
    sieve.word("haproxy.message", ": ".join(text for text in found if text))
    sieve.word("haproxy.generation", server.generation)
    sieve.word("haproxy.admin", server.admin)
    sieve.number("haproxy.others", others)
    checked = (row.get("check_status") or "").lstrip("* ")
    if checked:
        sieve.word("haproxy.check", checked)
        _tell_where_there(sieve, "haproxy.check_duration", row, "check_duration", scale=0.001)
    else:
        sieve.all_unknown(("haproxy.check", "haproxy.check_duration"), "HAProxy does not check it")


def _tell_backend(sieve: Sieve, backend: Backend) -> None:
    status = str(backend.row.get("status", ""))
    sieve.number("haproxy.up", status.startswith("UP"))
    available = sum(server.available for server in backend.servers)
    sieve.word("haproxy.message", "" if available else "none of its servers takes requests")
    sieve.word("haproxy.generation", backend.generation)
    sieve.number("haproxy.servers", len(backend.servers))
    sieve.number("haproxy.servers_up", available)


def _tell_use(sieve: Sieve, sessions: float | None, limit: float | None) -> None:
    sieve.number("haproxy.sessions", sessions)
    use = None if sessions is None or limit is None else ratio(sessions, limit)
    sieve.maybe("haproxy.session_use", use, "its sessions have no limit")


def _tell_where_there(sieve: Sieve, name: str, row: Mapping[str, str], column: str, *, scale: float = 1.0) -> None:
    figure = _figure(row, column)
    sieve.maybe(name, None if figure is None else figure * scale, "HAProxy does not say")


def _figure(row: Mapping[str, str], column: str) -> float | None:
    """A number of HAProxy's; None where the field is empty, NaN where it is no number."""
    text = row.get(column, "")
    if not text:
        return None
    return float(text) if text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 20 else math.nan
