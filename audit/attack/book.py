"""All families of attacks, in the order in which they are tried."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from audit.attack import octets, structure
from audit.attack.catalog import Attack, Family

FAMILIES: Final[tuple[Family, ...]] = (structure.FAMILY, octets.FAMILY)


def attacks(only: str = "*") -> Iterator[Attack]:
    """Yield the attacks whose name, or whose family's name, matches the pattern."""
    for family in FAMILIES:
        for one in family:
            if fnmatchcase(one.name, only) or fnmatchcase(one.family, only):
                yield one
