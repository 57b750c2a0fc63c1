"""Shapes of single values: text, words, numbers, and quantities that must say their unit."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from healer.yamldoc.mark import Problems
from healer.yamldoc.node import BROKEN, Node, Scalar
from healer.yamldoc.shape import Bad, Mistake, Schema, Shape, suggestion

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h|d|w)")
BYTES = {
    "B": 1,
    "kB": 10**3,
    "KiB": 2**10,
    "MB": 10**6,
    "MiB": 2**20,
    "GB": 10**9,
    "GiB": 2**30,
    "TB": 10**12,
    "TiB": 2**40,
}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?(B|kB|KiB|MB|MiB|GB|GiB|TB|TiB)\Z")
_LETTER = re.compile(r"(\d{1,15}(?:\.\d{1,9})?) ?([kKmMgGtT])\Z")
_PERCENT = re.compile(r"(-?\d{1,9}(?:\.\d{1,9})?) ?%\Z")
NAME = r"[A-Za-z0-9_][A-Za-z0-9_.@:+-]{0,127}"
MAX_TEXT = 4096


class Text(Shape):
    """Text, quoted or not; a number or a bare true is not text."""

    says = "text"

    def __init__(
        self,
        *,
        pattern: str = "",
        called: str = "",
        longest: int = MAX_TEXT,
        empty: bool = False,
        parse: Callable[[str], Any] | None = None,
        hint: str = "",
    ) -> None:
        self._pattern = re.compile(pattern) if pattern else None
        self._hint = hint or f"it must match {pattern}"
        self._called = called or self.says
        self._longest = longest
        self._empty = empty
        self._parse = parse

    def read(self, node: Node, problems: Problems) -> Any:  # noqa: ANN401 - what ``parse`` makes of it
        """The text, or what ``parse`` (which may raise Mistake) makes of it."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            raise self.wrong(node, problems)
        if not node.value.strip() and not self._empty:
            problems.add(node.mark, f"expected {self._called}, found empty text", "write a value, or remove the key")
            raise Bad
        if len(node.value) > self._longest:
            problems.add(node.mark, f"a text of {len(node.value)} characters", f"at most {self._longest}")
            raise Bad
        if self._pattern and not self._pattern.fullmatch(node.value):
            problems.add(node.mark, f"'{node.value[:60]}' is not {self._called}", self._hint)
            raise Bad
        return parsed(node, self._parse, problems) if self._parse else node.value

    def expected(self) -> str:
        """What it is called."""
        return self._called

    def instead(self, text: str) -> str:
        """Quotes make text of anything."""
        return f'quote it: "{text}"'

    def advice(self, node: Node) -> str:
        """Quotes make text of anything."""
        if isinstance(node, Scalar) and isinstance(node.value, int | float):
            return f'quote it: "{node.text[:40]}"'
        return super().advice(node)

    def schema(self) -> Schema:
        """A string."""
        made: Schema = {"type": "string"}
        if not self._empty:
            made["minLength"] = 1
        if self._pattern:
            made["pattern"] = f"^(?:{self._pattern.pattern})$"
        return made


def parsed(node: Scalar, parse: Callable[[str], Any], problems: Problems) -> Any:  # noqa: ANN401 - see Shape
    """Run a parser over a scalar's text, turning its Mistake into a problem at the right character."""
    try:
        return parse(node.text)
    except Mistake as exc:
        problems.add(node.mark if exc.offset is None else node.at(exc.offset), exc.what, exc.hint)
        raise Bad from exc


