"""Series written down for tests: ``'1+0x6 0x8 _ stale'``."""

import enum
import re
from collections.abc import Iterator

from healer.model.observation import Series
from healer.model.unit import Unit
from healer.rules import expression
from healer.rules.expression import ExpressionError
from healer.rules.syntax import Select
from healer.rules.units import Vocabulary, names_in
from healer.yamldoc.parsers import BYTES, SECONDS
from healer.yamldoc.shape import Mistake, suggestion

MAX_VALUES = 10_000
_SCALE = {"": 1.0, "%": 0.01, **SECONDS, **{unit: float(many) for unit, many in BYTES.items()}}
_UNITS = "|".join(sorted(map(re.escape, filter(None, _SCALE)), key=len, reverse=True))
_NUMBER = rf"(\d{{1,15}}(?:\.\d{{1,12}})?)({_UNITS})?"
_ITEM = re.compile(rf"(-?){_NUMBER}(?:([+-]){_NUMBER})?(?:x(\d{{1,5}}))?\Z")
_GAP = re.compile(r"_(?:x(\d{1,5}))?\Z")
_TEXT = re.compile(r'"([^"]*)"(?:x(\d{1,5}))?\Z|([A-Za-z][A-Za-z0-9_-]*)\Z')
_TOKEN = re.compile(r'"[^"]*"[^\s]*|[^\s"]+')


class Mark(enum.Enum):
    """What stands where a value could."""

    MISSING = "_"
    """No look at that time: nothing is heard."""
    STALE = "stale"
    """A look that could not see: the series is unknown."""


Value = float | str | Mark


def values(text: str, *, words: bool) -> tuple[Value, ...]:
    """The values of one line, one per interval; raises Mistake at the item that does not fit.

    ``3x4`` is 3 five times (once, and four more), ``1+2x3`` is 1 3 5 7, ``_`` is no value, ``_x3`` three of them,
    ``stale`` a look that could not see. Numbers may carry a unit (``95%``, ``64MiB``, ``2m``). For a metric that
    holds words: ``running`` or ``"running"x4``. The notation is promtool's, with units and words.
    """
    found: list[Value] = []
    for token in _TOKEN.finditer(text):
        if len(found) > MAX_VALUES:
            break
        try:
            found.extend(_words(token[0]) if words else _numbers(token[0]))
        except Mistake as exc:
            raise Mistake(exc.what, exc.hint, token.start()) from exc
    if not found:
        raise Mistake("no values", "such as '1x6 0x8 _ stale'")
    if len(found) > MAX_VALUES:
        raise Mistake(f"more than {MAX_VALUES} values", "use a longer interval")
    return tuple(found)


def _marks(token: str) -> list[Value] | None:
    if token == Mark.STALE.value:
        return [Mark.STALE]
    if gap := _GAP.match(token):
        return [Mark.MISSING] * int(gap[1] or 1)
    return None


def _numbers(token: str) -> list[Value]:
    if (marks := _marks(token)) is not None:
        return marks
    found = _ITEM.match(token)
    if not found:
        raise Mistake(f"'{token[:40]}' is not a value", "such as 1, 1x6, 1+2x3, 95%, _, _x3, stale")
    start = float(found[2]) * _SCALE[found[3] or ""] * (-1 if found[1] else 1)
    step = float(found[5] or 0) * _SCALE[found[6] or ""] * (-1 if found[4] == "-" else 1)
    return [start + step * number for number in range(int(found[7] or 0) + 1)]


def _words(token: str) -> list[Value]:
    if (marks := _marks(token)) is not None:
        return marks
    found = _TEXT.match(token)
    if not found:
        raise Mistake(f"'{token[:40]}' is not a word", 'such as running, "running"x4, _, stale')
    word = found[3] if found[1] is None else found[1]
    return [word] * (int(found[2] or 0) + 1)


def name(text: str, vocabulary: Vocabulary) -> tuple[Series, Unit]:
    """One series, ``metric{label="value"}``, and its unit; raises Mistake."""
    try:
        parsed = expression.parse(text, vocabulary=vocabulary)
    except ExpressionError as exc:
        raise Mistake(exc.message, exc.hint, exc.offset) from exc
    if not isinstance(parsed, Select):
        raise Mistake(f"'{text[:60]}' is not one series", 'such as http.ok{target="http:front"}')
    for matcher in parsed.matchers:
        if matcher.op != "=" or matcher.value is None:
            raise Mistake(f"label {matcher.label} has no value of its own", f'write {matcher.label}="..."')
    labels = {matcher.label: matcher.value or "" for matcher in parsed.matchers}
    for needed in _missing(parsed.metric, labels, vocabulary):
        raise Mistake(f"{parsed.metric} without its label {needed}", f'write {parsed.metric}{{{needed}="..."}}')
    return Series(parsed.metric, tuple(sorted(labels.items()))), parsed.unit


def _missing(metric: str, labels: dict[str, str], vocabulary: Vocabulary) -> Iterator[str]:
    return (label for label in names_in(vocabulary, metric, "labels") if label not in labels)


def check_words(found: tuple[Value, ...], series: Series, vocabulary: Vocabulary) -> None:
    """Raise Mistake for a word the metric never holds."""
    known = names_in(vocabulary, series.metric, "words")
    for word in found:
        if known and isinstance(word, str) and word not in known:
            raise Mistake(f"{series.metric} is never '{word[:40]}'", suggestion(word, known))
