"""Reading JSON that may hold anything: what is asked for, or nothing."""

from collections.abc import Iterator
from typing import Any

from healer.yamldoc.node import Entry, Items, Node, Plain, Scalar, Table
from healer.yamldoc.plain import value


def entries(node: Node | None) -> tuple[Entry, ...]:
    """The keys of an object; none of anything else."""
    return node.entries if isinstance(node, Table) else ()


def items(node: Node | None) -> tuple[Node, ...]:
    """The members of an array; anything else is one member, nothing none."""
    if isinstance(node, Items):
        return node.items
    return () if node is None else (node,)


def get(node: Node | None, *keys: str) -> Node | None:
    """What the first of these keys holds that is there."""
    held = {entry.key: entry.node for entry in entries(node)}
    return next((held[key] for key in keys if key in held), None)


def plain(node: Node | None) -> Plain:
    """A scalar's value; None for anything else."""
    return node.value if isinstance(node, Scalar) and not _is_broken(node) else None  # type: ignore[return-value]  # JSON has no broken scalars


def text(node: Node | None) -> str:
    """A text; empty for anything else."""
    found = plain(node)
    return found if isinstance(found, str) else ""


def number(node: Node | None) -> float | None:
    """A number; None for anything else."""
    found = plain(node)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def data(node: Node | None) -> Any:  # noqa: ANN401 - data of any form
    """Plain Python data."""
    return None if node is None else value(node)


def objects(node: Node) -> Iterator[Table]:
    """Every object in a document, itself included."""
    queue: list[Node] = [node]
    while queue:
        one = queue.pop()
        if isinstance(one, Table):
            yield one
            queue += [entry.node for entry in one.entries]
        elif isinstance(one, Items):
            queue += one.items


def _is_broken(node: Scalar) -> bool:
    return not (node.value is None or isinstance(node.value, str | int | float | bool))
