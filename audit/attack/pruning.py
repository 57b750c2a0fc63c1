"""Bodies that went, and archives that are not what was there."""

import sqlite3
from pathlib import Path
from typing import Final

from audit import block
from audit.attack.case import Case
from audit.attack.catalog import Family, Power, Skipped

FAMILY: Final = Family("pruning", "pruned bodies and archives", "pruned body")
_ORDERED: Final = (
    "whoever has every key may order a pruning; headers and signatures stay, and the report names the hole"
)


def _ordered(case: Case, first: int, last: int, drop: range, **more: object) -> None:
    """Add a prune block with every key, and empty bodies."""
    chain = case.future()
    data = {"from": first, "to": last, "entries": 1, "sha256": "0" * 64, "size": 1, "name": "none", **more}
    chain.add(chain.entry(kind="prune", because="a policy", data=data), why="prune")
    case.write(row._replace(body=b"") if row.height in drop else row for row in chain.rows)


@FAMILY.attack(Power.EVERY, "nnuu", _ORDERED)
def _prune_ordered(case: Case) -> None:
    """A pruning of the newest blocks is ordered with every key, with an archive that never was."""
    _ordered(case, case.below, case.below, range(case.below, case.below + 1))


@FAMILY.attack(Power.EVERY, "ssss")
def _prune_orders_less_than_went(case: Case) -> None:
    """A pruning of one block is ordered, and two are emptied."""
    _ordered(case, case.below, case.below, range(case.below - 1, case.below + 1))


@FAMILY.attack(Power.EVERY, "ssss")
def _prune_orders_itself(case: Case) -> None:
    """A pruning is ordered that covers its own block, and all that will come."""
    _ordered(case, case.below, 1 << 40, range(case.below, case.below + 1))


@FAMILY.attack(Power.EVERY, "ssss")
def _prune_order_in_words(case: Case) -> None:
    """A pruning is ordered whose heights are text."""
    _ordered(case, case.below, case.below, range(case.below, case.below + 1), **{"from": "0"})


@FAMILY.attack(Power.FILE, "ssss")
def _all_bodies_emptied(case: Case) -> None:
    """All bodies are emptied, as if everything had been pruned."""
    case.write(row._replace(body=b"") for row in case.rows)


@FAMILY.attack(Power.FILE, "ssss")
def _prune_order_emptied(case: Case) -> None:
    """The order to prune is emptied itself."""
    for row in case.rows:
        if block.parse_header(row.hdr).why == "prune":
            case.put(row._replace(body=b""))
            return
    raise Skipped("nothing was ever pruned from this log")


def _archive(case: Case) -> tuple[Path, int]:
    """Return a copy of an archive and the lowest height in it."""
    if not case.world.archives:
        raise Skipped("no archive is at hand")
    path = case.keep("archive", case.world.archives[0].read_bytes())
    path.chmod(0o600)
    case.archives = (path,)
    connection = sqlite3.connect(path)
    (lowest,) = connection.execute("SELECT min(height) FROM blocks").fetchone()
    connection.close()
    return path, lowest


def _edit(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, values)
    connection.close()


@FAMILY.attack(Power.FILE, "ssss")
def _archive_changed(case: Case) -> None:
    """A body in the archive is changed, which the log no longer has."""
    path, lowest = _archive(case)
    _edit(path, "UPDATE blocks SET body = x'000000017b' WHERE height = ?", lowest)


@FAMILY.attack(Power.FILE, "nnuu", "nothing was taken from it, and the report names the entries that were pruned")
def _archive_of_another_log(case: Case) -> None:
    """An archive is given whose headers are not the log's."""
    path, _ = _archive(case)
    _edit(path, "UPDATE blocks SET hdr = x'7b7d'")


@FAMILY.attack(Power.FILE, "nnnn", "what cannot be read joins nothing", codes="archive")
def _archive_damaged(case: Case) -> None:
    """An archive is given that is no archive."""
    case.archives = (case.keep("archive", b"junk" * 100),)
