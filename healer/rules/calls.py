"""The functions of the language: one entry of `CALLS` each, which reads what stands between the brackets."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from healer import patterns, plugged
from healer.model.kinds.matching import MATCHED_IN, PATTERN_NAME
from healer.model.target import STATES
from healer.model.unit import Unit
from healer.rules import calendars, chosen, season
from healer.rules.combine import count, weighted
from healer.rules.syntax import (
    Age,
    Aggregate,
    Anomaly,
    Applied,
    Calendar,
    Compare,
    Expr,
    ExpressionError,
    Heard,
    Matched,
    Matcher,
    Number,
    Over,
    Select,
    Trend,
    Unary,
    is_number,
    is_word,
)
from healer.rules.tokens import Token, unquote
from healer.rules.trend import HISTORY
from healer.rules.units import as_word, check_limit, is_interval, near, own
from healer.yamldoc.shape import Mistake

if TYPE_CHECKING:
    from healer.rules.reader import Reader

MAX_WINDOW = 86400.0
"""Seconds; samples are kept in memory."""
MAX_AHEAD = 30 * 86400.0
"""Seconds a forecast may look ahead."""
MIN_HISTORY = 60.0
RECENT = 300.0
"""Seconds for which the message of an event counts, unless it is said."""
_PATTERN_NAME = re.compile(PATTERN_NAME)
_OF_ONE = (Over, Age, Trend, Anomaly)
Call = Callable[["Reader", Token], Expr]


def _abs(reader: "Reader", name: Token) -> Expr:
    inner = reader.number(reader.sum())
    if is_interval(inner):
        raise reader.error("a forecast is an interval, which has no abs", "compare both of its sides", name.at)
    return Unary(op="abs", of=inner)


def applied(reader: "Reader", name: Token) -> Expr:
    """A plug-in's function of numbers; one that says yes or no is a condition."""
    function = plugged.FUNCTIONS[name.text]
    items: list[Expr] = []
    for number in range(function.arguments):
        if number:
            reader.expect(",", f"{name.text} takes {function.arguments} numbers")
        item = reader.number(reader.sum())
        if is_interval(item):
            raise reader.error("a forecast is an interval, which no function takes", at=item.at)
        items.append(item)
    made = Applied(function=name.text, items=tuple(items), at=name.at)
    return Compare(op="==", left=made, right=Number(value=1.0, at=name.at), at=name.at) if function.decides else made


def _age(reader: "Reader", name: Token) -> Expr:
    return Age(of=_series(reader, name))


def _across(reader: "Reader", name: Token) -> Expr:
    inner = reader.sum()
    if not isinstance(inner, (Select, *_OF_ONE)) or not is_number(inner):
        raise reader.error(f"{name.text} takes the series of one numeric metric", f"{name.text}(disk.used)", inner.at)
    return Aggregate(function=name.text, of=inner)


def _over(reader: "Reader", name: Token) -> Expr:
    select = _series(reader, name)
    if is_word(select) and name.text not in ("changes", "count_over"):
        raise reader.error(f"{name.text} takes numbers, and {select.metric} is a word", at=select.at)
    reader.expect(",", f"{name.text} takes a window: {name.text}({select.metric}, 5m)")
    return Over(function=name.text, of=select, seconds=_duration(reader, "a window", 0.0, MAX_WINDOW))


def _series(reader: "Reader", name: Token) -> Select:
    at = reader.token.at
    inner = reader.primary()
    if not isinstance(inner, Select):
        raise reader.error(f"{name.text} takes a metric", f"for example {name.text}(http.latency)", at)
    return inner


def _numbers(reader: "Reader", name: Token) -> Select:
    select = _series(reader, name)
    if is_word(select):
        raise reader.error(f"{name.text} takes numbers, and {select.metric} is a word", at=select.at)
    return select


def _duration(reader: "Reader", what: str, least: float, most: float) -> float:
    """A time above 0, from ``least`` to ``most`` seconds."""
    token = reader.take()
    if token.kind != "number" or token.unit is not Unit.SECONDS:
        raise reader.error(f"expected {what}", "for example 5m", token.at)
    if not max(least, 1e-9) <= token.value <= most:
        floor = f"at least {_long(least)}" if least else "longer than 0"
        raise reader.error(f"{what} is {floor} and at most {_long(most)}", at=token.at)
    return token.value


def _long(seconds: float) -> str:
    for unit, many in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % many == 0:
            return f"{seconds / many:g}{unit}"
    return f"{seconds:g}s"


# ------------------------------------------------------------------------------------- what will be, what is usual


