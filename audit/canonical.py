"""Canonical JSON in the log's strict profile: one value has exactly one sequence of octets.

A subset of RFC 8785: UTF-8, no white space, keys sorted and of the form ``[a-z][a-z0-9_]*``, integers within
±(2^53-1), no floats, no duplicate keys, Unicode scalar values only, 16 levels deep, 65,535 octets long.
"""

import json
import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from audit.errors import Malformed

MAX_OCTETS: Final = 65_535
MAX_INTEGER: Final = 2**53 - 1
MAX_DEPTH: Final = 16
_KEY: Final = re.compile(r"[a-z][a-z0-9_]*")
_KEYS_REMEMBERED: Final = 4096
_ARRAYS: Final = (list, tuple)
_TOGETHER: Final = 64
"""So many values go through the encoder in one call: each call costs as much as encoding six values."""
_BETWEEN: Final = 1e-300
"""Stands between them; a number that no value may have, since floats lie outside the profile."""

_good_keys: set[object] = set()


def _plain_dumps(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _plain_loads(octets: bytes) -> object:
    # Decoded here: given bytes, json.loads would also guess UTF-16 and UTF-32.
    return json.loads(octets.decode("utf-8"))


def _one_by_one(values: Sequence[object]) -> list[bytes]:
    return [_dumps(value) for value in values]


try:
    import orjson
except ImportError:  # the auditor's copy runs on the standard library alone
    _dumps = _plain_dumps
    _loads = _plain_loads
    _dump_all = _one_by_one
else:
    _dumps = partial(orjson.dumps, option=orjson.OPT_SORT_KEYS)
    _SEAM: Final = b"," + _dumps(_BETWEEN) + b","

    def _dump_all(values: Sequence[object]) -> list[bytes]:
        encoded: list[bytes] = []
        for at in range(0, len(values), _TOGETHER):
            some = values[at : at + _TOGETHER]
            row: list[object] = [_BETWEEN] * (2 * len(some) - 1)
            row[::2] = some
            parts = _dumps(row)[1:-1].split(_SEAM)
            # A text may hold what looks like a seam: there are too many parts then, never as many as there should be.
            encoded += parts if len(parts) == len(some) else _one_by_one(some)
        return encoded

    def _loads(octets: bytes) -> object:
        loaded: object = orjson.loads(octets)
        return loaded


def encode(value: object) -> bytes:
    """Return the octets of ``value`` (dict, list, str, int, bool, None; nothing else, no subclasses).

    Raises ``Malformed`` for everything outside the profile.
    """
    check(value)
    return encode_checked(value)


def encode_checked(value: object) -> bytes:
    """Encode a value that has passed ``check``; only size and Unicode are still looked at."""
    return encode_all([value])[0]


def encode_all(values: Sequence[object]) -> list[bytes]:
    """Encode values that have passed ``check``, as many as there are at once."""
    try:
        encoded = _dump_all(values) if len(values) > 1 else _one_by_one(values)
    except (TypeError, ValueError) as exc:  # lone surrogates; each encoder says it with another class
        raise Malformed(f"cannot be written as canonical JSON: {exc}") from exc
    longest = max(map(len, encoded), default=0)
    if longest > MAX_OCTETS:
        raise Malformed(f"{longest} octets are more than the {MAX_OCTETS} one entry may have")
    return encoded


def decode(octets: bytes) -> dict[str, object]:
    """Read one canonical JSON object; raises ``Malformed`` unless encoding it again gives the same octets."""
    if len(octets) > MAX_OCTETS:
        raise Malformed(f"{len(octets)} octets are more than the {MAX_OCTETS} one entry may have")
    try:
        value = _loads(octets)
    except (ValueError, RecursionError) as exc:
        raise Malformed(f"not JSON: {type(exc).__name__}") from exc
    if type(value) is not dict:
        raise Malformed("not a JSON object")
    check(value)
    # Duplicate keys, white space, escapes and order all show as a difference here.
    if encode_checked(value) != octets:
        raise Malformed("not in canonical form")
    return value


def check(value: object, depth: int = 1) -> None:
    """Raise ``Malformed`` unless ``value`` lies within the profile; texts are left to the encoder."""
    if isinstance(value, dict) and type(value) is dict:
        if not _good_keys.issuperset(value):
            for key in value:
                if key not in _good_keys:
                    _admit(key)
        check_items(value.values(), depth)
    elif isinstance(value, list | tuple) and type(value) in _ARRAYS:
        check_items(value, depth)
    else:
        _check_scalar(value)


def check_items(items: Iterable[object], depth: int = 1) -> None:
    """Check each of the values of one object or array, which lies at ``depth``; raises ``Malformed``."""
    if depth > MAX_DEPTH:
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels")
    for item in items:
        kind = type(item)
        # This loop sees every value sealed, most of them texts and small numbers: no call for those.
        small = kind is int and 0 <= item <= MAX_INTEGER  # type: ignore[operator] # it is an int: kind says so
        if kind is not str and not small:
            check(item, depth + 1)


def _check_scalar(value: object) -> None:
    kind = type(value)
    if kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:  # type: ignore[operator] # it is an int: the line above
            raise Malformed("an integer beyond ±(2^53-1) must be written as a decimal string")
    elif kind is float:
        raise Malformed("floats have no single spelling: use integer micro-units or a decimal string")
    elif kind is not bool and kind is not str and value is not None:
        raise Malformed(f"{kind.__name__} is not a JSON type of this log")


def _admit(key: object) -> None:
    if type(key) is not str or not _KEY.fullmatch(key):
        raise Malformed(f"key {str(key)[:60]!r} is not of the form [a-z][a-z0-9_]*")
    if len(_good_keys) < _KEYS_REMEMBERED:
        _good_keys.add(key)
