"""Every bit, row and file of a log with everything in it, changed: proven only where it means what it meant before.

A sample in the ordinary run; all of it with ``HEALER_TORTURE_STEP=1``.
"""

import itertools
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.reader import Log
from tests.audit import everything
from tests.audit.everything import Everything

STEP = int(os.environ.get("HEALER_TORTURE_STEP", "887"))
COLUMNS = ("hdr", "sig", "rsig", "body")
FILES = {
    "older note": "state/witnessed/000000000005.note",
    "newest note": "state/witnessed/000000000009.note",
    "token": "state/witnessed/000000000009.tsr",
    "checkpoint": "state/checkpoint",
    "own anchor": "state/anchor",
    "anchor": "outside/anchor",
    "policy": "outside/policy",
    "key": "outside/pinned.pub",
    "roots": "outside/tsa.pem",
}


@pytest.fixture(scope="module")
def original(tmp_path_factory, key, other_key, stamper) -> Everything:
    return everything.build(tmp_path_factory.mktemp("everything") / "w", key, other_key, stamper)


@pytest.fixture(scope="module")
def fork(tmp_path_factory, key, other_key, stamper) -> Everything:
    """The same log, as it went on otherwise: what a thief of every key would like to have been."""
    return everything.build(tmp_path_factory.mktemp("fork") / "w", key, other_key, stamper, tale=2)


@pytest.fixture(scope="module")
def neighbour(tmp_path_factory, key, other_key, stamper) -> Everything:
    """Another log of the same keys."""
    return everything.build(tmp_path_factory.mktemp("other") / "w", key, other_key, stamper, origin="everything/2")


@pytest.fixture
def world(original, tmp_path, monkeypatch) -> Everything:
    everything.remember_answers(monkeypatch)
    return original.copy(tmp_path / "w")


class Judge:
    """Holds each verdict against that on the honest log."""

    def __init__(self, world: Everything) -> None:
        self.world = world
        self.honest = {flat: self._facts(flat) for flat in (False, True)}
        self.may_lack_bodies = False
        """Whether it may be said instead that some bodies were pruned: an archive that cannot be read joins none."""
        self.count = self.tampered = self.harmless = 0
        assert self.honest[False]["exit"] == self.honest[True]["exit"] == 0, self.honest

    def _facts(self, flat: bool) -> dict[str, object]:
        return self.world.verify(flat=flat, deep=not flat).to_json()

    @staticmethod
    def _but_pruned(facts: dict[str, object]) -> dict[str, object]:
        """Leave out what says that bodies are not here."""
        said = [text for text in facts["not_proven"] if "were pruned" not in text]
        found = [one for one in facts["findings"] if one["code"] not in {"pruned", "deadline"}]
        without = ("pruned", "open_intents")  # with a body missing nobody knows which intents are open
        return {**facts, "not_proven": said, "findings": found, **dict.fromkeys(without)}

    def __call__(self, what: object, *, harmless: bool = False) -> None:
        """Fail where the log as it is now is proven to mean something else."""
        self.count += 1
        flat = self.count % 7 == 0
        now = self._facts(flat)
        if now["exit"] == 0:
            assert self._but_pruned(now) == self._but_pruned(self.honest[flat]), what
            assert now == self.honest[flat] or (now["pruned"] and self.may_lack_bodies), what
            assert harmless, what
            self.harmless += 1
        else:
            self.tampered += now["exit"] == 1

    def numbers(self, what: str) -> None:
        """Say what was looked at."""
        print(f"{what}: {self.count} changes, {self.tampered} tampered, {self.harmless} without a meaning")


@pytest.fixture
def judge(world) -> Judge:
    return Judge(world)


def editing(world: Everything) -> sqlite3.Connection:
    connection = sqlite3.connect(world.db, isolation_level=None)
    for trigger in ("blocks_no_update", "blocks_no_delete"):
        connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    connection.execute("PRAGMA journal_mode = DELETE").fetchall()
    connection.execute("PRAGMA synchronous = OFF").fetchall()
    return connection


