"""JSON with the place of every value: the standard library's reader forgets them."""

import json
import math
import re
from bisect import bisect_right

from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import Entry, Items, Node, Plain, Scalar, Table

_DEEPEST = 64
_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Plain] = {"true": True, "false": False, "null": None}
_LONGEST_NUMBER = 40


class _Broken(Exception):
    """It is no JSON from here on."""

    def __init__(self, at: int, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.at, self.what, self.hint = at, what, hint


def parse(text: str, name: str, problems: Problems) -> Node | None:
    """The value of a whole document; None, with the problem noted at its place, where it is not JSON (RFC 8259)."""
    reader = _Reader(text, name)
    try:
        return reader.document()
    except _Broken as exc:
        problems.add(reader.mark(exc.at), exc.what, exc.hint)
        return None


class _Reader:
    def __init__(self, text: str, name: str) -> None:
        self._text = text
        self._name = name
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def mark(self, at: int) -> Mark:
        line = bisect_right(self._starts, at)
        return Mark(file=self._name, line=line, column=at - self._starts[line - 1] + 1)

    def document(self) -> Node:
        node, at = self._value(self._skip(1 if self._text.startswith("\ufeff") else 0), 0)
        at = self._skip(at)
        if at < len(self._text):
            raise _Broken(at, "something stands behind the end of the document", "one JSON value per file")
        return node

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _value(self, at: int, depth: int) -> tuple[Node, int]:
        if depth > _DEEPEST:
            raise _Broken(at, f"nested deeper than {_DEEPEST}", "nothing that people write is")
        char = self._text[at : at + 1]
        if char == "{":
            return self._object(at, depth)
        if char == "[":
            return self._array(at, depth)
        if char == '"':
            value, end = self._string(at)
            return Scalar(mark=self.mark(at), value=value, text=value), end
        return self._plain(at)

    def _plain(self, at: int) -> tuple[Node, int]:
        for word, value in _WORDS.items():
            if self._text.startswith(word, at):
                return Scalar(mark=self.mark(at), value=value, text=word), at + len(word)
        found = _NUMBER.match(self._text, at)
        if not found:
            raise _Broken(at, *_odd(self._text, at))
        text = found.group()
        number = json.loads(text) if len(text) <= _LONGEST_NUMBER else math.inf
        if not math.isfinite(number):
            raise _Broken(at, "a number too large to be kept exactly", "write it as text")
        return Scalar(mark=self.mark(at), value=number, text=text), found.end()

    def _string(self, at: int) -> tuple[str, int]:
        found = _STRING.match(self._text, at)
        if not found:
            raise _Broken(
                at, "a text that is not closed, or holds a line break or a wrong escape", 'write \\n, \\" or \\\\'
            )
        return str(json.loads(found.group())), found.end()

    def _object(self, at: int, depth: int) -> tuple[Node, int]:
        entries: dict[str, Entry] = {}
        start, at = at, self._skip(at + 1)
        while not self._text.startswith("}", at):
            if entries:
                at = self._comma(at, "}")
            if not self._text.startswith('"', at):
                what, hint = _odd(self._text, at, "expected a key in quotes")
                raise _Broken(at, what, 'such as "name"; no comma before }' if "expected" in what else hint)
            key, end = self._string(at)
            if key in entries:
                raise _Broken(at, f"the key '{key[:60]}' is written twice", f"first at {entries[key].mark}")
            mark, at = self.mark(at), self._skip(end)
            if not self._text.startswith(":", at):
                raise _Broken(at, "expected ':' after the key", '"key": value')
            node, at = self._value(self._skip(at + 1), depth + 1)
            entries[key] = Entry(key=key, mark=mark, node=node)
            at = self._skip(at)
        return Table(mark=self.mark(start), entries=tuple(entries.values())), at + 1

    def _array(self, at: int, depth: int) -> tuple[Node, int]:
        items: list[Node] = []
        start, at = at, self._skip(at + 1)
        while not self._text.startswith("]", at):
            if items:
                at = self._comma(at, "]")
            node, at = self._value(at, depth + 1)
            items.append(node)
            at = self._skip(at)
        return Items(mark=self.mark(start), items=tuple(items)), at + 1

    def _comma(self, at: int, end: str) -> int:
        if not self._text.startswith(",", at):
            raise _Broken(at, *_odd(self._text, at, f"expected ',' or '{end}'"))
        return self._skip(at + 1)


def _odd(text: str, at: int, expected: str = "expected a value") -> tuple[str, str]:
    if at >= len(text):
        return "the file ends too early", "was it cut off while it was written?"
    if text.startswith(("//", "/*", "#"), at):
        return "a comment", "JSON has none"
    return f"{expected}, found {text[at]!r}", "text stands in double quotes; no comma behind the last item"
