"""Conditions of one shape evaluated together, in one pass of generated code."""

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from healer.rules.evaluate import Entry

DecideAll = Callable[[Iterable[tuple[Any, ...]]], list[int]]
Pick = Callable[[Sequence[Any]], tuple[Any, ...]]


def picker(indexes: Sequence[int]) -> Pick:
    """A function that takes these places out of a table, always as a tuple (itemgetter of one is no tuple)."""
    if len(indexes) > 1:
        return itemgetter(*indexes)
    return lambda table: tuple(table[index] for index in indexes)


class Groups:
    """All conditions, sorted by shape: those that share one compiled function are one group."""

    def __init__(self, entries: Iterable["Entry"]) -> None:
        shapes: dict[Any, list[Entry]] = {}
        for entry in entries:
            shapes.setdefault(entry.program.decide_all, []).append(entry)
        self._orders = [entry.order for shape in shapes.values() for entry in shape]
        self._old = picker(self._orders)
        self._groups = [_group(shape) for shape in shapes.values()]

    def decide(self, table: Sequence[Any], truths: list[int]) -> dict[int, int]:
        """Bring the truths up to date; returns those that were there before, by order, where they changed."""
        new: list[int] = []
        for decide_all, columns, constants in self._groups:
            new += decide_all(zip(*[pick(table) for pick in columns], *constants, strict=False))
        old = self._old(truths)
        changed = [(order, was, now) for order, was, now in zip(self._orders, old, new, strict=True) if was != now]
        for order, _, now in changed:
            truths[order] = now
        return {order: was for order, was, _ in changed}


def _group(entries: Sequence["Entry"]) -> tuple[DecideAll, list[Pick], list[tuple[Any, ...]]]:
    program = entries[0].program
    columns = [picker([entry.indexes[at] for entry in entries]) for at in range(len(program.inputs))]
    # Constants never change: their columns are made once.
    constants = list(zip(*(entry.program.constants for entry in entries), strict=True))
    return program.decide_all, columns, constants
