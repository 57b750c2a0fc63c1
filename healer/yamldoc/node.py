"""A document as nodes that know where they were written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from healer.yamldoc.mark import Mark


class _Broken:
    """The value of a scalar whose mistake was already reported: readers pass over it in silence."""

    def __repr__(self) -> str:
        return "BROKEN"


BROKEN: Final = _Broken()

Plain = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """Text, a number, true, false or nothing."""

    mark: Mark
    value: Plain | _Broken
    text: str
    """As written, after quotes and folding."""
    places: Callable[[], tuple[Mark, ...]] = field(default=tuple, repr=False, compare=False)
    """Where each character of ``text`` stands; empty where that is not known. Asked only when there is a mistake."""

    def at(self, offset: int) -> Mark:
        """The place of one character of ``text``; the scalar's own start where it is not known."""
        places = self.places()
        if not places:
            return self.mark
        if offset < len(places):
            return places[max(offset, 0)]
        last = places[-1]
        return Mark(file=last.file, line=last.line, column=last.column + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list."""

    mark: Mark
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key of a mapping and what it holds."""

    key: str
    mark: Mark
    """Of the key."""
    node: "Node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A mapping; keys are unique text, in the order written."""

    mark: Mark
    entries: tuple[Entry, ...]

    def get(self, key: str) -> Entry | None:
        """The entry of that key, if there is one."""
        return next((entry for entry in self.entries if entry.key == key), None)


Node = Scalar | Items | Table


def kind(node: Node) -> str:
    """What a person would call this node."""
    if isinstance(node, Table):
        return "a mapping"
    if isinstance(node, Items):
        return "a list"
    if node.value is None:
        return "nothing"
    if isinstance(node.value, bool):
        return node.text
    shown = node.text if len(node.text) <= 40 else node.text[:37] + "..."
    return f"the number {shown}" if isinstance(node.value, int | float) else f"'{shown}'"


def from_python(value: object, where: str, depth: int = 0) -> Node:
    """Make nodes of plain Python data (a configuration given as a mapping), each marked with its path.

    What YAML cannot hold becomes text that no parser takes, so that it is reported at its path like any other mistake.
    """
    mark = Mark(file=where)
    if depth > MAX_DEPTH:
        return Scalar(mark=mark, value=f"<nested deeper than {MAX_DEPTH}>", text="...")
    if isinstance(value, Mapping):
        entries = [
            Entry(key=str(key), mark=mark, node=from_python(held, f"{where}.{key}", depth + 1))
            for key, held in value.items()
        ]
        return Table(mark=mark, entries=tuple(entries))
    if isinstance(value, str | bool | int | float) or value is None:
        return Scalar(mark=mark, value=value, text="" if value is None else str(value))
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        items = [from_python(held, f"{where}[{index}]", depth + 1) for index, held in enumerate(value)]
        return Items(mark=mark, items=tuple(items))
    if hasattr(value, "__fspath__"):
        return Scalar(mark=mark, value=str(value), text=str(value))
    return Scalar(mark=mark, value=f"<{type(value).__name__}>", text=f"<{type(value).__name__}>")


MAX_DEPTH = 32
