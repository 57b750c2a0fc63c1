"""The agent looks at itself: what it costs, how late it is, and what its other parts say of themselves."""

import os
from collections.abc import Callable, Mapping, Sequence

from healer.model.observation import Reading
from healer.model.vocabulary import METRICS
from healer.sensors.interface import QuickSensor
from healer.sensors.procfs import KeptFile, count_fds, parse_usage
from healer.sensors.rates import Rates
from healer.sensors.sane import Sieve

Figures = Callable[[], Mapping[str, object]]
"""Metric name (``self.*``, ``audit.*``) to value; None where a part cannot tell."""
_TOLD_ELSEWHERE = frozenset({"self.cpu", "self.memory", "self.fds", "self.uptime"})
_OURS = tuple(name for name in METRICS if name.startswith(("self.", "audit.")))
TOLD: tuple[str, ...] = tuple(name for name in _OURS if name not in _TOLD_ELSEWHERE)
"""What ``figures`` may tell."""
_FDS_EVERY = 5
"""Beats: listing descriptors costs more than all the rest."""


class SelfSensor(QuickSensor):
    """The agent's own figures. What a part does not tell is unknown, never fine."""

    def __init__(self, figures: Figures, *, every: float = 1.0, pid: int | None = None) -> None:
        super().__init__(name="self", every=every, timeout=1.0, max_age=max(10.0, 3 * every))
        self._figures = figures
        self._pid = os.getpid() if pid is None else pid
        self._stat = KeptFile(f"/proc/{self._pid}/stat", 512)
        self._rates = Rates()
        self._opened: float | None = None
        self._beat = 0

    def glance(self, now: float) -> Sequence[Reading]:
        """Look at the process, then ask the parts."""
        sieve = Sieve(now)
        self._look_at_process(sieve)
        told = self._figures()
        for metric in TOLD:
            value = told.get(metric)
            if value is None:
                sieve.unknown(metric, "the agent does not know")
            else:
                sieve.number(metric, value)
        self._beat += 1
        self.garbage += sieve.garbage
        return sieve.readings

    def _look_at_process(self, sieve: Sieve) -> None:
        self._opened = sieve.at if self._opened is None else self._opened
        sieve.number("self.uptime", sieve.at - self._opened)
        try:
            usage = parse_usage(self._stat.read())
            fds = count_fds(self._pid) if self._beat % _FDS_EVERY == 0 else None
        except (OSError, ValueError) as exc:
            sieve.all_unknown(("self.cpu", "self.memory", "self.fds"), f"cannot read {self._stat.path}: {exc}")
            return
        sieve.number("self.memory", usage.rss)
        rate = self._rates.step("cpu", usage.cpu, sieve.at)
        if isinstance(rate, str):
            sieve.unknown("self.cpu", rate)
        else:
            sieve.number("self.cpu", rate)
        if fds is not None:
            sieve.number("self.fds", fds)

    async def close(self) -> None:
        """Close the kept file."""
        self._stat.close()
