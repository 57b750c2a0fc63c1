"""A log that grows is followed from proof to proof; what contradicts an earlier one is told at once."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit.ask import Ask
from audit.cli import lines
from audit.cli.follow import Follow
from audit.cli.main import make_parser
from audit.cli.select import Select
from audit.errors import AuditError
from audit.keys import SealingKey
from audit.memory import Memory
from audit.verifier import verify
from audit.writer import Writer


class Shelf:
    """A state folder whose agent starts, seals and stops as told."""

    def __init__(self, folder: Path, key: SealingKey, event) -> None:
        self.folder, self.key, self.event = folder, key, event
        self.seal(0, 1)

    def writer(self) -> Writer:
        return Writer.open(self.folder, node="n", reserve_bytes=0, inline=True)

    def seal(self, *numbers: int) -> None:
        with self.writer() as writer:
            for number in numbers:
                writer.append(self.event(number, mark=f"mark-{number}"))

    def edit(self, statement: str) -> None:
        with sqlite3.connect(self.folder / "audit.db") as connection:
            for trigger in ("blocks_no_update", "blocks_no_delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
            connection.execute(statement)
        connection.close()


@pytest.fixture
def shelf(tmp_path, key, event, monkeypatch) -> Shelf:
    monkeypatch.setattr(SealingKey, "generate", lambda bits=3072: key)
    return Shelf(tmp_path / "s", key, event)


@pytest.fixture
def follow(shelf, capsys) -> Callable[..., tuple[int, str, str]]:
    """Follow while things happen, one between each look and the next, then Ctrl-C."""

    def follow_it(*happen: Callable[[], object], filters: tuple[str, ...] = (), **more: object):
        args = make_parser("x").parse_args(["tail", str(shelf.folder), *filters])
        ask = Ask(log=shelf.folder, **more)
        report = verify(ask)
        left: Iterator[Callable[[], object]] = iter(happen)

        def pause(_: float) -> None:
            event = next(left, None)
            if event is None:
                raise KeyboardInterrupt
            event()

        capsys.readouterr()
        code = Follow(ask, report, Select(args), lines.Page.of(args)).run(pause)
        told = capsys.readouterr()
        return code, told.out, told.err

    return follow_it


def marks(out: str) -> list[str]:
    return [word for line in out.splitlines() for word in line.split('"') if word.startswith("mark-")]


def test_each_new_entry_is_printed_once_in_order(shelf, follow):
    code, out, err = follow(lambda: shelf.seal(2, 3), lambda: None, lambda: shelf.seal(4))
    assert (code, marks(out), err) == (0, ["mark-2", "mark-3", "mark-4"], "")


def test_filters_hold_for_what_comes(shelf, follow):
    assert marks(follow(lambda: shelf.seal(2, 3), filters=("--grep", "MARK-3"))[1]) == ["mark-3"]


def test_a_log_that_does_not_move_is_not_read_again(shelf, follow, monkeypatch):
    monkeypatch.setattr("audit.cli.follow.verify", None)
    assert follow(lambda: None, lambda: None)[:2] == (0, "")


def test_it_goes_on_while_an_agent_writes(shelf, follow):
    with shelf.writer() as writer:
        seal = [lambda n=n: writer.append(shelf.event(n, mark=f"mark-{n}")) for n in (2, 3)]
        code, out, _ = follow(*seal)
    assert (code, marks(out)) == (0, ["mark-2", "mark-3"])


def test_it_goes_on_after_a_crash_and_a_new_key(shelf, follow, other_key):
    def crash() -> None:
        again = shelf.folder.with_name("again")
        with shelf.writer() as writer:
            writer.append(shelf.event(2, mark="mark-2"))
            shutil.copytree(shelf.folder, again, ignore=shutil.ignore_patterns("audit.lock"))
        shutil.rmtree(shelf.folder)
        again.rename(shelf.folder)

    def rotate() -> None:
        with shelf.writer() as writer:
            writer.rotate(other_key, because="yearly")

    code, out, err = follow(crash, rotate, lambda: shelf.seal(3), min_level="L1")
    assert (code, marks(out), err) == (0, ["mark-2", "mark-3"], "")
    assert " rotate " in out


def test_it_goes_on_after_a_pruning(shelf, follow, tmp_path):
    def prune() -> None:
        with shelf.writer() as writer:
            shelf.edit("UPDATE blocks SET body = x'' WHERE height = 1")
            writer.append(shelf.event(2, mark="mark-2"))

    assert marks(follow(prune)[1]) == ["mark-2"]


@pytest.mark.parametrize(
    "lie",
    [
        "UPDATE blocks SET body = CAST(body || x'00' AS BLOB) WHERE height = (SELECT max(height) FROM blocks)",
        "UPDATE blocks SET sig = CAST(x'FFFFFF' || substr(sig, 4) AS BLOB) WHERE height = 2",
        "DELETE FROM blocks WHERE height >= 1",
        "DELETE FROM blocks",
    ],
)
def test_what_contradicts_is_told_at_once_and_not_shown(shelf, follow, lie):
    def forge() -> None:
        shelf.seal(2)
        shelf.edit(lie)

    def never() -> None:
        raise AssertionError("it went on")

    code, out, err = follow(forge, never)
    assert (code, out) == (1, "")
    assert err.startswith("TAMPERED: ")


def test_another_log_in_its_place_is_told(shelf, follow, tmp_path, key, event):
    def swap() -> None:
        Shelf(tmp_path / "other", key, event)
        shutil.rmtree(shelf.folder)
        (tmp_path / "other").rename(shelf.folder)

    code, out, err = follow(swap)
    assert (code, out) == (1, "")
    assert err.startswith("TAMPERED: ")


def test_a_log_that_is_gone_is_told_once_and_waited_for(shelf, follow):
    away = shelf.folder.with_name("away")

    def back() -> None:
        away.rename(shelf.folder)
        shelf.seal(2)

    code, out, err = follow(lambda: shelf.folder.rename(away), lambda: None, back)
    assert (code, marks(out)) == (0, ["mark-2"])
    assert err == f"cannot be read now: there is no log at {shelf.folder}\n"


def test_an_emptied_file_is_told(shelf, follow):
    code, _, err = follow(lambda: empty(shelf))
    assert code == 1
    assert "cut" in err


def empty(shelf: Shelf) -> None:
    (shelf.folder / "audit.db").write_bytes(b"")


def test_what_is_not_proven_is_said_once(shelf, follow):
    code, out, err = follow(lambda: shelf.seal(2), lambda: shelf.seal(3), min_level="L3")
    assert (code, marks(out)) == (2, ["mark-2", "mark-3"])
    assert err == "NOT PROVEN: L3 was asked for, L2 is proven\n"


def test_a_block_is_shown_once_its_signature_is_made(shelf, follow):
    newest = "WHERE height = (SELECT max(height) FROM blocks)"
    made: list[bytes] = []

    def due() -> None:
        shelf.seal(2, 3)
        with sqlite3.connect(shelf.folder / "audit.db") as connection:
            made[:] = connection.execute(f"SELECT sig FROM blocks {newest}").fetchone()
        connection.close()
        shelf.edit(f"UPDATE blocks SET sig = zeroblob(384) {newest}")

    def make() -> None:
        shelf.edit(f"UPDATE blocks SET sig = x'{made[0].hex()}' {newest}")

    code, out, err = follow(due, make)
    assert (code, marks(out), err) == (0, ["mark-2", "mark-3"], "")
    code, out, err = follow(due, lambda: None, lambda: None)
    assert (code, marks(out)) == (2, ["mark-2"])
    assert err == "NOT PROVEN: block 5: its signature has not been made yet\n"
    # What was shown already when following began is not shown twice.
    assert marks(follow(make, lambda: shelf.seal(6))[1]) == ["mark-6"]


def test_what_nobody_proved_from_the_start_is_not_remembered(shelf, follow, tmp_path):
    memory = Memory(tmp_path / "memory")
    (shelf.folder / "anchor").unlink()
    code, out, _ = follow(lambda: shelf.seal(2), memory=memory)
    assert (code, marks(out)) == (2, ["mark-2"])
    assert not memory.folder.exists()


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM blocks WHERE height = 2",
        "UPDATE blocks SET hdr = (SELECT hdr FROM blocks WHERE height = 1) WHERE height = 2",
        "UPDATE blocks SET hdr = CAST(hdr AS TEXT) WHERE height = 2",
    ],
)
def test_a_head_is_what_was_verified_not_what_lies_there_a_moment_later(shelf, follow, monkeypatch, change):
    def verify_then_change(*args: object, **more: object) -> object:
        report = verify(*args, **more)
        with sqlite3.connect(shelf.folder / "audit.db") as connection:
            connection.execute("CREATE TABLE copy AS SELECT * FROM blocks")
            connection.execute("DROP TABLE blocks")
            connection.execute("ALTER TABLE copy RENAME TO blocks")
            connection.execute(change)
        connection.close()
        return report

    monkeypatch.setattr("audit.cli.follow.verify", verify_then_change)
    with pytest.raises(AuditError, match="was replaced while it was read"):
        follow(lambda: shelf.seal(2))


def test_tail_f_ends_with_ctrl_c_from_a_shell(shelf, run, monkeypatch):
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Follow.run, "__defaults__", (interrupt,))
    code, out, err = run("tail", shelf.folder, "-f", "-n", "1", "--no-memory")
    assert (code, marks(out)) == (0, ["mark-1"])
    assert err.startswith("PROVEN")


def test_nothing_can_be_followed_where_there_is_nothing(run, tmp_path):
    code, _, err = run("tail", tmp_path, "-f", "--no-memory")
    assert (code, "nothing to follow" in err) == (2, True)