def flips(octets: bytes, start: int = 0) -> Iterator[bytes]:
    """Yield the octets with one bit changed, for every ``STEP``-th bit."""
    for place in range((-start) % STEP, 8 * len(octets), STEP):
        changed = bytearray(octets)
        changed[place // 8] ^= 1 << place % 8
        yield bytes(changed)


def rows_of(world: Everything) -> list[tuple[object, ...]]:
    with Log.open(world.db) as log:
        return [tuple(row) for row in log.rows()]


def put(connection: sqlite3.Connection, rows: list[tuple[object, ...]]) -> None:
    connection.execute("BEGIN")
    connection.execute("DELETE FROM blocks")
    connection.executemany("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    connection.execute("COMMIT")


def test_the_honest_log_has_everything_in_it(world):
    report = world.verify()
    assert (report.exit_code, report.level, report.open) == (0, "L4", 1), report.text()
    reasons = [row[3].rpartition(b'"why":"')[2][:-2] for row in rows_of(world)]
    assert set(reasons) == {b"commit", b"heartbeat", b"restart", b"prune", b"rotate"}
    assert [row[0] for row in rows_of(world) if not row[6]] == [1, 2]
    assert sorted(path.name for path in (world.state / "witnessed").iterdir()) == [
        "000000000005.note", "000000000009.note", "000000000009.tsr",
    ]  # fmt: skip


@pytest.mark.parametrize("column", COLUMNS)
def test_no_bit_of_a_column_changes_unseen(world, judge, column):
    connection = editing(world)
    update = f"UPDATE blocks SET {column} = ? WHERE height = ?"
    start = 0
    for row in rows_of(world):
        octets = row[3 + COLUMNS.index(column)]
        for changed in flips(octets, start):
            connection.execute(update, (changed, row[0]))
            judge((row[0], column, changed))
        connection.execute(update, (octets, row[0]))
        start += 8 * len(octets)
    connection.close()
    judge.numbers(column)
    assert judge.count >= 3
    assert world.verify().exit_code == 0


@pytest.mark.parametrize("name", FILES)
def test_no_bit_of_a_file_that_proves_changes_what_is_proven(world, judge, name):
    path = world.place / FILES[name]
    octets = path.read_bytes()
    for changed in itertools.chain(flips(octets), cuts(octets), [octets + b"\n", octets + octets]):
        path.write_bytes(changed)
        judge((name, changed), harmless=True)
    path.unlink()
    judge((name, "missing"), harmless=True)
    judge.numbers(name)


def cuts(octets: bytes) -> Iterator[bytes]:
    for size in range(0, len(octets), max(1, STEP // 8)):
        yield octets[:size]


def test_no_bit_of_an_archive_changes_what_is_proven(world, judge):
    judge.may_lack_bodies = True
    octets = world.archive.read_bytes()
    for changed in itertools.chain(flips(octets), (octets[:size] for size in range(0, len(octets), 512))):
        world.archive.write_bytes(changed)
        judge(("archive", changed), harmless=True)
    judge.numbers("archive")
    assert judge.count > judge.harmless


Shape = tuple[object, list]
"""What was done, and the rows it left."""


def taken_apart(rows: list) -> Iterator[Shape]:
    """Yield what is left where something was taken away."""
    yield "emptied", []
    for at in range(len(rows)):
        yield ("dropped", at), rows[:at] + rows[at + 1 :]
        yield ("closed up", at), rows[:at] + [(row[0] - 1, *row[1:]) for row in rows[at + 1 :]]
        yield ("cut", at), rows[:at]
        yield ("without its beginning", at + 1), rows[at + 1 :]
        wiped = [("sig", bytes(len(rows[at][4]))), ("rsig", bytes(64)), *((name, b"") for name in COLUMNS)]
        for column, value in wiped:
            if rows[at][3 + COLUMNS.index(column)] != value:
                yield ("wiped", column, at), [*rows[:at], _with(rows[at], column, value), *rows[at + 1 :]]


def swapped(rows: list) -> Iterator[Shape]:
    """Yield every two blocks in each other's place, wholly or in one column."""
    for one, two in itertools.combinations(range(len(rows)), 2):
        changed = list(rows)
        changed[one], changed[two] = (rows[one][0], *rows[two][1:]), (rows[two][0], *rows[one][1:])
        yield ("swapped", one, two), changed
        for place, column in enumerate(COLUMNS, 3):
            if rows[one][place] != rows[two][place]:
                changed = list(rows)
                changed[one] = _with(rows[one], column, rows[two][place])
                changed[two] = _with(rows[two], column, rows[one][place])
                yield ("swapped", column, one, two), changed


def doubled(rows: list) -> Iterator[Shape]:
    """Yield every block a second time at every other place, over what is there or before it."""
    for one, two in itertools.product(range(len(rows)), range(len(rows) + 1)):
        if one != two:
            again = (two, *rows[one][1:])
            yield ("again", one, two), [*rows[:two], again, *rows[two + 1 :]]
            yield ("inserted", one, two), [*rows[:two], again, *((row[0] + 1, *row[1:]) for row in rows[two:])]


def spliced(rows: list, other: list) -> Iterator[Shape]:
    """Yield every block, beginning, end and column of another log in this one."""
    for at in range(len(rows)):
        for what, changed in (
            ("block", [*rows[:at], other[at], *rows[at + 1 :]]),
            ("tail", [*rows[:at], *other[at:]]),
            ("head", [*other[: at + 1], *rows[at + 1 :]]),
        ):
            if [row[3] for row in changed] != [row[3] for row in rows]:
                yield (what, at), changed
        for place, column in enumerate(COLUMNS, 3):
            # Two RSA signatures over the same octets are both good.
            same = column == "sig" and rows[at][3] == other[at][3]
            if rows[at][place] != other[at][place] and not same:
                yield (column, at), [*rows[:at], _with(rows[at], column, other[at][place]), *rows[at + 1 :]]


def _with(row: tuple, column: str, value: object) -> tuple:
    place = 3 + COLUMNS.index(column)
    return (*row[:place], value, *row[place + 1 :])


def test_no_row_is_dropped_moved_doubled_cut_or_spliced_unseen(world, judge, fork, neighbour):
    connection = editing(world)
    rows = rows_of(world)
    others = (spliced(rows, rows_of(other)) for other in (fork, neighbour))
    shapes = itertools.chain(taken_apart(rows), swapped(rows), doubled(rows), *others)
    for number, (what, changed) in enumerate(shapes):
        if STEP == 1 or number % 5 == 0:
            put(connection, changed)
            judge(what)
    put(connection, rows)
    assert world.verify().exit_code == 0
    connection.close()
    judge.numbers("rows")
    assert judge.count > 50


@pytest.mark.parametrize("value", [None, "text", 7, 2.5, -1, 2**63 - 1, "", b"", b"\0" * 100_000])
def test_no_value_of_another_type_passes(world, judge, value):
    """The columns' types are the file's own business: an attacker's table need not be a strict one."""
    connection = editing(world)
    rows = rows_of(world)
    connection.execute("DROP TABLE blocks")
    connection.execute("CREATE TABLE blocks (height, first, n, hdr, sig, rsig, body)")
    for at, place in itertools.product(range(len(rows)) if STEP == 1 else (0, 5, 8), range(7)):
        if rows[at][place] == value:
            continue
        put(connection, [*rows[:at], (*rows[at][:place], value, *rows[at][place + 1 :]), *rows[at + 1 :]])
        judge((at, place, value))
    connection.close()


@pytest.mark.parametrize("make", [Path.unlink, lambda path: path.write_bytes(b"")], ids=["missing", "of no octets"])
def test_a_log_that_is_gone_is_not_proven(world, make):
    make(world.db)
    assert world.verify().exit_code != 0


def test_a_fork_or_another_log_never_passes_for_this_one(world, fork, neighbour):
    for other in (fork, neighbour):
        assert world.verify(log=other.state, archives=(other.archive,)).exit_code == 1
        assert other.verify(anchors=(world.outside / "anchor",)).exit_code == 1
