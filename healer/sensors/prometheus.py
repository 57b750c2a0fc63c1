"""Scrape an exporter of Prometheus' metrics: the series that were declared, and no other."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from healer.clock import Clock
from healer.drivers import exposition
from healer.drivers.exposition import Sample
from healer.drivers.http import Http, HttpError, Reply
from healer.drivers.slot import Slot
from healer.errors import SensorError
from healer.model.observation import Reading, labels
from healer.model.pick import Pick, parse
from healer.model.target import EMPTY, Target
from healer.sensors.http import revealed
from healer.sensors.interface import Push, TargetSensor
from healer.sensors.sane import Sieve

MOST = 8 << 20
"""Octets of an exposition."""
_AHEAD = 60.0
"""Seconds by which an exporter's clock may be before ours."""
_MARGIN = 1.0


class PrometheusSensor(TargetSensor):
    """Keys of the target: ``url``, ``series`` (name: which), ``headers``, ``verify_tls``.

    A server that refuses, hangs or answers with something else is a fact (``prometheus.ok`` 0); a series that is not
    there, is not a number or was measured too long ago is unknown by itself.
    """

    def __init__(self, target: Target, http: Http, clock: Clock) -> None:
        super().__init__(target, every=15.0, margin=_MARGIN)
        spec = target.spec
        self._http = http
        self._clock = clock
        self._url = str(spec["url"])
        self._headers: Mapping[str, Any] = spec.get("headers") or EMPTY
        self._verify = bool(spec.get("verify_tls", True))
        self._picks = {str(name): parse(str(text)) for name, text in (spec.get("series") or EMPTY).items()}
        self._metrics = frozenset(pick.metric for pick in self._picks.values())
        self._slot = Slot(target.id)

    async def open(self, push: Push) -> None:  # noqa: ARG002 - it pushes nothing
        """Load what it needs, off the loop."""
        await self._http.open()

    async def look(self, now: float) -> Sequence[Reading]:
        """Scrape once."""
        sieve = Sieve(now, self.marks)
        try:
            reply = await self._http.ask(
                self._url, headers={"accept": exposition.ACCEPT, **revealed(self._headers)}, timeout=self.patience,
                verify=self._verify, most=MOST,
            )  # fmt: skip
            found = await self._read(reply)
        except HttpError as exc:
            if not exc.fact:
                raise SensorError(exc.message, hint=exc.hint) from exc
            self._fail(sieve, exc.message)
            sieve.all_unknown(("prometheus.latency", "prometheus.size"), exc.message)
        except exposition.Garbage as exc:
            self._fail(sieve, str(exc))
            sieve.all_unknown(("prometheus.latency", "prometheus.size"), str(exc))
        else:
            self._tell(sieve, reply, found)
        self.garbage += sieve.garbage
        return sieve.readings

    async def _read(self, reply: Reply) -> Mapping[str, list[Sample]]:
        """The samples, read in a thread: a large exposition takes longer than the loop may be held."""
        if not 200 <= reply.status < 300:
            raise exposition.Garbage(f"status {reply.status}")
        if not reply.complete:
            raise exposition.Garbage(f"its figures are longer than {MOST >> 20} MiB")
        newer = "openmetrics" in reply.headers.get("content-type", "")
        return await self._slot.call(lambda: exposition.read(reply.body, self._metrics, newer=newer))

    def _fail(self, sieve: Sieve, because: str) -> None:
        sieve.number("prometheus.ok", 0)
        sieve.word("prometheus.message", because)
        for name in self._picks:
            sieve.unknown("prometheus.value", because, self._named(name))

    def _tell(self, sieve: Sieve, reply: Reply, found: Mapping[str, list[Sample]]) -> None:
        sieve.number("prometheus.ok", 1)
        sieve.word("prometheus.message", "")
        sieve.number("prometheus.latency", reply.took)
        sieve.number("prometheus.size", len(reply.body))
        for name, pick in self._picks.items():
            value = self._value(pick, found[pick.metric])
            if isinstance(value, str):
                sieve.unknown("prometheus.value", value, self._named(name))
            else:
                sieve.number("prometheus.value", value, self._named(name))

    def _value(self, pick: Pick, samples: Sequence[Sample]) -> float | str:
        meant = [sample for sample in samples if pick.takes(sample.labels)]
        now = self._clock.wall()
        for sample in meant:
            if math.isnan(sample.value):
                return "the exporter says NaN: it has no value"
            if sample.at is not None and not -_AHEAD <= now - sample.at <= self.max_age:
                return f"it was measured {now - sample.at:.0f} s ago"
        return pick.of([sample.value for sample in meant])

    def _named(self, name: str) -> tuple[tuple[str, str], ...]:
        return labels(target=self.target, name=name)
