"""Shapes of data that is only passed on: what a bus event carries, what is sent as JSON."""

from typing import Any

from healer.yamldoc.mark import Problems
from healer.yamldoc.node import BROKEN, Items, Node, Plain, Scalar, Table
from healer.yamldoc.shape import Bad, Schema, Shape


def value(node: Node) -> Any:  # noqa: ANN401 - data of any form
    """Plain Python data of a node; raises Bad where a mistake in it was already noted."""
    if isinstance(node, Table):
        return {entry.key: value(entry.node) for entry in node.entries}
    if isinstance(node, Items):
        return [value(item) for item in node.items]
    if node.value is BROKEN:
        raise Bad
    held: Plain = node.value  # type: ignore[assignment]  # BROKEN was just ruled out
    return held


class Data(Shape):
    """Any mapping."""

    says = "a mapping"

    def read(self, node: Node, problems: Problems) -> dict[str, Any]:
        """The mapping as plain data."""
        if not isinstance(node, Table):
            raise self.wrong(node, problems)
        return dict(value(node))

    def schema(self) -> Schema:
        """Any object."""
        return {"type": "object"}


class Anything(Shape):
    """One scalar of any type."""

    says = "text, a number, true or false"

    def read(self, node: Node, problems: Problems) -> str | int | float | bool:
        """The scalar's value."""
        if isinstance(node, Scalar) and isinstance(node.value, str | int | float | bool):
            return node.value
        raise self.wrong(node, problems)

    def schema(self) -> Schema:
        """A scalar."""
        return {"type": ["string", "number", "boolean"]}
