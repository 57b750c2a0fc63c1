"""Readings in, truths out: the engine behind rules and vitals; pure, and it reads no clock."""

import itertools
import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from healer.model.decision import Evidence
from healer.model.truth import Truth
from healer.model.unit import Unit
from healer.patterns import captures
from healer.rules.book import FUTURE, Book
from healer.rules.compile import TRUE, UNKNOWN, Input, Program, compile_condition, compile_number
from healer.rules.ears import Ear
from healer.rules.groups import Groups, picker
from healer.rules.lines import NAN, NEVER, matches
from healer.rules.slots import Slot
from healer.rules.syntax import Expr, Matched, Over, Select, of_pattern, walk
from healer.rules.units import Vocabulary
from healer.rules.unparse import decimal, unparse

MAX_EVIDENCE = 16
_TRUTHS = (Truth.FALSE, Truth.TRUE, Truth.UNKNOWN)


class Change(NamedTuple):
    """What became of one condition."""

    key: str
    truth: Truth
    previous: Truth
    conclusive: bool
    """An event (not a sample) on one of its inputs brought it here: ``for`` and ``samples`` do not apply."""


@dataclass(slots=True, eq=False)
class Entry:
    """One condition or one number, compiled, with the table's indexes of its arguments."""

    key: str
    expr: Expr
    order: int
    """Position in the table of truths; changes are told in this order."""
    program: Program
    numeric: bool
    every_sample: bool
    compute: Callable[..., float]
    """The program's ``value`` or ``decide``."""
    since: float = -NEVER
    """The re-arm: samples up to then do not count."""
    slots: tuple[Slot, ...] = ()
    indexes: tuple[int, ...] = ()
    pick: Any = None
    """Takes its arguments out of the table."""
    value: float = NAN


