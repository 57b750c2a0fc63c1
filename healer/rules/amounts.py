"""How much to change a setting, as it is written in a step."""

from healer.errors import HealerError
from healer.model import change
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import Node, Scalar
from healer.yamldoc.shape import Bad, Schema, Shape


class Amount(Shape):
    """A change, kept as its text: a plain number reader would take the sign of ``+1`` away."""

    says = "an amount as 512MiB, 50% or 4; or a change as +20%, -1"

    def read(self, node: Node, problems: Problems) -> str:
        """The text, checked."""
        if not isinstance(node, Scalar) or isinstance(node.value, bool) or node.value is None:
            raise self.wrong(node, problems)
        try:
            change.parse(node.text)
        except HealerError as exc:
            problems.add(node.mark, exc.message, exc.hint)
            raise Bad from exc
        return node.text

    def schema(self) -> Schema:
        """Text, or a number."""
        return {"type": ["string", "number"]}