class Word(Shape):
    """One of a few words."""

    def __init__(self, words: Iterable[str], *, means: Callable[[str], Any] | None = None) -> None:
        # A mapping is looked at again each time: a plug-in's words join it after this was made.
        self._words = words if isinstance(words, Mapping) else tuple(words)
        self._means = means

    @property
    def words(self) -> tuple[str, ...]:
        """The words."""
        return tuple(self._words)

    def read(self, node: Node, problems: Problems) -> Any:  # noqa: ANN401 - what ``means`` makes of it
        """The word, or what it means."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            raise self.wrong(node, problems)
        if node.value not in self.words:
            problems.add(node.mark, f"unknown word '{node.value[:60]}'", suggestion(node.value, self.words))
            raise Bad
        return self._means(node.value) if self._means else node.value

    def expected(self) -> str:
        """The words."""
        return f"one of {', '.join(self.words)}"

    def instead(self, text: str) -> str:
        """The words, or quotes where it is one of them."""
        return f'quote it: "{text}"' if text in self.words else f"one of: {', '.join(self.words)}"

    def schema(self) -> Schema:
        """An enumeration."""
        return {"enum": list(self.words)}


class Flag(Shape):
    """true or false."""

    says = "true or false"

    def read(self, node: Node, problems: Problems) -> bool:
        """The flag."""
        if isinstance(node, Scalar) and isinstance(node.value, bool):
            return node.value
        raise self.wrong(node, problems)

    def instead(self, text: str) -> str:
        """The same in YAML 1.2."""
        return "write true" if text.lower() in {"yes", "on"} else "write false"

    def schema(self) -> Schema:
        """A boolean."""
        return {"type": "boolean"}


class Number(Shape):
    """A plain number between two bounds, both allowed."""

    says = "a number"
    _type: ClassVar[str] = "number"

    def __init__(self, least: float = -1e15, most: float = 1e15) -> None:
        self._least = least
        self._most = most

    def read(self, node: Node, problems: Problems) -> float:
        """The number."""
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not self._fits(value):
            raise self.wrong(node, problems)
        return _between(node, float(value), self._least, self._most, problems)

    @staticmethod
    def _fits(value: float) -> bool:
        return math.isfinite(value)

    def advice(self, node: Node) -> str:
        """Say it without unit."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return "write a plain number, without unit or quotes"
        return super().advice(node)

    def schema(self) -> Schema:
        """A number with bounds."""
        return {"type": self._type, "minimum": self._least, "maximum": self._most}


class Count(Number):
    """A whole number."""

    says = "a whole number"
    example: ClassVar[str] = "3"
    _type = "integer"

    def __init__(self, least: int = 0, most: int = 10**9) -> None:
        super().__init__(least, most)

    def read(self, node: Node, problems: Problems) -> int:
        """The number."""
        return int(super().read(node, problems))

    @staticmethod
    def _fits(value: float) -> bool:
        return isinstance(value, int)


def _between(
    node: Node,
    value: float,
    least: float,
    most: float,
    problems: Problems,
    units: Mapping[str, float] = MappingProxyType({}),
) -> float:
    if not least <= value <= most:
        typed = node.text[:40] if isinstance(node, Scalar) and node.text else f"{value:g}"
        bounds = f"from {_with_units(least, units)} to {_with_units(most, units)}"
        problems.add(node.mark, f"{typed} is out of bounds", bounds)
        raise Bad
    return value


def _with_units(value: float, units: Mapping[str, float]) -> str:
    """A bound as a person writes it: in the largest unit that it is a whole number of."""
    for unit, size in sorted(units.items(), key=lambda pair: -pair[1]):
        count = value / size
        if value and abs(count - round(count)) < 1e-9 and count >= 1:
            return f"{round(count)}{unit}"
    return f"{value:g}" + next((unit for unit, size in units.items() if size == 1), "")


class _Quantity(Shape):
    """A number with its unit."""

    told: ClassVar[Mapping[str, float]] = MappingProxyType({})
    """The units in which bounds are told."""
    units: ClassVar[tuple[str, ...]] = ()
    """Those that are proposed for a number that has none."""
    example: ClassVar[str]
    pattern: ClassVar[str]

    def __init__(self, least: float = 0.0, most: float = 1e15) -> None:
        self._least = least
        self._most = most

    def read(self, node: Node, problems: Problems) -> float:
        """The quantity in its base unit."""
        if not isinstance(node, Scalar) or node.value is None or isinstance(node.value, bool) or node.value is BROKEN:
            raise self.wrong(node, problems)
        value = (
            self._bare(node.value, problems, node) if not isinstance(node.value, str) else self._text(node, problems)
        )
        return _between(node, value, self._least, self._most, problems, self.told)

    def _bare(self, value: object, problems: Problems, node: Scalar) -> float:
        problems.add(node.mark, f"{value} has no unit", self._with_unit(value))
        raise Bad

    def _with_unit(self, value: object) -> str:
        """The same number, as it would be right: whoever forgets a unit has one in mind."""
        return "write " + " or ".join(f"{value}{unit}" for unit in self.units)

    def _text(self, node: Scalar, problems: Problems) -> float:
        return float(parsed(node, self.parse, problems))

    @staticmethod
    def parse(text: str) -> float:
        """The quantity; raises Mistake."""
        raise Mistake(f"'{text}' has no unit")

    def expected(self) -> str:
        """By example."""
        return f"{self.says} such as {self.example}"

    def schema(self) -> Schema:
        """A string with a unit."""
        return {"type": "string", "pattern": self.pattern, "examples": [self.example]}


