"""What an unquoted scalar means: the YAML 1.2 core schema, and an error wherever YAML 1.1 would read something else."""

import math
import re

from healer.yamldoc.node import Plain

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_OLD_BOOL = frozenset({"yes", "no", "on", "off"})
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+\Z")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt \t]+[0-9:.Zz+ \t-]*)?\Z")
# Everything that some YAML reader takes for a number and another one for text, or for another number.
_ODD_NUMBER = re.compile(
    r"[-+]?(?:0[0-9_]+|0[bB][01_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|[0-9][0-9_]*"
    r"|[0-9][0-9_]*\.[0-9_]*|\.[0-9_]+|(?:[0-9][0-9_]*)?\.?[0-9_]*[eE][-+]?[0-9]+)\Z"
)
_INFINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
MAX_DIGITS = 20


def old_bool(text: str) -> bool:
    """Whether YAML 1.1 reads a truth value where YAML 1.2 reads text."""
    return text.lower() in _OLD_BOOL


class AmbiguousScalar(ValueError):
    """Written without quotes, this means different things to different readers; ``hint`` says how to write it."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


def resolve(text: str) -> Plain:
    """The value of an unquoted scalar; raises AmbiguousScalar.

    Source: YAML 1.2.2 §10.3.2 (core schema), and YAML 1.1's type repository for what would differ.
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0].isalpha():
        # Most scalars: nothing that starts with a letter is a number or a date to anybody.
        if old_bool(text):
            hint = f'quote it: "{text}", or write true or false'
            raise AmbiguousScalar(f"{text!r} is true or false to some YAML readers and text to others", hint)
        return text
    if _INT.match(text) or _FLOAT.match(text):
        return _number(text)
    for pattern, meaning, hint in _SURPRISES:
        if pattern.match(text):
            raise AmbiguousScalar(f"{text[:40]!r} is {meaning}", hint.format(text=text[:40]))
    return text


def _number(text: str) -> int | float:
    if len(text) > MAX_DIGITS + 2 or sum(char.isdigit() for char in text) > MAX_DIGITS:
        raise AmbiguousScalar(
            f"a number of {len(text)} characters", f"at most {MAX_DIGITS} digits; quote it if it is text"
        )
    number = int(text) if _INT.match(text) else float(text)
    if not math.isfinite(number):
        raise AmbiguousScalar("not a finite number", "write a number")
    return number


_SURPRISES = (
    (_SEXAGESIMAL, "a number in base 60 to some YAML readers", 'quote it: "{text}"'),
    (_DATE, "a date to some YAML readers and text to others", 'quote it: "{text}"'),
    (_INFINITE, "not a finite number", "write a number, or quote it if it is text"),
    (_ODD_NUMBER, "a number to some YAML readers only", 'write it as a plain decimal number, or quote it: "{text}"'),
    (re.compile(r"[=!]\Z"), "a special value of YAML 1.1", 'quote it: "{text}"'),
)
