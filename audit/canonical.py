"""Canonical JSON in the log's strict profile: one value has exactly one sequence of octets.

A subset of RFC 8785: UTF-8, no white space, keys sorted and of the form ``[a-z][a-z0-9_]*``, integers within
±(2^53-1), no floats, no duplicate keys, Unicode scalar values only, 16 levels deep, 65,535 octets long.
"""

import json
import re
from typing import Final

from audit.errors import Malformed

MAX_OCTETS: Final = 65_535
MAX_INTEGER: Final = 2**53 - 1
MAX_DEPTH: Final = 16
_KEY: Final = re.compile(r"[a-z][a-z0-9_]*")
_KEYS_REMEMBERED: Final = 4096

_good_keys: set[object] = set()


def _plain_dumps(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _plain_loads(octets: bytes) -> object:
    # Decoded here: given bytes, json.loads would also guess UTF-16 and UTF-32.
    return json.loads(octets.decode("utf-8"))


try:
    import orjson
except ImportError:  # the auditor's copy runs on the standard library alone
    _dumps = _plain_dumps
    _loads = _plain_loads
else:

    def _dumps(value: object) -> bytes:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)

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
    try:
        octets = _dumps(value)
    except (TypeError, ValueError) as exc:  # lone surrogates; each encoder says it with another class
        raise Malformed(f"cannot be written as canonical JSON: {exc}") from exc
    if len(octets) > MAX_OCTETS:
        raise Malformed(f"{len(octets)} octets are more than the {MAX_OCTETS} one entry may have")
    return octets


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
    """Raise ``Malformed`` unless ``value`` lies within the profile."""
    if depth > MAX_DEPTH:
        raise Malformed(f"nested deeper than {MAX_DEPTH} levels")
    kind = type(value)
    if kind is dict:
        assert isinstance(value, dict)  # noqa: S101 - tells the type checker what the line above proved
        for key, item in value.items():
            if key not in _good_keys:
                _admit(key)
            if type(item) is not str:
                _check_item(item, depth)
    elif kind is list or kind is tuple:
        assert isinstance(value, list | tuple)  # noqa: S101 - as above
        for item in value:
            if type(item) is not str:
                _check_item(item, depth)
    else:
        _check_item(value, depth)


def _check_item(item: object, depth: int) -> None:
    kind = type(item)
    if kind is int:
        if not -MAX_INTEGER <= item <= MAX_INTEGER:  # type: ignore[operator] # it is an int: the line above
            raise Malformed("an integer beyond ±(2^53-1) must be written as a decimal string")
    elif kind is dict or kind is list or kind is tuple:
        check(item, depth + 1)
    elif kind is float:
        raise Malformed("floats have no single spelling: use integer micro-units or a decimal string")
    elif kind is not bool and kind is not str and item is not None:
        raise Malformed(f"{kind.__name__} is not a JSON type of this log")


def _admit(key: object) -> None:
    if type(key) is not str or not _KEY.fullmatch(key):
        raise Malformed(f"key {str(key)[:60]!r} is not of the form [a-z][a-z0-9_]*")
    if len(_good_keys) < _KEYS_REMEMBERED:
        _good_keys.add(key)
