"""Attacks on the sequence of blocks: cut, emptied, reordered, replaced by another log; no key is needed."""

from collections.abc import Callable
from typing import Final

from audit.attack.case import Case
from audit.attack.catalog import Family, Power
from audit.reader import Row

FAMILY: Final = Family("structure", "the sequence of blocks")
_CUT: Final = "a beginning of a log is a log: only somebody who remembers a later head can tell"
_SKIPS: Final = "nothing that this auditor remembers lies in what was cut"
_OWN: Final = "whoever believes a folder's own key and anchor believes its last writer; the report says independent: no"


@FAMILY.attack(Power.NOTHING, "nnuu", control=True)
def _no_attack(case: Case) -> None:
    """Nothing is changed: this must raise no alarm."""
    del case


@FAMILY.attack(Power.FILE, "nnss", _CUT, codes="cut")
def _cut_tail(case: Case) -> None:
    """The end is cut off, below the anchor."""
    case.write(case.rows[: case.world.anchored])


@FAMILY.attack(Power.FILE, "nnus", f"{_CUT}; {_SKIPS}", codes="cut")
def _cut_tail_above_the_anchor(case: Case) -> None:
    """The end is cut off, above the anchor."""
    case.write(case.rows[: case.above])


@FAMILY.attack(Power.FILE, "nnss", _CUT, codes="cut")
def _cut_all_but_the_first(case: Case) -> None:
    """All is cut off but the first block."""
    case.write(case.rows[:1])


@FAMILY.attack(Power.FILE, "uuss", _OWN, codes="cut")
def _older_snapshot(case: Case) -> None:
    """The whole state folder is replaced by its own older copy, with its anchor; auditors look at the folder."""
    rows = case.rows[: case.world.anchored]
    case.write(rows)
    case.settle(rows, case.world.pinned)


@FAMILY.attack(
    Power.FILE, "nnss", "nothing is not proof of anything; only an anchor says that there was more", codes="cut"
)
def _no_rows(case: Case) -> None:
    """Every block is deleted, the table stays."""
    case.write([])


@FAMILY.attack(
    Power.FILE, "nnss", "an empty file may be a log that has not begun; only an anchor says that it had", codes="cut"
)
def _no_octets(case: Case) -> None:
    """The file is emptied to no octets."""
    case.log.write_bytes(b"")


@FAMILY.attack(Power.FILE, "nnnn", "a file that is not there proves nothing, and is never proven", codes="unreadable")
def _no_file(case: Case) -> None:
    """The file is deleted."""
    case.log.unlink()


def _listed(change: Callable[[list[Row], int], None]) -> Callable[[Case], None]:
    def make(case: Case) -> None:
        rows = case.rows
        change(rows, case.below)
        case.write(rows)

    return make


def _swap(rows: list[Row], at: int) -> None:
    one, two = rows[at], rows[at + 1]
    rows[at], rows[at + 1] = two._replace(height=at), one._replace(height=at + 1)


def _close_gap(rows: list[Row], at: int) -> None:
    rows[at:] = [row._replace(height=row.height - 1) for row in rows[at + 1 :]]


def _repeat(rows: list[Row], at: int) -> None:
    rows.append(rows[at]._replace(height=len(rows)))


def _below_the_first(rows: list[Row], at: int) -> None:
    rows.append(rows[at]._replace(height=-1))


def _far_away(rows: list[Row], at: int) -> None:
    rows.append(rows[at]._replace(height=2**62))


for _name, _what, _change in (
    ("first-removed", "The first block is deleted", lambda rows, _: rows.pop(0)),
    ("first-half-removed", "All blocks up to the middle are deleted", lambda rows, at: rows.__delitem__(slice(at))),
    ("middle-removed", "A block in the middle is deleted", lambda rows, at: rows.pop(at)),
    ("middle-removed-renumbered", "A block is deleted, and the rest renumbered to close the gap", _close_gap),
    ("two-swapped", "Two blocks change places", _swap),
    ("block-repeated", "A block is repeated at the end", _repeat),
    ("block-below-the-first", "A block is added below the first", _below_the_first),
    ("block-far-away", "A block is added far beyond the end", _far_away),
):
    FAMILY.add(_name, _what, Power.FILE, "ssss", _listed(_change), codes="chain columns")


@FAMILY.attack(Power.FILE, "ssss", codes="body")
def _body_emptied(case: Case) -> None:
    """A body is emptied as if it had been pruned, and no prune block says so."""
    case.put(case.rows[case.below]._replace(body=b""))


@FAMILY.attack(
    Power.FILE,
    "nsss",
    "without the key, a log that claims no signatures differs in nothing that can be checked",
    codes="signature",
)
def _unsigned(case: Case) -> None:
    """Every signature is removed, as if the log had never been signed."""
    case.write(row._replace(sig=b"") for row in case.rows)


@FAMILY.attack(
    Power.FILE, "nnnn", "it says itself that it is not signed yet: never proven, and not a contradiction", codes="due"
)
def _signatures_wiped_from_the_end(case: Case) -> None:
    """The newest signatures become zeros, as if they were still to be made."""
    height = case.above
    case.write(row._replace(sig=bytes(len(row.sig))) if row.height >= height else row for row in case.rows)


@FAMILY.attack(Power.FILE, "nsss", "without the key nobody can check a signature", codes="due")
def _all_signatures_wiped(case: Case) -> None:
    """Every signature becomes zeros."""
    case.write(row._replace(sig=bytes(len(row.sig))) for row in case.rows)
