"""What the targets of each organ amount to: the share that is up, what they use of the host, how often they restart."""

from collections import deque
from collections.abc import Callable, Iterable

from healer.model.kinds.catalog import KINDS
from healer.model.observation import Observation, Reading, Unknown, labels
from healer.model.organism import ORGANS
from healer.model.target import Target
from healer.model.unit import Unit

Known = Callable[[str, str], float | None]
"""(metric, target id) -> its value now, or None where it is unknown. ``self.cpu`` and ``self.memory`` come with ""."""

WINDOW_SECONDS = 600.0
_REMEMBERED = 256


class Restarts:
    """Restarts of each target within the last ten minutes, from counters that only grow or begin again."""

    def __init__(self, window: float = WINDOW_SECONDS) -> None:
        self._window = window
        self._last: dict[str, float] = {}
        self._seen: dict[str, deque[tuple[float, float]]] = {}

    def feel(self, target: str, count: float | None, at: float) -> None:
        """Take a reading of the counter; the first is where counting starts, None changes nothing."""
        if count is None:
            return
        before = self._last.get(target, count)
        more = count - before if count >= before else count  # a smaller number: the counter began again
        self._last[target] = count
        seen = self._seen.setdefault(target, deque(maxlen=_REMEMBERED))
        if more:
            seen.append((at, more))

    def recent(self, target: str, now: float) -> float | None:
        """How many within the window before ``now``; None when the target was never seen."""
        seen = self._seen.get(target)
        if seen is None:
            return None
        while seen and seen[0][0] <= now - self._window:
            seen.popleft()
        return sum(more for _, more in seen)


def target_sums(
    targets: Iterable[Target],
    known: Known,
    *,
    cores: int,
    memory_total: float | None,
    at: float,
    restarts: Restarts | None = None,
) -> tuple[Reading, ...]:
    """Say organ.up, organ.load, organ.memory (ratios of the host) and organ.restarts for every organ that has targets.

    Hand in the targets that are meant to be up: one that an operator stopped is not ill. ``cores`` counts the host's
    CPUs, ``memory_total`` is in bytes. Shares leave out what is unknown; sums that lack a part are unknown, since the
    part could be anything; something that is down uses nothing. The agent itself is counted in the brain.
    """
    said: list[Reading] = []
    members: dict[str, list[Target]] = {organ: [] for organ in ORGANS}
    for target in targets:
        members[target.organ].append(target)
    for organ, own in members.items():
        mark = labels(organ=organ)
        named = [(one.kind, one.id) for one in own]
        up = {name: known(KINDS[kind].up, name) for kind, name in named if KINDS[kind].serves}
        if up:
            flags = [flag for flag in up.values() if flag is not None]
            share = sum(flags) / len(flags) if flags else None
            said.append(_reading("organ.up", mark, share, Unit.RATIO, at, "none of its targets is known"))
        # Something that is down uses nothing.
        users = [(kind, name) for kind, name in named if KINDS[kind].uses and up.get(name) != 0]
        if organ == "brain":
            users.append(("self", ""))  # what decides here is the agent itself
        if users:
            for metric, part, whole in (("organ.load", "cpu", float(cores)), ("organ.memory", "memory", memory_total)):
                total, because = _total(users, part, known)
                ratio = total / whole if total is not None and whole else None
                said.append(_reading(metric, mark, ratio, Unit.RATIO, at, because))
        counted = [restarts.recent(name, at) for kind, name in named if restarts and KINDS[kind].counts_restarts]
        if counted:
            times = [count for count in counted if count is not None]
            recent = sum(times) if times else None
            said.append(_reading("organ.restarts", mark, recent, Unit.COUNT, at, "no restart counter is known"))
    return tuple(said)


def _total(users: list[tuple[str, str]], part: str, known: Known) -> tuple[float | None, str]:
    total = 0.0
    for kind, name in users:
        used = known(f"{kind}.{part}", name)
        if used is None:
            return None, f"{part} of {name or 'the agent'} is unknown"
        total += used
    return total, "the size of the host is unknown"


def _reading(
    metric: str, mark: tuple[tuple[str, str], ...], value: float | None, unit: Unit, at: float, because: str
) -> Reading:
    if value is None:
        return Unknown(metric=metric, labels=mark, because=because, at=at)
    return Observation(metric=metric, labels=mark, value=value, unit=unit, at=at)