class Evaluator(Book):
    """Conditions and numbers over the newest reading of every series.

    ``vocabulary`` gives units, bounds and ``max_age`` of metrics. ``baseline``: the first reading of a series does not
    count in conditions (it may be left over from before the start), unless it is conclusive. A series unknown for
    ``forget_after`` seconds stops being a member of aggregates. At most ``max_series`` series are kept per metric.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        baseline: bool = True,
        forget_after: float = 600.0,
        max_series: int = 10_000,
    ) -> None:
        super().__init__(vocabulary, forget_after=forget_after, max_series=max_series)
        self._baseline = baseline
        self._constants: dict[float | str, int] = {}
        self._entries: dict[str, Entry] = {}
        self._keys: list[str] = []
        """Keys by place in ``_truths``."""
        self._truths: list[int] = []
        self._orders: list[int] = []
        """Places in ``_truths`` that are free again."""
        self._groups: Groups | None = None
        self._numbers: list[Entry] = []
        self._unlinked: dict[Entry, None] = {}
        """Without places in the table yet."""
        self._fresh: dict[Entry, None] = {}
        """Wired, and never computed since."""
        self._untold: list[Change] = []
        self.rearms = 0
        """How often anything was re-armed: who feeds recorded samples must then show a fresh one of each series."""
        self.rearmed_to = -NEVER
        """The latest second up to which samples do not count for something; it may lie ahead."""
        self._again: set[int] = set()
        """Re-armed: told even where it is what it was (a constant is), since whoever re-armed it has forgotten it."""

    # ---------------------------------------------------------------------------------- what is asked for

    def add(self, key: str, expr: Expr, *, every_sample: bool = False) -> None:
        """Watch a condition (one of this key is replaced). Raises ExpressionError when it is none."""
        self._enter(key, expr, compile_condition(expr), numeric=False, every_sample=every_sample)

    def add_value(self, key: str, expr: Expr) -> None:
        """Watch a number, such as a vital (one of this key is replaced). Raises ExpressionError when it is none."""
        self._enter(key, expr, compile_number(expr), numeric=True, every_sample=False)

    def remove(self, key: str) -> None:
        """Forget a condition or a number; an unknown key is no mistake."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._unlink(entry)
        self._unlinked.pop(entry, None)
        self._fresh.pop(entry, None)
        self._untold = [change for change in self._untold if change.key != key]
        self._orders.append(entry.order)
        self._again.discard(entry.order)
        self._groups = None

    def rearm(self, key: str, at: float) -> None:
        """From now on only samples taken after ``at`` count for this condition; its windows begin again."""
        entry = self._entries[key]
        if at <= entry.since:
            return
        self._unlink(entry)
        self.rearms += 1
        self.rearmed_to = max(self.rearmed_to, at)
        entry.since = at
        self._again.add(entry.order)
        self._unlinked[entry] = None
        self._unwired = True
        self._groups = None

    def _enter(self, key: str, expr: Expr, program: Program, *, numeric: bool, every_sample: bool) -> None:
        self.remove(key)
        order = self._orders.pop() if self._orders else len(self._truths)
        if order == len(self._truths):
            self._truths.append(UNKNOWN)
            self._keys.append(key)
        self._truths[order], self._keys[order] = UNKNOWN, key
        compute = program.value if numeric else program.decide
        entry = Entry(key, expr, order, program, numeric, every_sample, compute)
        self._entries[key] = entry
        self._unlinked[entry] = None
        self._unwired = True
        self._groups = None

    # ----------------------------------------------------------------------------------------- evaluation

    def evaluate(self, now: float) -> list[Change]:
        """Compute what changed at boot-clock second ``now``; returns the changes of truth.

        Their order is that of adding, where places of removed conditions are used again. Conditions added with
        ``every_sample`` are told at every new sample of an input, and a true condition whenever something conclusive
        was seen of one, changed or not.
        """
        self.refresh(now)
        told, self._untold = self._untold, []
        return told

    def refresh(self, now: float) -> None:
        """Compute what changed, for who wants values only: the changes of truth are told by the next `evaluate`."""
        if self._newest > now + FUTURE:
            self._distrust_the_future(now)
        self._wire()
        fresh, self._fresh = self._fresh, {}
        self._sweep(now)
        self._settle(now)
        told = {entry.order for slot in self._sampled for entry in slot.entries if entry.every_sample}
        loud = {entry.order for slot in self._loud for entry in slot.entries if not entry.numeric}
        changed, self._changed = self._changed, set()
        self._sampled, self._loud = set(), set()
        found = self._decide(fresh, changed)
        told |= {order for order in self._again if self._truths[order] != UNKNOWN}
        self._again = set()
        self._untold += self._changes(found, told, loud)

    def _decide(self, fresh: Collection[Entry], changed: set[Slot]) -> dict[int, int]:
        """Recompute what depends on the changed slots; returns the truths that were there before, by order."""
        if self._is_much(fresh, changed):
            return self._decide_all()
        found: dict[int, int] = {}
        table, truths = self._table, self._truths
        for entry in set(fresh).union(*[slot.entries for slot in changed]):
            new, order = entry.compute(*entry.pick(table)), entry.order
            if entry.numeric:
                entry.value = new
            elif new != truths[order]:
                found[order] = truths[order]
                truths[order] = int(new)
        return found

    def _is_much(self, fresh: Collection[Entry], changed: set[Slot]) -> bool:
        """Whether computing everything is cheaper than finding out what to compute."""
        left = len(self._entries) // 2 + 16 - len(fresh)
        for slot in changed:
            left -= len(slot.entries)
            if left < 0:
                return True
        return left < 0

    def _decide_all(self) -> dict[int, int]:
        if self._groups is None:
            self._groups = Groups(entry for entry in self._entries.values() if not entry.numeric)
            self._numbers = [entry for entry in self._entries.values() if entry.numeric]
        for entry in self._numbers:
            entry.value = entry.compute(*entry.pick(self._table))
        return self._groups.decide(self._table, self._truths)

    def _changes(self, found: dict[int, int], told: set[int], loud: set[int]) -> list[Change]:
        keys, truths = self._keys, self._truths
        repeated = [order for order in loud if truths[order] == TRUE]
        orders = sorted({*found, *told, *repeated}) if told or repeated else sorted(found)
        return [
            Change(
                keys[order],
                _TRUTHS[truths[order]],
                _TRUTHS[found.get(order, truths[order])],
                order in loud,
            )
            for order in orders
        ]

    # ---------------------------------------------------------------------------------------- the wiring

    def _wire(self) -> None:
        """Give every new entry its places in the table."""
        super()._wire()
        for entry in self._unlinked:
            baseline = self._baseline and not entry.numeric
            slots = [self._slot((item, baseline, entry.since)) for item in entry.program.inputs]
            for slot in dict.fromkeys(slots):
                slot.entries[entry] = None
                slot.watchers += entry.every_sample
            entry.slots = tuple(slots)
            constants = [self._constant(value) for value in entry.program.constants]
            entry.indexes = (*(slot.index for slot in slots), *constants)
            entry.pick = picker(entry.indexes)
        self._fresh.update(self._unlinked)
        self._unlinked = {}
        self._tidy()

    def _constant(self, value: float | str) -> int:
        if value not in self._constants:
            self._constants[value] = self._place(value)
        return self._constants[value]

    def _unlink(self, entry: Entry) -> None:
        for slot in dict.fromkeys(entry.slots):
            del slot.entries[entry]
            slot.watchers -= entry.every_sample
            if not slot.entries:
                self._discard(slot)
        entry.slots, entry.pick, entry.value = (), None, NAN

    # -------------------------------------------------------------------------------------------- answers

    def truth(self, key: str) -> Truth:
        """Truth of a condition at the last evaluation; UNKNOWN when it was added or re-armed since.

        Raises KeyError for a key never added.
        """
        entry = self._entries[key]
        return Truth.UNKNOWN if entry.pick is None else _TRUTHS[self._truths[entry.order]]

    def value(self, key: str) -> float | None:
        """Value of a number at the last evaluation; None when unknown."""
        value = self._entries[key].value
        return None if math.isnan(value) else value

    def expression(self, key: str) -> Expr:
        """The tree behind a key."""
        return self._entries[key].expr

    def watched(self) -> Iterator[tuple[str, Expr, bool]]:
        """Key, tree and whether every sample is told, of all conditions and numbers."""
        for entry in self._entries.values():
            yield entry.key, entry.expr, entry.every_sample

    def inputs(self, key: str) -> tuple[Slot, ...]:
        """The slots behind a key, as last wired."""
        return self._entries[key].slots

    def captures(self, key: str) -> dict[str, str]:
        """What the named groups of its patterns took of the words and messages that match now."""
        taken: dict[str, str] = {}
        entry = self._entries[key]
        for slot in entry.slots:
            if isinstance(slot, Ear) and self._table[slot.index] == 1:
                taken |= slot.captured
        for slot in entry.slots:
            if isinstance(slot.over, Over) and self._table[slot.index] == 1:
                told_at = max((line.at for line in slot.lines), default=NEVER)
                taken |= self._named_captures(slot.over, told_at)
        for node in walk(entry.expr):
            if not isinstance(node, Matched):
                continue
            texts = [self._table[slot.index] for slot in entry.slots if slot.key[0] == Input(node.of)]
            for text in texts:
                taken |= (captures(text, node.pattern) or {}) if isinstance(text, str) else {}
        return taken

    def _named_captures(self, over: Over, told_at: float) -> dict[str, str]:
        """What the named groups of a pattern that a target declares took last, as told together with its count.

        What was told before that belongs to another line.
        """
        asked = of_pattern(over)
        if asked is None:
            return {}
        kind, matchers = asked
        select = Select(metric=f"{kind}.capture", matchers=matchers, unit=Unit.WORD)
        family = self._families.get(select.metric)
        lines = family.lines.values() if family else ()
        return {
            dict(line.series.labels)["name"]: line.value
            for line in lines
            if line.known and line.at >= told_at and isinstance(line.value, str) and matches(select, line.series)
        }

    @property
    def hears_own(self) -> bool:
        """Whether a condition waits for what the agent itself says."""
        return any(ear.hears_own for ear in self._ears)

    def inherit(self, old: "Evaluator") -> None:
        """Take over from the evaluator of a former configuration what took long to gather.

        That is what was heard on the bus, trends, seasons, and up to when samples do not count. To be called after the
        conditions were added, and before anything is observed.
        """
        for line in old._lines.values():  # noqa: SLF001 - of its own kind
            self._past.update({(line.series, key): study for key, study in line.studies.items()})
        for key, entry in self._entries.items():
            before = old._entries.get(key)  # noqa: SLF001 - as above
            if before is not None and before.expr == entry.expr:
                self.rearm(key, before.since)
        self._wire()
        ears = {ear.key: ear for ear in old._ears}  # noqa: SLF001 - as above
        for ear in self._ears:
            if ear.key in ears:
                ear.take_up(ears[ear.key])

    def argument(self, slot: Slot) -> float | str:
        """What the conditions were given for a slot at the last evaluation; NaN when unknown."""
        value: float | str = self._table[slot.index]
        return value

    def rearmed(self, key: str) -> float:
        """The second up to which samples do not count for this key; minus infinity when never re-armed."""
        return self._entries[key].since

    def evidence(self, key: str, now: float) -> tuple[Evidence, ...]:
        """The newest reading of each series the key rests on, and the newest event it heard, at most 16."""
        heard = [
            Evidence(series=unparse(slot.heard), value=slot.topic, age_us=max(0, round((now - slot.last) * 1e6)))
            for slot in self._entries[key].slots
            if isinstance(slot, Ear) and math.isfinite(slot.last)
        ]
        lines = dict.fromkeys(line for slot in self._entries[key].slots for line in slot.lines if line.count)
        seen = [
            Evidence(
                series=str(line.series),
                value=shown(line.value) if line.known else "unknown",
                age_us=max(0, round((now - line.at) * 1e6)),
            )
            for line in itertools.islice(lines, MAX_EVIDENCE)
        ]
        return (*heard, *seen)[:MAX_EVIDENCE]


def shown(value: float | str) -> str:
    """A value for people and for the log: six digits, never an exponent."""
    return value if isinstance(value, str) else decimal(float(f"{value:.6g}"))
