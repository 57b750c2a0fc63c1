"""All families of attacks, in the order in which they are tried."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from audit.attack import (
    bundles,
    container,
    foreign,
    handover,
    hostile,
    octets,
    outsiders,
    pruning,
    ratchets,
    resealed,
    sealed,
    signatures,
    structure,
)
from audit.attack.catalog import Attack, Family

FAMILIES: Final[tuple[Family, ...]] = (
    structure.FAMILY,
    octets.FAMILY,
    foreign.FAMILY,
    resealed.FAMILY,
    signatures.FAMILY,
    signatures.KEYS,
    ratchets.FAMILY,
    handover.FAMILY,
    container.FAMILY,
    sealed.SPELLING,
    sealed.VERSIONS,
    sealed.CLOCKS,
    sealed.RULES,
    pruning.FAMILY,
    outsiders.WITNESSES,
    outsiders.STAMPS,
    outsiders.ANCHORS,
    bundles.FAMILY,
    hostile.FAMILY,
)


def attacks(only: str = "*") -> Iterator[Attack]:
    """Yield the attacks whose name, or whose family's name, matches the pattern."""
    for family in FAMILIES:
        for one in family:
            if fnmatchcase(one.name, only) or fnmatchcase(one.family, only):
                yield one