def _forecast(reader: "Reader", name: Token) -> Expr:
    select = _numbers(reader, name)
    reader.expect(",", f"how far ahead? {name.text}({select.metric}, 4h)")
    token = reader.token
    ahead = _duration(reader, "a time to look ahead", 0.0, MAX_AHEAD)
    given = Number(value=ahead, unit=Unit.SECONDS, text=token.text, at=token.at)
    return Trend(function="forecast", of=select, given=given, history=_history(reader))


def _eta(reader: "Reader", name: Token) -> Expr:
    select = _numbers(reader, name)
    reader.expect(",", f"until it crosses what? {name.text}({select.metric}, 95%)")
    minus, token = bool(reader.accept("-")), reader.take()
    if token.kind != "number":
        raise reader.error("expected the number it is to cross", f"{name.text}({select.metric}, 95%)", token.at)
    value = -token.value if minus else token.value
    given = Number(value=value, unit=token.unit, text=f"-{token.text}" if minus else token.text, at=token.at)
    check_limit(select, given)
    return Trend(function="eta", of=select, given=given, history=_history(reader))


def _history(reader: "Reader") -> float:
    return _duration(reader, "a history", MIN_HISTORY, MAX_WINDOW) if reader.accept(",") else HISTORY


def _anomaly(reader: "Reader", name: Token) -> Expr:
    select = _numbers(reader, name)
    given = bool(reader.accept(","))
    return Anomaly(
        of=select, season=_duration(reader, "a season", season.SHORTEST, season.LONGEST) if given else season.DAY
    )


# ------------------------------------------------------------------------------------------- events and patterns


def _occurred(reader: "Reader", name: Token) -> Expr:
    topic = _topic(reader, name)
    reader.expect(",", f'within which time? {name.text}("{topic}", 10m)')
    return Heard(topic=topic, seconds=_duration(reader, "a time", 0.0, MAX_WINDOW))


def _topic(reader: "Reader", name: Token) -> str:
    token = reader.take()
    if token.kind != "string":
        raise reader.error(f"{name.text} takes the topic of an event in quotes", '"unit.failed", "backup.*"', token.at)
    topic = unquote(token.text)
    if not topic or len(topic) > 200 or any(letter.isspace() for letter in topic):
        raise reader.error("this is no topic", "dotted words, * and ? match: backup.*", token.at)
    return topic


def _matched(reader: "Reader", name: Token) -> Expr:
    if reader.token.kind == "string":
        topic = _topic(reader, name)
        reader.expect(",", f'{name.text}("{topic}", "out of memory")')
        pattern = _pattern(reader, name)
        seconds = _duration(reader, "a time", 0.0, MAX_WINDOW) if reader.accept(",") else RECENT
        return Heard(topic=topic, seconds=seconds, pattern=pattern)
    if reader.token.kind == "thing" or (reader.token.kind == "name" and reader.token.text in MATCHED_IN):
        return _named(reader, name)
    select = as_word(_series(reader, name))
    if not isinstance(select, Select) or not is_word(select):
        raise reader.error(f"{name.text} takes a word, or the topic of an event in quotes", at=select.at)
    reader.expect(",", f'{name.text}({select.metric}, "out of memory")')
    return Matched(of=select, pattern=_pattern(reader, name))


def _named(reader: "Reader", name: Token) -> Expr:
    """A pattern that a log or a journal declares: short for ``grew(log.count{…}, 5m) == 1``."""
    token = reader.take()
    kind, _, thing = token.text.partition(":")
    example = f'{name.text}({kind}:NAME, "NAME"), or {name.text}({kind}{{target}}, "NAME")'
    if not thing and not reader.sees("{"):
        raise reader.error(f"which {kind}?", example, token.at)
    about = (Matcher(label="target", op="=", value=token.text),) if thing else reader.matchers()
    if any(one.label != "target" for one in about) or not about:
        raise reader.error(f"a {kind} is told by its target alone", example, token.at)
    reader.expect(",", example)
    at = reader.token.at
    pattern = _quoted(reader, name)
    if not _PATTERN_NAME.fullmatch(pattern):
        raise reader.error(f"{pattern[:60]!r} is no name of a pattern", f"one of the target's patterns: {example}", at)
    seconds = _duration(reader, "a time", 0.0, MAX_WINDOW) if reader.accept(",") else RECENT
    matchers = (*about, Matcher(label="pattern", op="=", value=pattern))
    count = Select(metric=f"{kind}.count", matchers=matchers, unit=Unit.COUNT, at=token.at)
    grew = Over(function="grew", of=count, seconds=seconds, at=name.at)
    return Compare(op="==", left=grew, right=Number(value=1.0, text="1"))


