"""Values from outside, made fit for the sealed log, whose profile is stricter than JSON; nothing is dropped unsaid."""

import json
import re
from collections.abc import Mapping
from typing import Any

MOST_OCTETS = 60_000
"""Of one entry: the log takes 65,535, and adds a few of its own."""
DEEPEST = 12
_WORST = 6
"""Octets one character may become: a control character is written as ``\\u0001``."""
_SHORT = 400
_FEW = 40
_KEY = re.compile(r"[a-z][a-z0-9_]*")


def sealable(fields: Mapping[str, Any]) -> dict[str, Any]:
    """An entry's fields with every value such as the log takes it.

    Floats and large integers become decimal strings, lone surrogates a question mark, an object with keys the log
    does not allow ``{"pairs": [[key, value], ...]}``, and what is nested too deep its text. An entry that is still too
    long has its texts and lists cut, each with a word about it.
    """
    made = {name: _value(value, 1) for name, value in fields.items()}
    if _weight(made) * _WORST > MOST_OCTETS and _octets(made) > MOST_OCTETS:
        made = {name: _cut(value) for name, value in made.items()}
        if _octets(made) > MOST_OCTETS:
            made = {name: _emptied(value) for name, value in made.items()}
    return made


def _value(value: Any, depth: int) -> Any:  # noqa: ANN401 - JSON of any shape
    if isinstance(value, str):
        return str(value) if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return int(value)
    if depth < DEEPEST and isinstance(value, Mapping):
        return _object(value, depth)
    if depth < DEEPEST and isinstance(value, list | tuple):
        return [_value(inner, depth + 1) for inner in value]
    return _value(str(value), depth)


def _object(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    if all(isinstance(key, str) and _KEY.fullmatch(key) for key in value):
        return {str(key): _value(inner, depth + 1) for key, inner in value.items()}
    return {"pairs": [[_value(str(key), depth), _value(inner, depth + 3)] for key, inner in value.items()]}


def _weight(value: Any) -> int:  # noqa: ANN401 - JSON of any shape
    """About how many characters it takes, cheaply."""
    if isinstance(value, str):
        return len(value) + 4
    if isinstance(value, dict):
        return sum(len(key) + 4 + _weight(inner) for key, inner in value.items())
    if isinstance(value, list):
        return sum(_weight(inner) for inner in value) + 2
    return 20


def _octets(value: Any) -> int:  # noqa: ANN401 - JSON of any shape
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def _cut(value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    if isinstance(value, str) and len(value) > _SHORT:
        return f"{value[:_SHORT]} [... {len(value) - _SHORT} characters more]"
    if isinstance(value, list):
        more = [f"[... {len(value) - _FEW} items more]"] if len(value) > _FEW else []
        return [_cut(inner) for inner in value[:_FEW]] + more
    if isinstance(value, dict):
        return {key: _cut(inner) for key, inner in value.items()}
    return value


def _emptied(value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    if isinstance(value, dict):
        return {"omitted": f"{_octets(value)} octets"} if value else value
    return [] if isinstance(value, list) else value
