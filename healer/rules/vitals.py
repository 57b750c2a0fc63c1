"""Whether the expression of a vital can be used: it must be a number, about no target."""

from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.expression import Expr, ExpressionError
from healer.rules.units import Vocabulary


def check_vital(text: str, *, vocabulary: Vocabulary = METRICS) -> Expr:
    """Parse the value of a vital; raises ExpressionError, which knows the offset."""
    parsed = expression.parse(text, vocabulary=vocabulary)
    if not expression.is_number(parsed):
        raise ExpressionError("a vital is a number, and this is not", hint="such as max(disk.used)", offset=parsed.at)
    if expression.mentions_target(parsed):
        raise ExpressionError("{target} means nothing in a vital", hint='name it: {target="http:front"}')
    return parsed
