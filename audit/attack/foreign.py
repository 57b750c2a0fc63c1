"""Blocks of another log, and another log altogether."""

from typing import Final

from audit.attack.case import Case
from audit.attack.catalog import Family, Power
from audit.attack.forge import Chain, Sealer

FAMILY: Final = Family("foreign", "blocks of another log in the place of this one's", "foreign rekeyed chain")
_ORIGIN: Final = "other.example/log"


def _other(case: Case, key: Sealer) -> Chain:
    """Return another host's log, as long as this one."""
    chain = Chain([], key)
    for _ in case.rows:
        chain.add(chain.entry(), header={"origin": _ORIGIN})
    return chain


@FAMILY.attack(Power.FILE, "nsss", "without a key and a name to expect, any log is as good")
def _another_log(case: Case) -> None:
    """The file is replaced by another host's log."""
    case.write(_other(case, case.world.own).rows)


@FAMILY.attack(
    Power.RSA, "nnss", "a key that seals two logs proves either: only an anchor, or --expect-origin, tells them apart"
)
def _another_log_of_the_same_key(case: Case) -> None:
    """The file is replaced by another log that the same key has sealed."""
    case.write(_other(case, case.first).rows)


@FAMILY.attack(Power.FILE, "ssss")
def _splice(case: Case) -> None:
    """A block of another host's log takes the place of one of this."""
    case.put(_other(case, case.world.own).rows[case.below])


@FAMILY.attack(Power.RSA, "ssss")
def _splice_of_the_same_key(case: Case) -> None:
    """A block of another log that the same key has sealed takes the place of one of this."""
    case.put(_other(case, case.thief).rows[case.below])


@FAMILY.attack(Power.FILE, "ssss")
def _tail_of_another_log(case: Case) -> None:
    """The end of another host's log follows the beginning of this one."""
    at = case.below
    case.write([*case.rows[:at], *_other(case, case.world.own).rows[at:]])


@FAMILY.attack(Power.RSA, "ssss")
def _origin_changed_on_the_way(case: Case) -> None:
    """The log goes on under another name, sealed with the stolen key."""
    chain = case.cut(case.above)
    chain.add(chain.entry(), origin=_ORIGIN)
    case.write(chain.rows)
