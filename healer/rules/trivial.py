"""Conditions that are decided before anyone looks: always true, or never."""

from healer.rules.cases import cases
from healer.rules.syntax import Expr


def verdict(expr: Expr) -> bool | None:
    """True or False where the condition can only ever be that (when it is known at all); None where it depends."""
    if not cases(expr):
        return False
    return True if not cases(expr, truth=False) else None
