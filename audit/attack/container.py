"""Lies of the SQLite file around the blocks: views, indexes, types, triggers, write-ahead files."""

from collections.abc import Callable, Sequence
from typing import Final

from audit import block
from audit.attack.case import DDL, LOOSE, Case
from audit.attack.catalog import Family, Power
from audit.reader import Row

FAMILY: Final = Family("container", "the SQLite file around the blocks", "unreadable")
_NOT_A_LOG: Final = "what is not a plain table of blocks is no log: nothing is proven by it"
_UNREAD: Final = "nothing but the octets of the blocks is read: whatever else is in the file says nothing"
_ORDER: Final = "rows that come in no order are damage to the file: nothing is proven by it"
_CUT: Final = "a beginning of a log is a log: only somebody who remembers a later head can tell"


@FAMILY.attack(Power.FILE, "nnnn", _NOT_A_LOG)
def _view_named_blocks(case: Case) -> None:
    """The table is hidden, and a view named blocks shows what the attacker likes."""
    case.edit("ALTER TABLE blocks RENAME TO hidden", "CREATE VIEW blocks AS SELECT * FROM hidden")


@FAMILY.attack(Power.FILE, "nnnn", _NOT_A_LOG)
def _endless_view(case: Case) -> None:
    """A view named blocks has rows without end."""
    rows = "SELECT 0 UNION ALL SELECT height + 1 FROM r"
    columns = "height, height AS first, 1 AS n, x'00' AS hdr, x'00' AS sig, x'' AS rsig, x'00' AS body"
    case.edit("DROP TABLE blocks", f"CREATE VIEW blocks AS WITH r(height) AS ({rows}) SELECT {columns} FROM r")  # noqa: S608 - constants
    case.bounded = True


@FAMILY.attack(Power.FILE, "nnnn", _NOT_A_LOG)
def _virtual_table_named_blocks(case: Case) -> None:
    """A virtual table named blocks, declared in the schema alone, answers what its module likes."""
    declared = "CREATE VIRTUAL TABLE blocks USING fts5(height, first, n, hdr, sig, rsig, body)"
    case.edit(
        "DROP TABLE blocks",
        "PRAGMA writable_schema = ON",
        f"INSERT INTO sqlite_schema VALUES ('table', 'blocks', 'blocks', 0, '{declared}')",  # noqa: S608 - constants
    )


@FAMILY.attack(Power.FILE, "nnnn", _NOT_A_LOG)
def _generated_header(case: Case) -> None:
    """The column of the headers is computed from another one, when it is asked for."""
    ddl = DDL.replace("hdr BLOB NOT NULL", "real BLOB NOT NULL").replace(
        ") STRICT", ", hdr BLOB GENERATED ALWAYS AS (real) VIRTUAL) STRICT"
    )
    case.write(case.rows, ddl=ddl)


@FAMILY.attack(Power.FILE, "nnnn", _NOT_A_LOG)
def _column_missing(case: Case) -> None:
    """The table has no column for the ratchet's signatures, as an older format might."""
    case.edit("ALTER TABLE blocks DROP COLUMN rsig")


@FAMILY.attack(Power.FILE, "nnuu", _UNREAD, control=True)
def _other_tables(case: Case) -> None:
    """Tables, triggers and an index are added, which say that all was well."""
    case.edit(
        "CREATE TABLE entries AS SELECT height, 'all was well' AS text FROM blocks",
        "CREATE INDEX quick ON blocks (first)",
        "CREATE TRIGGER lie AFTER INSERT ON blocks BEGIN DELETE FROM blocks; END",
        "PRAGMA user_version = 7",
    )


@FAMILY.attack(Power.FILE, "nnss", _CUT, codes="cut")
def _index_that_lies(case: Case) -> None:
    """An index still lists the blocks that were cut from the table, so that a query may find them there."""
    at = case.world.anchored
    columns = "height, first, n, hdr, sig, rsig, body"
    case.edit(
        f"CREATE UNIQUE INDEX liar ON blocks ({columns})",
        "CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'liar'",
        "PRAGMA writable_schema = ON",
        "DELETE FROM sqlite_schema WHERE name = 'liar'",
    )
    case.edit(f"DELETE FROM blocks WHERE height >= {at}")  # noqa: S608 - a number
    case.edit("PRAGMA writable_schema = ON", "INSERT INTO sqlite_schema SELECT * FROM kept")


@FAMILY.attack(Power.FILE, "nnss", _CUT, codes="cut")
def _cut_in_the_write_ahead_file(case: Case) -> None:
    """The file is whole, and a write-ahead file beside it cuts it."""
    case.behind_wal(f"DELETE FROM blocks WHERE height >= {case.world.anchored}")  # noqa: S608 - a number


def _retyped(change: Callable[[Row], Sequence[object]], ddl: str = LOOSE) -> Callable[[Case], None]:
    def make(case: Case) -> None:
        at = case.below
        case.write_any([change(row) if row.height == at else row for row in case.rows], ddl)

    return make


for _name, _what, _change in (
    ("header-as-text", "A header is stored as text", lambda row: (*row[:3], row.hdr.decode(), *row[4:])),
    ("body-as-text", "A body is stored as text", lambda row: (*row[:6], row.body.decode("latin-1"))),
    ("signature-null", "A signature is NULL", lambda row: (*row[:4], None, *row[5:])),
    ("height-as-real", "A height is a number with a fraction", lambda row: (row.height + 0.5, *row[1:])),
    ("count-as-text", "A number of entries is text", lambda row: (*row[:2], str(row.n), *row[3:])),
):
    FAMILY.add(_name, _what, Power.FILE, "ssss", _retyped(_change), codes="header")


@FAMILY.attack(Power.FILE, "nnss", _ORDER, codes="chain cut")
def _two_of_one_height(case: Case) -> None:
    """Two blocks have the same height, and a query may find either."""
    at = case.below
    rows = case.rows
    case.write_any([*rows, rows[at - 1]._replace(height=at)], LOOSE)


@FAMILY.attack(Power.FILE, "nnuu", "what tools think of the file is not sealed", control=True)
def _another_application(case: Case) -> None:
    """The file claims to be another application's."""
    case.edit(f"PRAGMA application_id = {block.APPLICATION_ID - 1}")