def _pattern(reader: "Reader", name: Token) -> str:
    token = reader.take()
    if token.kind != "string":
        raise reader.error(f"{name.text} takes a pattern in quotes", '"out of memory"', token.at)
    pattern = unquote(token.text)
    try:
        patterns.check(pattern)
    except patterns.PatternError as exc:
        raise reader.error(exc.message, exc.hint, token.at + 1 + exc.offset) from exc
    return pattern


# -------------------------------------------------------------------------------------------- states of targets


def _state(reader: "Reader", name: Token) -> Expr:
    metric = BARE[name.text]
    if reader.token.kind == "name" and reader.token.text == "target":
        reader.take()
        return own(metric, (Matcher(label="target", op="=", value=None),))
    return own(metric, (Matcher(label="target", op="=", value=_quoted(reader, name)),))


def _rule(reader: "Reader", name: Token) -> Expr:
    rule = Matcher(label="rule", op="=", value=_quoted(reader, name))
    target = _quoted(reader, name) if reader.accept(",") else None
    return own("rule.state", (rule, Matcher(label="target", op="=", value=target)))


def _quoted(reader: "Reader", name: Token) -> str:
    token = reader.take()
    if token.kind != "string":
        raise reader.error(f"{name.text} takes a text in quotes", f'{name.text}("…")', token.at)
    return unquote(token.text)


def _chosen(reader: "Reader", name: Token) -> Expr:
    at = reader.token.at
    word = _quoted(reader, name)
    if word not in STATES:
        raise reader.error(f"no target is ever {word!r}", near(word, STATES), at)
    criteria = dict(_pairs(reader, name, chosen.CRITERIA))
    try:
        return chosen.chosen(name.text.partition("_")[0], word, criteria)
    except ExpressionError as exc:
        raise reader.error(exc.message, exc.hint, name.at) from exc


def _pairs(reader: "Reader", name: Token, known: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """``, key="text"`` as often as it comes, each key once."""
    seen: set[str] = set()
    while reader.accept(","):
        yield _pair(reader, name, known, seen)


def _pair(reader: "Reader", name: Token, known: tuple[str, ...], seen: set[str]) -> tuple[str, str]:
    key = reader.take()
    if key.text not in known:
        raise reader.error(f"{name.text} knows no {key.text!r}", near(key.text, known), key.at)
    if key.text in seen:
        raise reader.error(f"{key.text} is given twice", at=key.at)
    seen.add(key.text)
    reader.expect("=", f'{key.text}="…"')
    return key.text, _quoted(reader, name)


def _calendar(reader: "Reader", name: Token) -> Expr:
    seen: set[str] = set()
    parts = [_pair(reader, name, calendars.PARTS, seen)]
    while reader.accept(","):
        parts.append(_pair(reader, name, calendars.PARTS, seen))
    try:
        return Calendar(parts=tuple(parts), window=calendars.window(dict(parts)))
    except Mistake as exc:
        raise reader.error(exc.what, exc.hint, name.at) from exc


# ------------------------------------------------------------------------------------------------------ counting


def _counted(reader: "Reader", name: Token) -> Expr:
    n = _plain(reader, name)
    items = []
    while reader.accept(","):
        items.append(reader.condition())
    return count(name.text, n, items)


def _weighted(reader: "Reader", name: Token) -> Expr:
    threshold = _plain(reader, name)
    items = []
    while reader.accept(","):
        item = reader.condition()
        reader.expect(",", "each condition is followed by its weight")
        items.append((_plain(reader, name), item))
    return weighted(threshold, items)


def _plain(reader: "Reader", name: Token) -> float:
    token = reader.take()
    if token.kind != "number" or token.unit is not None:
        raise reader.error(f"{name.text} takes a plain number here", at=token.at)
    return token.value


ACROSS = ("max", "min", "avg", "sum", "count", "p95")
OVER = ("avg_over", "max_over", "min_over", "sum_over", "count_over", "p95_over", "rate", "delta", "changes", "grew")
COUNTS = ("exactly", "at_least", "at_most")
BARE: Mapping[str, str] = {"state": "target.state", "flaps": "target.flaps"}
"""Names that stand for a metric, before braces as well as brackets."""
CALLS: Mapping[str, Call] = {
    **dict.fromkeys(ACROSS, _across),
    **dict.fromkeys(OVER, _over),
    **dict.fromkeys(COUNTS, _counted),
    "weighted": _weighted,
    "age": _age,
    "abs": _abs,
    "forecast": _forecast,
    "eta": _eta,
    "anomaly": _anomaly,
    "occurred": _occurred,
    "matched": _matched,
    "rule": _rule,
    "state": _state,
    "flaps": _state,
    "any_state": _chosen,
    "all_state": _chosen,
    "none_state": _chosen,
    "calendar": _calendar,
}
"""Name to what reads its arguments, up to the closing bracket."""
