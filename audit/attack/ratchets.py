"""The ratchet's signatures, without its secrets."""

from collections.abc import Callable
from typing import Final

from audit.attack.case import Case
from audit.attack.catalog import Family, Power
from audit.reader import Row

FAMILY: Final = Family("ratchet", "the ratchet's signatures", "ratchet")


def _replaced(change: Callable[[list[Row], int], bytes]) -> Callable[[Case], None]:
    def make(case: Case) -> None:
        rows, at = case.rows, case.below
        case.put(rows[at]._replace(rsig=change(rows, at)))

    return make


for _name, _what, _change in (
    ("ratchet-removed", "A ratchet signature is removed", lambda _rows, _at: b""),
    ("ratchet-zeros", "A ratchet signature is zeros", lambda _rows, _at: bytes(64)),
    ("ratchet-moved", "A ratchet signature is the next block's", lambda rows, at: rows[at + 1].rsig),
    ("ratchet-replayed", "A ratchet signature is the one of the block before", lambda rows, at: rows[at - 1].rsig),
    ("ratchet-too-long", "A ratchet signature has an octet too many", lambda rows, at: rows[at].rsig + b"\x00"),
):
    FAMILY.add(_name, _what, Power.FILE, "ssss", _replaced(_change))

_ORDER: Final = 2**252 + 27742317777372353535851937790883648493


@FAMILY.attack(Power.FILE, "ssss")
def _ratchet_plus_order(case: Case) -> None:
    """The order of the group is added to a ratchet signature: the same number to a careless verifier."""
    row = case.rows[case.below]
    number = int.from_bytes(row.rsig[32:], "little") + _ORDER
    case.put(row._replace(rsig=row.rsig[:32] + number.to_bytes(32, "little")))


@FAMILY.attack(Power.FILE, "ssss")
def _ratchet_on_the_first_block(case: Case) -> None:
    """The first block has a ratchet signature, though no block before it could announce one."""
    case.put(case.rows[0]._replace(rsig=bytes(64)))


@FAMILY.attack(Power.RSA, "ssss")
def _restart_with_a_ratchet_signature(case: Case) -> None:
    """A block says that the ratchet was lost, and is signed by it."""
    chain = case.cut(case.above)
    row = chain.add(chain.entry())
    case.write([*chain.rows[:-1], row._replace(rsig=case.rows[row.height].rsig)])


@FAMILY.attack(Power.EVERY, "ssss")
def _restart_where_nothing_was_lost(case: Case) -> None:
    """A block says that the ratchet was lost where there was none."""
    chain = case.future()
    chain.add(chain.entry(), next="")
    chain.add(chain.entry(), why="restart")
    case.write(chain.rows)


@FAMILY.attack(Power.EVERY, "ssss", codes="header")
def _ratchet_key_too_short(case: Case) -> None:
    """A block names a ratchet key of two octets, which no signature can fit."""
    chain = case.future()
    chain.add(chain.entry(), next="abcd")
    case.write(chain.rows)
