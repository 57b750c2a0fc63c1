"""Text cut into the tokens of the expression language."""

import math
import re
from dataclasses import dataclass
from decimal import Decimal

from healer.model.unit import Unit
from healer.rules.syntax import ExpressionError

MAX_LENGTH = 4096
"""Characters of one expression."""

KEYWORDS = ("and", "or", "not", "xor", "matches", "contains")

SCALE: dict[str, tuple[Unit, float]] = {
    "%": (Unit.RATIO, 0.01),
    "ms": (Unit.SECONDS, 0.001),
    "s": (Unit.SECONDS, 1.0),
    "m": (Unit.SECONDS, 60.0),
    "h": (Unit.SECONDS, 3600.0),
    "d": (Unit.SECONDS, 86400.0),
    "B": (Unit.BYTES, 1.0),
    "kB": (Unit.BYTES, 1e3),
    "KiB": (Unit.BYTES, 1024.0),
    "MB": (Unit.BYTES, 1e6),
    "MiB": (Unit.BYTES, 1024.0**2),
    "GB": (Unit.BYTES, 1e9),
    "GiB": (Unit.BYTES, 1024.0**3),
    "TB": (Unit.BYTES, 1e12),
    "TiB": (Unit.BYTES, 1024.0**4),
}
"""Units that may follow a number, and what one of them is in base units."""

_LETTERS = ("k", "K", "M", "G", "T")

# One alternative per token, no repetition inside a repetition: time stays linear in the text.
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+)
  | (?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3}(?![A-Za-z0-9]))?)
  | (?P<thing>(?:log|journal):[A-Za-z0-9_][A-Za-z0-9_.@:+-]*)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)
  | (?P<string>"(?:[^"\\\n]|\\["\\])*"|'(?:[^'\\\n]|\\['\\])*')
  | (?P<op>==|!=|=~|<=|>=|[-+*/<>=(){},%])
    """,
    re.VERBOSE,
)
_UNIT = re.compile(r"%|[A-Za-z]+")
_PART = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_LABEL = re.compile(r"[{,] ?([A-Za-z_]{1,64})(=~|!=|=) ?([A-Za-z0-9_.-]*)\Z", re.ASCII)
_VALUE = re.compile(r"[^\s,{}]{1,100}")
_HINTS = {
    ":": 'what holds a colon stands in quotes: {target="http:front"}',
    "&": "write and",
    "|": "write or",
    "!": "write not, or != between two values",
    "^": "write xor",
    "'": "the quote is never closed (escapes: \\\\ and \\')",
    '"': 'the quote is never closed (escapes: \\\\ and \\")',
    "[": "lists are written in YAML, or as at_least(2, …)",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One token. ``kind`` is name, thing (``log:NAME``), number, string, op, keyword or end."""

    kind: str
    text: str
    at: int
    value: float = 0.0
    unit: Unit | None = None


def tokens(text: str) -> list[Token]:
    """Cut the text; raises ExpressionError at the first character that starts no token."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"longer than {MAX_LENGTH} characters", hint="split it into several rules", offset=MAX_LENGTH
        )
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ExpressionError(f"unexpected {text[at]!r}", hint=_hint(text, at), offset=at)
        kind = str(match.lastgroup)
        token = _number(text, match) if kind == "number" else _token(kind, match)
        at = token.at + len(token.text)
        if kind != "space":
            found.append(token)
    found.append(Token("end", "", len(text)))
    return found


def _hint(text: str, at: int) -> str:
    """What to write instead of a character that starts no token."""
    if text[at] in ":/" and (label := _LABEL.search(text, max(0, at - 100), at)):
        end = _VALUE.match(text, at)
        return f'quote the value: {{{label[1]}{label[2]}"{label[3]}{end[0] if end else ""}"}}'
    return _HINTS.get(text[at], "")


def _token(kind: str, match: re.Match[str]) -> Token:
    text = match.group()
    return Token("keyword" if kind == "name" and text in KEYWORDS else kind, text, match.start())


def _number(text: str, match: re.Match[str]) -> Token:
    start, at = match.span()
    value, unit = float(match.group()), None
    if suffix := _UNIT.match(text, at):
        unit, scale = _scale(suffix.group(), at)
        value, at = _scaled(match.group(), scale), suffix.end()
        while unit is Unit.SECONDS and (part := _PART.match(text, at)):
            value, at = _more(value, text, part)
    if not math.isfinite(value):
        raise ExpressionError("the number is too large", offset=start)
    return Token("number", text[start:at], start, value, unit)


def _scaled(text: str, scale: float) -> float:
    # In decimal, so that 99.9% is the float nearest to 0.999 and not 99.9 * 0.01.
    return float(Decimal(text) * Decimal(repr(scale)))


def _more(value: float, text: str, part: re.Match[str]) -> tuple[float, int]:
    """Add the next part of a duration such as ``1h30m``."""
    suffix = _UNIT.match(text, part.end())
    if suffix is None:
        raise ExpressionError("missing unit in a duration", hint="for example 1h30m", offset=part.start())
    unit, scale = _scale(suffix.group(), part.end())
    if unit is not Unit.SECONDS:
        raise ExpressionError("a duration has only ms, s, m, h and d", offset=part.end())
    return value + _scaled(part.group(), scale), suffix.end()


def _scale(suffix: str, at: int) -> tuple[Unit, float]:
    if suffix in SCALE:
        return SCALE[suffix]
    near = [known for known in SCALE if known.lower() == suffix.lower()]
    if suffix in _LETTERS:  # 600M is a size; m would be minutes
        near = [known for known in SCALE if known[0].upper() == suffix.upper() and known.endswith("B")]
    hint = f"did you mean {' or '.join(near)}?" if near else f"units are {' '.join(SCALE)}"
    raise ExpressionError(f"unknown unit {suffix!r}", hint=hint, offset=at)


def unquote(text: str) -> str:
    """The words inside a string token."""
    return re.sub(r"\\(.)", r"\1", text[1:-1])


class Cursor:
    """A place in a list of tokens."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._next = 0

    @property
    def token(self) -> Token:
        """The next token."""
        return self._tokens[self._next]

    @property
    def ahead(self) -> Token:
        """The token after the next."""
        return self._tokens[min(self._next + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Read one token; the end is never passed."""
        token = self.token
        self._next += token.kind != "end"
        return token

    def sees(self, *texts: str) -> bool:
        """Whether the next token is one of these operators or keywords."""
        return self.token.kind in ("op", "keyword") and self.token.text in texts

    def accept(self, *texts: str) -> Token | None:
        """Read it if it is next."""
        return self.take() if self.sees(*texts) else None

    def expect(self, text: str, hint: str = "") -> Token:
        """Read it, or raise ExpressionError."""
        if not self.sees(text):
            hint = hint or ("did you mean ==?" if self.sees("=") else "")
            raise self.error(f"expected {text!r}, found {self.found()}", hint)
        return self.take()

    def found(self) -> str:
        """The next token, for a message."""
        return repr(self.token.text) if self.token.text else "the end"

    def error(self, message: str, hint: str = "", at: int | None = None) -> ExpressionError:
        """An error here, or at ``at``."""
        return ExpressionError(message, hint=hint, offset=self.token.at if at is None else at)
