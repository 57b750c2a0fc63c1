"""What a document may hold, declared as data: from one declaration come reading, JSON Schema and reference."""

import difflib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import BROKEN, Items, Node, Scalar, Table, kind
from healer.yamldoc.scalar import old_bool

Schema = dict[str, Any]


class Bad(Exception):
    """This part cannot be used; why is already among the problems."""


class Mistake(Exception):
    """What a parser of one scalar found wrong; ``offset`` is the character it is about."""

    def __init__(self, what: str, hint: str = "", offset: int | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.offset = offset


class Shape(ABC):
    """What one value may be."""

    says: ClassVar[str] = "a value"
    """For people: "expected ..."."""

    @abstractmethod
    def read(self, node: Node, problems: Problems) -> Any:  # noqa: ANN401 - each shape makes its own kind of value
        """The value of a node; raises Bad after noting every problem in it."""

    @abstractmethod
    def schema(self) -> Schema:
        """The same as JSON Schema (draft 2020-12)."""

    def expected(self) -> str:
        """What a person should write."""
        return self.says

    def wrong(self, node: Node, problems: Problems) -> Bad:
        """Note that something else was expected here."""
        if not (isinstance(node, Scalar) and node.value is BROKEN):
            problems.add(node.mark, f"expected {self.expected()}, found {kind(node)}", self.advice(node))
        elif old_bool(node.text):
            problems.amend(node.mark, self.instead(node.text))
        return Bad()

    def advice(self, node: Node) -> str:
        """How to turn what was found into what was expected."""
        if isinstance(node, Scalar) and node.value is None:
            return "write a value, or remove the key"
        return ""

    def listed(self, node: Scalar) -> str:
        """What was found, as the one item of a list."""
        return f"[{node.text[:40]}]"

    def instead(self, text: str) -> str:
        """What to write instead of a bare yes, no, on or off."""
        return f"expected {self.expected()}, not {text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One key of a record."""

    name: str
    shape: Shape
    doc: str
    required: bool = False
    default: Any = None
    """What it is when not written, as a value (not as YAML)."""
    shown: str = ""
    """The default as it would be written, for the reference."""


class Values(dict[str, Any]):
    """The values of a record, with their places: ``mark`` of the whole, ``marks`` of each key that was written."""

    def __init__(self, mark: Mark) -> None:
        super().__init__()
        self.mark = mark
        self.marks: dict[str, Mark] = {}

    def where(self, key: str) -> Mark:
        """The place of that key's value, or of the record."""
        return self.marks.get(key, self.mark)


Build = Callable[[Values, Problems], Any]


class Record(Shape):
    """A mapping with known keys."""

    says = "a mapping"

    def __init__(
        self, *fields: Field, name: str = "", build: Build | None = None, strays: Mapping[str, str] | None = None
    ) -> None:
        self.fields: Mapping[str, Field] = {field.name: field for field in fields}
        self.name = name
        self._build = build
        self._strays = strays or {}
        """Keys that people write here though they belong elsewhere, and where."""

    def read(self, node: Node, problems: Problems) -> Any:  # noqa: ANN401 - see Shape
        """The record as `Values`, or as what ``build`` makes of them."""
        if not isinstance(node, Table):
            raise self.wrong(node, problems)
        values, failed = Values(node.mark), False
        for entry in node.entries:
            field = self.fields.get(entry.key)
            if field is None:
                hint = self._strays.get(entry.key) or suggestion(entry.key, self.fields)
                problems.add(entry.mark, f"unknown key '{entry.key}'", hint)
                failed = True
                continue
            values.marks[entry.key] = entry.node.mark
            try:
                values[entry.key] = field.shape.read(entry.node, problems)
            except Bad:
                failed = True
        failed |= self._complete(values, problems)
        if failed:
            raise Bad
        return self._build(values, problems) if self._build else values

    def advice(self, node: Node) -> str:
        """The mapping that a lone value was probably meant to be: what is required, and one key more."""
        if not isinstance(node, Scalar) or node.value is None or not self.fields:
            return super().advice(node)
        first = [field for field in self.fields.values() if field.required]
        more = [field for field in self.fields.values() if not field.required]
        shown = (first + more[:1] if first else more[:2])[:4]
        lone = isinstance(node.value, str) and not hasattr(shown[0].shape, "example") and len(first) < 2
        parts = [f"{field.name}: {field.shown or getattr(field.shape, 'example', '...')}" for field in shown]
        if lone:
            parts[0] = f"{shown[0].name}: {json.dumps(node.text[:60], ensure_ascii=False)}"
        return f"write {{{', '.join(parts)}}}"

    def _complete(self, values: Values, problems: Problems) -> bool:
        """Add the defaults; True when something that is required is missing."""
        missing = False
        for field in self.fields.values():
            if field.name in values.marks:
                continue
            values[field.name] = field.default
            if field.required:
                problems.add(values.mark, f"'{field.name}' is missing", field.doc)
                missing = True
        return missing

    def schema(self) -> Schema:
        """An object without further properties."""
        made: Schema = {"title": self.name} if self.name else {}
        made |= {"type": "object", "additionalProperties": False, "properties": {}}
        for field in self.fields.values():
            made["properties"][field.name] = field.shape.schema() | {"description": field.doc}
        if required := [field.name for field in self.fields.values() if field.required]:
            made["required"] = required
        return made


class ListOf(Shape):
    """A list; ``alone`` lets a single value stand for a list of one."""

    says = "a list"

    def __init__(self, shape: Shape, *, least: int = 0, most: int = 10_000, alone: bool = False) -> None:
        self.shape = shape
        self._least = least
        self._most = most
        self._alone = alone

    def read(self, node: Node, problems: Problems) -> tuple[Any, ...]:
        """The values as a tuple."""
        if not isinstance(node, Items):
            if self._alone and not (isinstance(node, Scalar) and node.value is None):
                return (self.shape.read(node, problems),)
            raise self.wrong(node, problems)
        if len(node.items) < self._least:
            problems.add(node.mark, "an empty list", f"write at least {self._least}, or remove the key")
            raise Bad
        if len(node.items) > self._most:
            problems.add(node.mark, f"a list of {len(node.items)}", f"at most {self._most}")
            raise Bad
        return every(lambda item: self.shape.read(item, problems), node.items)

    def schema(self) -> Schema:
        """An array (or one of its items)."""
        made: Schema = {"type": "array", "items": self.shape.schema()}
        if self._least:
            made["minItems"] = self._least
        return {"anyOf": [made, self.shape.schema()]} if self._alone else made

    def advice(self, node: Node) -> str:
        """Brackets, or a dash, are what is usually missing."""
        if isinstance(node, Table):
            return "write - before its first key"
        if isinstance(node, Scalar) and node.value is not None:
            return f"write {self.shape.listed(node)}"
        return super().advice(node)


class MapOf(Shape):
    """A mapping whose keys are the author's own names."""

    says = "a mapping"

    def __init__(self, shape: Shape, *, keys: Iterable[str] = (), pattern: str = "", named: str = "name") -> None:
        self.shape = shape
        self._keys = tuple(keys)
        self._pattern = re.compile(pattern) if pattern else None
        self._named = named

    def read(self, node: Node, problems: Problems) -> dict[str, Any]:
        """The values by key, in the order written."""
        if not isinstance(node, Table):
            raise self.wrong(node, problems)
        made: dict[str, Any] = {}
        failed = False
        for entry in node.entries:
            if self._keys and entry.key not in self._keys:
                problems.add(entry.mark, f"unknown {self._named} '{entry.key}'", suggestion(entry.key, self._keys))
                failed = True
                continue
            if self._pattern and not self._pattern.fullmatch(entry.key):
                problems.add(
                    entry.mark, f"'{entry.key}' cannot be a {self._named}", f"it must match {self._pattern.pattern}"
                )
                failed = True
            try:
                made[entry.key] = self.shape.read(entry.node, problems)
            except Bad:
                failed = True
        if failed:
            raise Bad
        return made

    def schema(self) -> Schema:
        """An object with the known keys, or with any."""
        inner = self.shape.schema()
        if self._keys:
            return {"type": "object", "additionalProperties": False, "properties": dict.fromkeys(self._keys, inner)}
        return {"type": "object", "additionalProperties": inner}


class ByKind(Shape):
    """A mapping whose key ``kind`` says which record it is."""

    says = "a mapping with a kind"

    def __init__(self, kinds: Mapping[str, Record], *, hints: Mapping[str, str] | None = None) -> None:
        self.kinds = kinds
        self._hints = hints or {}

    def read(self, node: Node, problems: Problems) -> Any:  # noqa: ANN401 - see Shape
        """The record of that kind."""
        if not isinstance(node, Table):
            raise self.wrong(node, problems)
        entry = node.get("kind")
        if entry is None:
            problems.add(node.mark, "'kind' is missing", f"one of: {', '.join(self.kinds)}")
            raise Bad
        word = entry.node.value if isinstance(entry.node, Scalar) else None
        if not isinstance(word, str) or word not in self.kinds:
            if word is not BROKEN:
                hint = self._hints.get(str(word)) or suggestion(str(word), self.kinds)
                problems.add(entry.node.mark, f"unknown kind {kind(entry.node)}", hint)
            raise Bad
        return self.kinds[word].read(node, problems)

    def schema(self) -> Schema:
        """One of the kinds, told apart by ``kind``."""
        branches = []
        for word, record in self.kinds.items():
            made = record.schema()
            made["properties"]["kind"] = {"const": word}
            made["required"] = ["kind", *(name for name in made.get("required", ()) if name != "kind")]
            branches.append(made)
        return {"type": "object", "required": ["kind"], "oneOf": branches}


def every(read: Callable[[Node], Any], nodes: Iterable[Node]) -> tuple[Any, ...]:
    """Read each node; raises Bad at the end if any was, so that all their problems are noted."""
    made, failed = [], False
    for node in nodes:
        try:
            made.append(read(node))
        except Bad:
            failed = True
    if failed:
        raise Bad
    return tuple(made)


def suggestion(word: str, known: Iterable[str]) -> str:
    """A hint for a word that is not known: the nearest one, else the list."""
    names = list(known)
    if near := difflib.get_close_matches(word, names, n=1, cutoff=0.6):
        return f"did you mean '{near[0]}'?"
    return f"one of: {', '.join(names)}" if names else ""
