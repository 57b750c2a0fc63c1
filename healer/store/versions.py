"""Releases in their order: 2.0.10 comes after 2.0.2, whatever their letters say."""

import re

from healer.errors import HealerError

_RELEASE = re.compile(r"v?(\d{1,6}(?:\.\d{1,6}){0,3})(?:[.-]?(?:dev|a|b|rc|post)\d*)?", re.ASCII)


def parsed(text: str) -> tuple[int, ...]:
    """A release as numbers to compare, ``2.0`` like ``2.0.0``; raises HealerError for what is none.

    What follows the numbers (``rc1``) makes no difference: tables do not change between a candidate and its release.
    """
    found = _RELEASE.fullmatch(text.strip())
    if found is None:
        raise HealerError(f"{text!r} is no version of healer", hint="such as 0.1.0")
    numbers = [int(part) for part in found[1].split(".")]
    while numbers[-1:] == [0]:
        numbers.pop()
    return tuple(numbers)
