"""Read what the kernel says of one control group: how its tasks are stalled, and how often a CPU quota stops them."""

import re
from collections.abc import Sequence

from healer.model.observation import Reading, labels
from healer.model.target import Target
from healer.sensors import kernel
from healer.sensors.interface import QuickSensor
from healer.sensors.procfs import KeptFile
from healer.sensors.sane import Sieve

EVERY = 10.0
ROOT = "/sys/fs/cgroup"
THROTTLED = "cgroup.throttled"
_PSI = ("cpu", "memory", "io")
_PERIODS = re.compile(rb"^nr_(periods|throttled) (\d{1,18})$", re.MULTILINE)


class CgroupSensor(QuickSensor):
    """The control group that a target names by its key ``cgroup`` (a path below the root of version 2).

    ``cgroup.cpu.psi.some10`` and its siblings are stalls within the group; ``cgroup.throttled`` is the share of the
    periods since the last look in which its quota stopped it, 0 where it has none. A group that is gone, or a host with
    version 1, makes them unknown.
    """

    def __init__(self, target: Target, *, every: float = EVERY, root: str = ROOT) -> None:
        super().__init__(name=f"cgroup:{target.id}", every=every, timeout=1.0, max_age=3 * every, target=target.id)
        folder = f"{root}/{str(target.spec['cgroup']).strip('/')}"
        self.marks = labels(target=target.id)
        self._stalls = {what: KeptFile(f"{folder}/{what}.pressure", 512) for what in _PSI}
        self._stat = KeptFile(f"{folder}/cpu.stat", 1024)
        self._last: tuple[int, int] | None = None

    def glance(self, now: float) -> Sequence[Reading]:
        """Read its four files."""
        sieve = Sieve(now, self.marks)
        for what, file in self._stalls.items():
            metric = f"cgroup.{what}.psi.some10"
            try:
                sieve.number(metric, kernel.parse_pressure(file.read())["some"])
            except (OSError, LookupError) as exc:
                sieve.unknown(metric, f"cannot read {file.path}: {_said(exc)}")
        self._throttling(sieve)
        self.garbage += sieve.garbage
        return sieve.readings

    def _throttling(self, sieve: Sieve) -> None:
        try:
            found = {key: int(count) for key, count in _PERIODS.findall(self._stat.read())}
        except OSError as exc:
            self._last = None
            sieve.unknown(THROTTLED, f"cannot read {self._stat.path}: {_said(exc)}")
            return
        last, self._last = self._last, (found.get(b"periods", 0), found.get(b"throttled", 0))
        if last is None:
            sieve.unknown(THROTTLED, "a share needs two looks")
            return
        periods, stopped = (now - before for now, before in zip(self._last, last, strict=True))
        if min(periods, stopped) < 0:
            sieve.unknown(THROTTLED, "it is another group of the same name")
        else:
            sieve.number(THROTTLED, min(1.0, stopped / periods) if periods else 0.0)

    async def close(self) -> None:
        """Close its files."""
        for file in (*self._stalls.values(), self._stat):
            file.close()


def _said(exc: Exception) -> str:
    return exc.strerror or str(exc) if isinstance(exc, OSError) else "there is no such line"
