"""Where each character of a scalar stands in the file, so that a mistake inside an expression has its own column."""

import re

import yaml

from healer.yamldoc.mark import Mark

_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)")


def offsets(text: str, event: yaml.ScalarEvent, mark: Mark) -> tuple[Mark, ...]:
    """One mark per character of the scalar; empty where folding makes that unknowable or not worth it."""
    start, end = event.start_mark, event.end_mark
    if start is None or end is None:
        return ()
    if event.style == "|":
        return _literal(text, event.value, mark)
    if start.line != end.line:
        return ()
    raw = text[start.index : end.index]
    if event.style == "'":
        columns = _columns(raw[1:-1], re.compile("''"))
    elif event.style == '"':
        columns = _columns(raw[1:-1], _ESCAPE)
    else:
        columns = list(range(-1, len(raw) - 1))
    if len(columns) < len(event.value):
        return ()
    place = mark.column + 1
    return tuple(Mark(file=mark.file, line=mark.line, column=place + at) for at in columns[: len(event.value)])


def _columns(inner: str, escape: re.Pattern[str]) -> list[int]:
    """The column of each character once escapes (several characters for one) are undone."""
    columns, at = [], 0
    while at < len(inner):
        columns.append(at)
        found = escape.match(inner, at)
        at = found.end() if found else at + 1
    return columns


def _literal(text: str, value: str, mark: Mark) -> tuple[Mark, ...]:
    """A ``|`` block keeps its lines: only the indentation is taken off."""
    lines = text.split("\n")[mark.line :]
    first = next((line for line in lines if line.strip()), "")
    indent = len(first) - len(first.lstrip(" "))
    marks = []
    for number, line in enumerate(value.split("\n"), start=mark.line + 1):
        marks += [Mark(file=mark.file, line=number, column=indent + at + 1) for at in range(len(line) + 1)]
    return tuple(marks[: len(value)])
