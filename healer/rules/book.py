"""What every series is now: readings in, ages kept, and the table of values that conditions are computed from."""

import heapq
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from healer.model.observation import Labels, Observation, Reading, Series
from healer.model.unit import Unit
from healer.rules.ears import Ear, Page, Wall
from healer.rules.lines import NAN, NEVER, Due, Family, Line, Past
from healer.rules.slots import Slot, SlotKey, metric_of
from healer.rules.syntax import Calendar, Heard
from healer.rules.units import Vocabulary

FUTURE = 1.0
"""Seconds a sample may lie ahead of now: later ones would stay fresh for too long."""
DRIFT = 0.5
"""Seconds by which the wall clock must be off before calendars are read anew."""
_CLEARED_AT_ONCE = 8


class Book:
    """The newest reading of every series.

    ``vocabulary`` gives units, bounds and ``max_age`` of metrics. A series unknown for ``forget_after`` seconds stops
    being a member of aggregates. At most ``max_series`` series are kept per metric.
    """

    def __init__(self, vocabulary: Vocabulary, *, forget_after: float, max_series: int) -> None:
        self._vocabulary = vocabulary
        self._forget_after = forget_after
        self._max_series = max_series
        self.garbage = 0
        """Values refused: NaN, infinite, out of bounds, of the wrong type, from the future."""
        self.late = 0
        """Readings older than one already seen, or at no time at all."""
        self.dropped = 0
        """Readings of series beyond ``max_series``."""
        self._families: dict[str, Family] = {}
        self._lines: dict[Series, Line] = {}
        self._ages: dict[Series, float] = {}
        self._table: list[Any] = []
        self._free: list[int] = []
        self._slots: dict[SlotKey, Slot] = {}
        self._heap: list[tuple[float, int, Due]] = []
        self._ticket = itertools.count()
        self._unwired = False
        """Somebody asked for slots that are not there yet; `_wire` makes them before anything else is seen."""
        self._newest = -NEVER
        self._wall = Wall()
        self._ears: list[Ear] = []
        self._past: Past = {}
        # What happened since the last evaluation.
        self._changed: set[Slot] = set()
        self._pending: set[Slot] = set()
        self._sampled: set[Slot] = set()
        self._loud: set[Slot] = set()
        self._loose: set[Line] = set()
        """Lines that may have lost their last window; their samples are kept until new wiring is done."""

    # ------------------------------------------------------------------------------------ what was seen

    def observe(self, reading: Reading) -> None:  # noqa: C901 - it runs for every reading, and each call would cost
        """Take one reading. Garbage, and what a sensor could not read, makes the series unknown."""
        if self._unwired:
            self._wire()
        line = self._lines.get((reading.metric, reading.labels)) or self._admit(reading)  # type: ignore[call-overload]  # a Series is such a tuple
        if line is None:
            return
        at = reading.at
        if not line.clock <= at < NEVER:
            self.late += 1
            return
        if at > self._newest:  # noqa: PLR1730 - as above, of max()
            self._newest = at
        if not isinstance(reading, Observation):
            self._blind(line, reading.because, at)
            return
        value = line.family.clean(reading.value)
        if value is None:
            self.garbage += 1
            self._blind(line, f"garbage: {reading.value!r:.80}", at)
            return
        if reading.conclusive:
            line.count += 2  # an event happened now: it needs no second sample to be believed
        elif at > line.at:
            line.count += 1
        line.value, line.at, line.clock = value, at, at
        line.known, line.gone = True, False
        if line.keeps:
            for keep in line.keeps:
                keep.add(at, value)
        line.deadline = at + line.max_age
        if line.deadline < line.queued:
            self._queue(line)
        if line.slots:
            self._tell(line, loud=reading.conclusive)

    def lost(self, which: Iterable[Series] | str, because: str, at: float) -> None:
        """Make series unknown: the given ones, or all of metrics that begin with a text (``host.``)."""
        if isinstance(which, str):
            lines = [line for line in self._lines.values() if line.series.metric.startswith(which)]
        else:
            lines = [line for series in which if (line := self._lines.get(series)) is not None]
        for line in lines:
            if at >= line.clock:
                self._blind(line, because, at)

    def set_max_age(self, which: str | Series, seconds: float) -> None:
        """Say for how long a value counts as known: for a whole metric, or for one series."""
        if isinstance(which, str):
            family = self._family(which)
            family.max_age = seconds
            lines = [line for line in family.lines.values() if line.series not in self._ages]
        else:
            self._ages[which] = seconds
            lines = [self._lines[which]] if which in self._lines else []
        for line in lines:
            line.max_age = seconds
            if line.known:
                line.deadline = line.at + seconds
                self._queue(line)

    def _family(self, metric: str) -> Family:
        family = self._families.get(metric)
        if family is None:
            family = self._families[metric] = Family(metric, self._vocabulary)
        return family

    def _admit(self, reading: Reading) -> Line | None:
        """Make room for a series never seen; None when there is none."""
        family = self._family(reading.metric)
        if len(family.lines) >= self._max_series and not self._evict(family, reading.at):
            self.dropped += 1
            if not family.overflow:
                family.overflow = True
                self._pending.update(family.slots())
            return None
        line = Line(reading.series, family)
        line.max_age = self._ages.get(line.series, family.max_age)
        self._lines[line.series] = line
        for slot in family.add(line):
            self._join(slot, line)
        return line

    def _evict(self, family: Family, now: float) -> bool:
        """Let go of series nobody has spoken of for long."""
        old = [line for line in family.lines.values() if line.clock < now - self._forget_after]
        for line in old:
            family.drop(line)
            del self._lines[line.series]
            line.deadline = NEVER
            for slot in line.slots:
                slot.lines.remove(line)
        if old:
            family.overflow = False
            self._pending.update(family.slots())
        return bool(old)

    def _join(self, slot: Slot, line: Line) -> None:
        slot.lines.append(line)
        line.slots.append(slot)
        if slot.seconds or slot.study:
            line.need(slot.seconds, slot.study, self._past)
        self._pending.add(slot)

    def _blind(self, line: Line, because: str, at: float) -> None:
        line.clock, line.because = at, because
        if not line.known:
            if line.deadline == NEVER and not line.gone:
                self._fade(line, at)
            return
        line.known = False
        self._fade(line, at)
        self._pending.update(line.slots)

    def _fade(self, line: Line, at: float) -> None:
        line.deadline = at + max(self._forget_after, line.max_age)
        self._queue(line)

    def _tell(self, line: Line, *, loud: bool) -> None:
        """Write the new value where it is waited for; what needs more work than that waits for the evaluation."""
        table = self._table
        for slot in line.slots:
            if slot.watchers:
                self._sampled.add(slot)
            if loud:
                self._loud.add(slot)
            if not slot.simple or len(slot.lines) != 1 or slot.family.overflow:
                self._pending.add(slot)
                continue
            old = table[slot.index]
            plain = line.count > 1 and line.at > slot.since and not slot.word
            new = line.value if plain and type(line.value) is float else slot.read(line, line.at)
            if old != new and (old == old or new == new):  # noqa: PLR0124 - NaN is not itself
                table[slot.index] = new
                self._changed.add(slot)
                if not loud:
                    self._loud.discard(slot)

    def heard(self, topic: str, data: Mapping[str, Any], at: float, *, own: bool = False) -> None:
        """An event was on the bus; ``own``: the agent caused it, which only those hear who ask for it."""
        if self._unwired:
            self._wire()
        for ear in self._ears:
            if ear.hear(topic, data, at, own=own):
                self._pending.add(ear)

    def jumped(self) -> None:
        """The wall clock jumped, or the host slept: what was is no guide to what will be, so trends begin anew."""
        for line in self._lines.values():
            for key, study in line.studies.items():
                if key[0] == "trend":
                    study.forget()
                    self._pending.update(line.slots)

    def set_wall(self, offset: float) -> None:
        """Say what to add to the boot clock to get seconds since 1970: calendars are unknown until somebody does."""
        if abs(offset - self._wall.offset) < DRIFT:
            return  # a drift of milliseconds at every tick is no reason to look at every calendar
        self._wall.offset = offset
        self._pending.update(slot for slot in self._slots.values() if isinstance(slot, Page))

    # --------------------------------------------------------------------------------------- time passing

    def _queue(self, due: Due) -> None:
        if due.deadline < due.queued:
            due.queued = due.deadline
            heapq.heappush(self._heap, (due.deadline, next(self._ticket), due))

    def due(self) -> float | None:
        """When to call `evaluate` at the latest although nothing was observed; None when never.

        It may be earlier than needed, never later: old entries at the top of the heap are cleared a few at a time.
        """
        heap = self._heap
        for _ in range(_CLEARED_AT_ONCE):
            if not heap:
                return None
            when, _, due = heap[0]
            if when == due.queued == due.deadline:
                break
            self._clear()
        return heap[0][0] if heap else None

    def _clear(self) -> Due | None:
        """Take the first entry off the heap; returns what is really due then, if anything is."""
        when, _, due = heapq.heappop(self._heap)
        if when != due.queued:
            return None
        due.queued = NEVER
        if due.deadline > when:
            self._queue(due)
            return None
        return due

    def _sweep(self, now: float) -> None:
        """Let values age."""
        while self._heap and self._heap[0][0] <= now:
            due = self._clear()
            if due is None:
                continue
            due.deadline = NEVER
            if isinstance(due, Slot):
                self._pending.add(due)
            elif isinstance(due, Line):
                self._expire(due, now)

    def _expire(self, line: Line, now: float) -> None:
        if line.known:
            line.known = False
            line.because = f"older than {line.max_age:g} s"
            self._fade(line, now)
        else:
            line.gone = True
        self._pending.update(line.slots)

    def _distrust_the_future(self, now: float) -> None:
        for line in self._lines.values():
            if line.clock > now + FUTURE:
                self.garbage += line.known
                # Its clock is set back too, or the next honest sample would be refused as late.
                line.known, line.count, line.at, line.clock = False, 0, -NEVER, -sys.float_info.max
                line.because = "its time lies in the future"
                self._pending.update(line.slots)
        self._newest = now

    def _settle(self, now: float) -> None:
        """Compute the slots that need more than the newest value of one series."""
        table = self._table
        for slot in self._pending:
            old, new = table[slot.index], slot.compute(now)
            if old != new and (old == old or new == new):  # noqa: PLR0124 - NaN is not itself
                table[slot.index] = new
                self._changed.add(slot)
            slot.deadline = slot.next_turn(now)
            self._queue(slot)
        self._pending = set()

    # -------------------------------------------------------------------------------------------- slots

    def _slot(self, key: SlotKey) -> Slot:
        if key in self._slots:
            # Its deadlines may have to serve the new entry's limits too.
            self._pending.add(self._slots[key])
            return self._slots[key]
        slot = self._slots[key] = self._make(key)
        for line in slot.family.watch(slot):
            self._join(slot, line)
        self._pending.add(slot)
        return slot

    def _make(self, key: SlotKey) -> Slot:
        place = self._place(NAN)
        match key[0].source:
            case Heard():
                ear = Ear(key, place, self._family(""))
                self._ears.append(ear)
                return ear
            case Calendar():
                return Page(key, place, self._family(""), self._wall)
        return Slot(key, place, self._family(metric_of(key[0].source)))

    def _wire(self) -> None:
        """Make the slots that were asked for."""
        self._unwired = False

    def _tidy(self) -> None:
        """Drop the samples no window needs any more."""
        for line in self._loose:
            line.tidy()
        self._loose.clear()

    def _place(self, value: float | str) -> int:
        if self._free:
            index = self._free.pop()
            self._table[index] = value
            return index
        self._table.append(value)
        return len(self._table) - 1

    def _discard(self, slot: Slot) -> None:
        del self._slots[slot.key]
        slot.family.unwatch(slot)
        slot.deadline = NEVER
        if isinstance(slot, Ear):
            self._ears.remove(slot)
        for line in slot.lines:
            line.slots.remove(slot)
            if slot.seconds or slot.study:
                self._loose.add(line)
        for waiting in (self._changed, self._pending, self._sampled, self._loud):
            waiting.discard(slot)
        self._free.append(slot.index)

    def retire(self) -> None:
        """Let go of everything, so that all of it is freed at once: what is tied in rings waits for a long look."""
        for slot in self._slots.values():
            slot.entries.clear()
            slot.lines.clear()
        for line in self._lines.values():
            line.slots.clear()
        self.__dict__.clear()

    # ------------------------------------------------------------------------------------------ answers

    def latest(self, series: Series) -> tuple[float | str, float] | None:
        """The newest value of a series and its time; None when it is unknown."""
        line = self._lines.get(series)
        return (line.value, line.at) if line is not None and line.known else None

    def known(self) -> Iterator[Observation]:
        """The newest reading of every series that is known."""
        for line in self._lines.values():
            if line.known:
                metric, marks = line.series
                unit = line.family.unit or Unit.NUMBER
                yield Observation(metric=metric, labels=marks, value=line.value, unit=unit, at=line.at)

    def number(self, metric: str, marks: Labels = ()) -> float | None:
        """The newest value of the series of these labels; None when it is unknown, or a word."""
        line = self._lines.get((metric, marks))  # type: ignore[call-overload]  # a Series is such a tuple
        return None if line is None or not line.known or isinstance(line.value, str) else line.value

    def because(self, series: Series) -> str:
        """Why a series is unknown; empty when it is known."""
        line = self._lines.get(series)
        return "never seen" if line is None else "" if line.known else line.because

    def series(self, metric: str) -> tuple[Series, ...]:
        """Every series of a metric that is kept."""
        family = self._families.get(metric)
        return tuple(family.lines) if family else ()