class Duration(_Quantity):
    """A length of time with its unit, in seconds after reading: ``30s``, ``1h30m``."""

    says = "a duration"
    told = MappingProxyType({unit: size for unit, size in SECONDS.items() if unit != "w"})
    units = ("s", "m", "h")
    example = "30s"
    pattern = r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$"

    def __init__(self, least: float = 0.0, most: float = 366 * 86400.0) -> None:
        super().__init__(least, most)

    @staticmethod
    def parse(text: str) -> float:
        """Seconds; raises Mistake at the first character that does not fit."""
        total, at = 0.0, 0
        while found := _DURATION.match(text, at):
            total += float(found[1]) * SECONDS[found[2]]
            at = found.end()
        if at < len(text) or not text:
            raise Mistake(f"'{text[:40]}' is not a duration", "units are ms, s, m, h, d, w: 30s, 5m, 1h30m", at)
        return total


class Size(_Quantity):
    """A number of bytes with its unit."""

    says = "a size"
    told = MappingProxyType({unit: size for unit, size in BYTES.items() if size == 1 or "i" in unit})
    units = ("KiB", "MiB", "GiB")
    example = "64MiB"
    pattern = r"^\d+(\.\d+)? ?(B|kB|KiB|MB|MiB|GB|GiB|TB|TiB)$"

    @staticmethod
    def parse(text: str) -> float:
        """Bytes; raises Mistake."""
        found = _SIZE.match(text)
        if not found:
            hint = "units are " + ", ".join(BYTES) + ": 64MiB, 1.5GB"
            if (short := _LETTER.match(text)) and (letter := short[2].upper()):
                hint = f"did you mean {short[1]}{'k' if letter == 'K' else letter}B or {short[1]}{letter}iB?"
            raise Mistake(f"'{text[:40]}' is not a size", hint)
        return float(int(float(found[1]) * BYTES[found[2]]))


class Ratio(_Quantity):
    """A share: ``80%``, or a number from 0 to 1."""

    says = "a ratio"
    example = "80%"
    pattern = r"^-?\d+(\.\d+)? ?%$"

    def __init__(self, least: float = 0.0, most: float = 1.0) -> None:
        super().__init__(least, most)

    def _bare(self, value: object, problems: Problems, node: Scalar) -> float:
        number = float(value) if isinstance(value, int | float) else math.nan
        if number > max(self._most, 1.0):
            problems.add(node.mark, f"{value} is not a ratio", f"did you mean {value}%?")
            raise Bad
        return number

    @staticmethod
    def parse(text: str) -> float:
        """The ratio; raises Mistake."""
        found = _PERCENT.match(text)
        if not found:
            raise Mistake(f"'{text[:40]}' is not a ratio", "write 80%, or a number from 0 to 1")
        return float(found[1]) / 100.0

    def schema(self) -> Schema:
        """A percentage or a number."""
        number = {"type": "number", "minimum": self._least, "maximum": self._most}
        return {"anyOf": [super().schema(), number]}


class Version(Shape):
    """The version of the language a document is written in."""

    says = "version: 1"

    def read(self, node: Node, problems: Problems) -> int:
        """1."""
        if not isinstance(node, Scalar) or isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self.wrong(node, problems)
        if node.value != 1:
            problems.add(node.mark, f"version {node.text} is not known here", "this agent reads version 1")
            raise Bad
        return 1

    def schema(self) -> Schema:
        """The constant."""
        return {"const": 1}
