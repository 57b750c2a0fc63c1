"""What one rule on one target makes of the events it hears: counts, sequences, quiet times; apart for each group."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from healer.model.trigger import Trigger
from healer.rules.topics import Pattern, group, pattern

GROUPS = 1024
"""Groups one rule remembers for one target."""
POINTS = 20_000
"""Moments it remembers in all: a rule that counts to a thousand has fewer groups."""
NEVER = float("inf")
Data = Mapping[str, Any]
Group = tuple[str, ...]


class Start(NamedTuple):
    """The rule is to be started now, for these events."""

    group: Group
    topic: str
    data: Data


@dataclass(slots=True)
class _Kept:
    """What is remembered of one group."""

    topic: str = ""
    data: Data = field(default_factory=dict)
    times: deque[float] = field(default_factory=deque)
    seen: dict[int, float] = field(default_factory=dict)
    """When each of the events that must come together came last, by its place."""
    waits: float = NEVER
    """Until when the event that must not be missing may come."""
    quiet: float = NEVER
    """When nothing more has come for long enough."""
    alarm: float = NEVER
    """For when a wake-up is asked for already: a flood of events must not become a flood of them."""

    @property
    def deadline(self) -> float:
        return min(self.waits, self.quiet)

    @property
    def idle(self) -> bool:
        return not self.times and not self.seen and self.deadline == NEVER


class Ear:
    """The events of one trigger, for one target. Bounded: the group that was quiet longest is dropped, and counted."""

    def __init__(self, trigger: Trigger, alarm: Callable[[float, Group], None]) -> None:
        self.trigger = trigger
        self.dropped = 0
        """Groups forgotten because there were too many."""
        self._alarm = alarm
        self._patterns = tuple(pattern(one) for one in trigger.heard)
        self._absent = pattern(trigger.missing.event) if trigger.missing else None
        self._groups: dict[Group, _Kept] = {}
        each = trigger.accumulate.count if trigger.accumulate else len(self._patterns)
        self._most = max(16, min(GROUPS, POINTS // each))

    def meant(self, topic: str, data: Data) -> bool:
        """Whether this event is any of its."""
        return any(one.fits(topic, data) for one in self._all)

    @property
    def _all(self) -> tuple[Pattern, ...]:
        return (*self._patterns, self._absent) if self._absent else self._patterns

    def hear(self, topic: str, data: Data, now: float) -> Start | None:
        """Take an event that is meant; returns the start it completes, where nothing is to be waited for any more."""
        if (name := group(data, self.trigger.group_by)) is None:
            return None  # without the field that would tell its group it cannot be counted with any
        if self._absent and self._absent.fits(topic, data):
            self._arrived(name)
        if not any(one.fits(topic, data) for one in self._patterns):
            return None
        kept = self._kept(name)
        complete = self._complete(kept, topic, data, now)
        if complete:
            return self._ready(name, kept, now)
        self._rest(name, kept)
        return None

    def ripe(self, name: Group, now: float) -> Start | None:
        """Look at a group whose wake-up came."""
        kept = self._groups.get(name)
        if kept is None:
            return None
        kept.alarm = NEVER
        if kept.waits <= now:
            kept.waits = NEVER
            return self._ready(name, kept, now)
        if kept.quiet <= now:
            return self._start(name, kept)
        self._rest(name, kept)
        return None

    def take_over(self, other: "Ear") -> None:
        """Go on where the same trigger was under the former configuration."""
        self.dropped = other.dropped
        self._groups = other._groups  # noqa: SLF001 - the former one is not used any more
        for name, kept in self._groups.items():
            kept.alarm = NEVER
            self._rest(name, kept)

    # What completes a start -----------------------------------------------------------------------------------

    def _complete(self, kept: _Kept, topic: str, data: Data, now: float) -> bool:
        trigger = self.trigger
        if trigger.together is not None:
            return self._gathered(kept, topic, data, now)
        if trigger.missing is not None:
            if kept.waits == NEVER:  # the first begins the wait; another one meanwhile does not prolong it
                kept.topic, kept.data, kept.waits = topic, data, now + trigger.missing.within
            return False
        kept.topic, kept.data = topic, data
        if trigger.accumulate is None:
            return True
        kept.times.append(now)
        while kept.times[0] < now - trigger.accumulate.within:
            kept.times.popleft()
        if len(kept.times) < trigger.accumulate.count:
            return False
        kept.times.clear()
        return True

    def _gathered(self, kept: _Kept, topic: str, data: Data, now: float) -> bool:
        """Note which of the events this is (one event counts once); says whether all are there."""
        within = self.trigger.together.within if self.trigger.together else 0.0
        kept.seen = {place: at for place, at in kept.seen.items() if at >= now - within}
        places = [place for place, one in enumerate(self._patterns) if one.fits(topic, data)]
        place = next((place for place in places if place not in kept.seen), places[0])
        kept.topic, kept.data = topic, {**(kept.data if kept.seen else {}), **data}
        kept.seen[place] = now
        if len(kept.seen) < len(self._patterns):
            return False
        kept.seen = {}
        return True

    def _arrived(self, name: Group) -> None:
        if kept := self._groups.get(name):
            kept.waits = NEVER
            self._rest(name, kept)

    # Groups and their wake-ups --------------------------------------------------------------------------------

    def _ready(self, name: Group, kept: _Kept, now: float) -> Start | None:
        if not self.trigger.once_after:
            return self._start(name, kept)
        kept.quiet = now + self.trigger.once_after
        self._rest(name, kept)
        return None

    def _start(self, name: Group, kept: _Kept) -> Start:
        kept.quiet = NEVER
        start = Start(name, kept.topic, kept.data)
        self._rest(name, kept)
        return start

    def _rest(self, name: Group, kept: _Kept) -> None:
        """Forget a group nothing is open for; have it looked at when its time comes."""
        if kept.idle:
            self._groups.pop(name, None)
        elif kept.deadline < kept.alarm:
            kept.alarm = kept.deadline
            self._alarm(kept.deadline, name)

    def _kept(self, name: Group) -> _Kept:
        """The group of that name, as the one heard last."""
        kept = self._groups.pop(name, None) or _Kept()
        self._groups[name] = kept
        while len(self._groups) > self._most:
            self._groups.pop(next(iter(self._groups)))
            self.dropped += 1
        return kept

    def __len__(self) -> int:
        """Groups that are remembered now."""
        return len(self._groups)
