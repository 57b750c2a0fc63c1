"""What a cure does to the signs of its target, and which conditions that makes true."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from healer.rules.cases import cases, holds
from healer.rules.rule import Rule
from healer.rules.spans import Span, Values, covers, narrowed
from healer.rules.syntax import Expr, Over, Select

_NONE, _ONE = Span(low=0.0, high=0.0), Span(low=1.0, high=1.0)
_GROWTH = frozenset({"delta", "rate", "changes", "max_over"})
"""Functions over time that show how far a count has grown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What is so right after a verb has done its work."""

    after: Mapping[str, Span] = field(default_factory=dict)
    """By metric of the target."""
    grows: frozenset[str] = frozenset()
    """Counts that have gone up by one."""


def effect(verb: str, kind: str) -> Effect | None:
    """The effect of a verb on a kind of target; None where nobody can tell."""
    runs = {f"{kind}.up": _ONE, f"{kind}.uptime": _NONE, f"{kind}.wanted": _ONE}
    match verb:
        case "restart":
            return Effect(after=runs, grows=frozenset({f"{kind}.restarts"}))
        case "start":
            return Effect(after=runs)
        case "stop":
            return Effect(after={f"{kind}.up": _NONE, f"{kind}.wanted": _NONE})
    return None


def makes_true(made: Effect, rule: Rule, target: str) -> str:
    """How the effect on a target brings a rule's condition about; empty where it does not.

    Either the condition is then certainly true, or each way in which it can be needs what the effect brings.
    """
    ways = cases(rule.when)
    touched = [(key, metric) for key, metric in _touched(rule.when, target) if metric in {*made.after, *made.grows}]
    after: dict[Expr, Values] = {
        key: made.after[metric] for key, metric in touched if isinstance(key, Select) and metric in made.after
    }
    if not ways or not touched or holds(rule.when, after) is False:
        return ""
    for key, metric in touched:
        if key in after and all(key in way and covers(way[key], narrowed(key, after[key])) for way in ways):
            return f"sets {metric} to {made.after[metric].low:g}"
        if metric in made.grows and all(key in way and _from_below(way[key]) for way in ways):
            return f"counts {metric} up"
    if after and holds(rule.when, after) is True:
        key, metric = next((key, metric) for key, metric in touched if key in after)
        return f"sets {metric} to {made.after[metric].low:g}"
    return ""


def _from_below(values: Values) -> bool:
    """Whether growing leads into these values, and never out of them."""
    return isinstance(values, Span) and values.low > 0 and values.high == float("inf")


def _touched(expr: Expr, target: str) -> Iterator[tuple[Expr, str]]:
    """What the condition compares of this target, with its metric."""
    for key in dict.fromkeys(key for way in cases(expr) for key in way):
        select = key.of if isinstance(key, Over) and key.function in _GROWTH else key
        if isinstance(select, Select) and any(
            one.label == "target" and one.op == "=" and one.value in {None, target} for one in select.matchers
        ):
            yield key, select.metric
