"""A log followed: every line once, through rotation, cuts, copies, restarts and hostile files."""

import gzip
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healer.drivers.followed import LONGEST_LINE
from healer.drivers.tail import LINGER, MOST_FILES, Bounds, Step, Tail
from healer.errors import SensorError

MIB = 1 << 20


class Log:
    """A folder with a log in it, and what was read of it."""

    def __init__(self, folder: Path, name: str = "app.log", **keys: object) -> None:
        self.folder, self.path = folder, folder / name.replace("*", "app")
        self.time = 0.0
        self.lines: list[str] = []
        self.name, self.keys = name, keys
        self.tail = self.made()

    def made(self) -> Tail:
        return Tail(str(self.folder / self.name), now=lambda: self.time, **self.keys)

    def write(self, text: str) -> None:
        with self.path.open("a", newline="") as file:
            file.write(text)

    def read(self, *, most: int = 8 * MIB, backlog: int = 64 * MIB, enough=lambda: False) -> Step:
        return self.tail.read(
            lambda block: self.lines.extend(block.split("\n")), Bounds(most=most, backlog=backlog, enough=enough)
        )

    def restart(self) -> None:
        """Another run, which knows what the last one kept."""
        marks = self.tail.marks()
        self.tail.close()
        self.tail = self.made()
        self.tail.resume(marks)


@pytest.fixture
def log(tmp_path):
    made = Log(tmp_path)
    made.write("")
    made.read()
    yield made
    made.tail.close()


def test_what_was_there_before_the_first_reading_is_no_news(tmp_path):
    log = Log(tmp_path)
    log.write("old\nhalf of an o")
    step = log.read()
    log.write("ld line\nnew\n")
    log.read()
    log.tail.close()
    assert (step.files, step.lag) == (1, 0)
    assert log.lines == ["new"]


def test_a_file_that_comes_later_is_read_from_its_beginning(tmp_path):
    log = Log(tmp_path)
    assert log.read().files == 0
    log.write("first\n")
    assert log.read().files == 1
    log.tail.close()
    assert log.lines == ["first"]


def test_half_a_line_waits_for_its_end(log):
    log.write("one\ntw")
    log.read()
    assert log.lines == ["one"]
    log.write("o\n")
    log.read()
    assert log.lines == ["one", "two"]


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(log):
    log.write("one\n")
    log.read()
    log.write("two\n")
    log.path.rename(log.folder / "app.log.1")
    late = (log.folder / "app.log.1").open("a")
    log.write("three\n")
    step = log.read()
    late.write("late, by a writer who has not opened the new one yet\n")
    late.close()
    log.read()
    assert log.lines[:3] == ["one", "two", "three"]
    assert log.lines[3].startswith("late")
    assert (step.turned, step.gaps) == (1, 0)


def test_a_file_that_was_renamed_is_let_go_of_in_the_end_with_its_last_half_line(log):
    log.write("one\nhalf")
    log.read()
    log.path.rename(log.folder / "old")
    log.read()
    log.time += LINGER
    log.read()
    assert log.lines == ["one", "half"]
    assert log.tail.marks() == ()


def test_a_log_that_was_deleted_and_packed_away_is_read_to_its_end_all_the_same(log):
    log.write("one\n")
    log.read()
    log.write("two\n")
    with gzip.open(log.folder / "app.log.1.gz", "wb") as packed:
        packed.write(log.path.read_bytes())
    log.path.unlink()
    log.write("three\n")
    step = log.read()
    assert log.lines == ["one", "two", "three"]
    assert step.gaps == 0


def test_a_cut_file_begins_again_and_what_was_copied_away_is_read_too(log):
    log.write("x" * 40 + "\none\n")
    log.read()
    log.write("two\n")
    shutil.copy(log.path, log.folder / "app.log.1")
    os.truncate(log.path, 0)
    log.write("three\n")
    step = log.read()
    assert sorted(log.lines[1:]) == ["one", "three", "two"]
    assert (step.turned, step.gaps) == (1, 0)


def test_a_file_cut_and_grown_longer_than_it_was_is_known_by_what_is_in_it(log):
    log.write("one of the first kind\n" * 3)
    log.read()
    os.truncate(log.path, 0)
    log.write("one of the second kind\n" * 30)
    step = log.read()
    assert step.turned == 1
    assert log.lines[3:] == ["one of the second kind"] * 30


def test_a_rewritten_file_that_holds_the_same_is_no_news(log):
    log.write("a line that is long enough to be known again\n")
    log.read()
    shutil.copy(log.path, log.folder / "new")
    (log.folder / "new").replace(log.path)
    log.write("new\n")
    log.read()
    assert log.lines[1:] == ["new"]


def test_a_hole_left_by_a_writer_who_does_not_append_is_passed_over(log):
    with log.path.open("w") as writer:
        writer.write("one\n" * 10_000)
        writer.flush()
        log.read()
        os.truncate(log.path, 0)
        writer.write("two\n")
        writer.flush()
        log.read()
    assert set(log.lines) == {"one", "two"}
    assert log.lines.count("two") == 1


def test_a_restart_goes_on_where_it_was_and_counts_nothing_twice(log):
    log.write("one\ntwo\n")
    log.read()
    log.write("three\n")
    log.restart()
    log.read()
    assert log.lines == ["one", "two", "three"]


def test_what_was_renamed_while_nobody_looked_is_found_by_what_is_in_it(log):
    log.write("a line that is long enough to be known again\n")
    log.read()
    log.write("two\n")
    log.path.rename(log.folder / "app.log.1")
    log.write("three\n")
    log.restart()
    step = log.read()
    assert log.lines[1:] == ["two", "three"]
    assert step.gaps == 0


def test_what_was_packed_away_while_nobody_looked_is_a_gap_that_is_told(log):
    log.write("a line that is long enough to be known again\n")
    log.read()
    log.path.unlink()
    log.write("three\n")
    log.restart()
    assert log.read().gaps == 1
    assert log.lines[1:] == ["three"]


def test_a_file_begun_and_put_away_while_nobody_looked_is_a_gap_that_is_told(log):
    log.write("a line that is long enough to be known again\n")
    log.read()
    log.write("two\n")
    log.path.rename(log.folder / "app.log.2")
    (log.folder / "app.log.1").write_text("never seen\n")
    os.utime(log.folder / "app.log.2", (1, 1))
    (log.folder / "app.log.4").write_text("older than all\n")
    os.utime(log.folder / "app.log.4", (0, 0))
    log.write("three\n")
    log.restart()
    assert log.read().gaps == 1
    assert log.lines[1:] == ["two", "three"]


def test_of_too_many_files_that_lost_their_names_the_oldest_is_let_go_of_and_told(log):
    gaps = 0
    for number in range(12):
        log.write("x" * 99 + "\n" + "0123456789\n" * 10_000)
        gaps += log.read(most=0).gaps
        log.path.rename(log.folder / f"app.log.{number}")
    gaps += log.read(most=0).gaps
    assert len(log.tail.marks()) == 8
    assert gaps == 12 - 8


def test_a_new_file_on_a_used_inode_is_not_taken_for_the_old_one(log):
    log.write("a line that is long enough to be known again\n")
    log.read()
    marks = log.tail.marks()
    with log.path.open("w") as file:  # the same inode, as a file system gives it to the next file
        file.write("another line, which is at least as long as that one was\nnew\n")
    log.restart()
    log.tail.resume(marks)
    log.read()
    assert log.lines[-1] == "new"
    assert len(log.lines) == 3


def test_a_folder_that_is_not_mounted_yet_loses_no_position(log):
    log.write("a line that is long enough to be known again\n")
    log.read()
    log.restart()
    away = log.folder.with_name("away")
    log.folder.rename(away)
    assert log.read().files == 0
    away.rename(log.folder)
    log.write("new\n")
    assert log.read().gaps == 0
    assert log.lines[1:] == ["new"]


def test_a_line_without_end_is_cut_and_counted_in_constant_memory(log):
    import tracemalloc

    with log.path.open("r+b") as file:
        for _ in range(64):
            file.write(b"x" * MIB)
        file.write(b"\nshort\n")
    tracemalloc.start()
    step = log.read(most=128 * MIB, backlog=128 * MIB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(line) for line in log.lines] == [LONGEST_LINE, 5]
    assert step.cut == 1
    assert peak < MIB


def test_a_gigabyte_of_one_line_is_passed_in_bounded_steps(log):
    with log.path.open("r+b") as file:
        file.write(b"begin")
        file.truncate(1 << 30)
        file.seek(1 << 30)
        file.write(b"\nend\n")
    log.read(backlog=1 << 40)
    log.read(backlog=1 << 40)
    assert log.lines[-1] == "end"
    assert len(log.lines[0]) <= LONGEST_LINE


def test_octets_that_are_no_text_are_no_trouble(log):
    log.path.write_bytes(b"\xff\xfe\x00bad\x80\n" + bytes(range(256)) + b"\nfine\r\n")
    log.read()
    assert log.lines[-1] == "fine"
    assert log.lines[0] == "\ufffd\ufffdbad\ufffd"


def test_a_reading_costs_a_bounded_amount_and_says_what_is_left(log):
    log.write("0123456789\n" * 100_000)
    step = log.read(most=MIB // 4)
    assert len(log.lines) < 40_000
    assert step.lag > 700_000
    while log.read(most=MIB // 4).lag:
        pass
    assert len(log.lines) == 100_000
    assert not step.skipped


def test_a_reading_stops_when_its_time_is_up(log):
    log.write("0123456789\n" * 100_000)
    asked = iter([False, True])
    assert log.read(enough=lambda: next(asked)).lag > MIB - 2 * 65536


def test_of_too_large_a_backlog_only_the_end_is_read_and_the_rest_is_told(log):
    log.write("0123456789\n" * 100_000 + "last\n")
    step = log.read(backlog=MIB // 2)
    assert MIB // 2 < step.skipped < MIB
    assert not step.lag
    assert log.lines[-1] == "last"
    assert set(log.lines[:-1]) == {"0123456789"}


def test_a_pipe_a_folder_and_a_link_are_told_and_never_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    for name, why in (("pipe", "no regular file"), ("link", "symbolic link"), (".", "no regular file")):
        with pytest.raises(SensorError, match=why):
            Log(tmp_path, name).read()


def test_a_link_is_followed_where_that_is_asked_for(tmp_path):
    (tmp_path / "real.log").write_text("")
    (tmp_path / "app.log").symlink_to("real.log")
    log = Log(tmp_path, link=True)
    log.read()
    log.write("one\n")
    log.read()
    log.tail.close()
    assert log.lines == ["one"]


def test_a_file_that_may_not_be_read_is_unknown_and_not_missing(tmp_path, monkeypatch):
    log = Log(tmp_path)
    log.write("secret\n")
    real = os.open

    def denied(path, flags, *rest):
        if str(path).startswith("/proc/self/fd/"):
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(SensorError, match=r"cannot read .*app\.log: Permission denied"):
        log.read()


def test_what_could_not_be_read_at_first_is_no_news_once_it_can(tmp_path, monkeypatch):
    log = Log(tmp_path)
    log.write("old\n")
    real = os.open
    with monkeypatch.context() as patch:
        patch.setattr(
            os, "open", lambda path, flags, *rest: real(f"{path}/nowhere" if "fd/" in str(path) else path, flags)
        )
        with pytest.raises(SensorError):
            log.read()
    log.read()
    log.tail.close()
    assert log.lines == []


def test_many_files_by_one_pattern_each_line_once(tmp_path):
    log = Log(tmp_path, "*.log*")
    for name in ("a.log", "b.log", "b.log.2.gz", ".hidden.log"):
        (tmp_path / name).write_text("old\n")
    log.read()
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    (tmp_path / "a.log").write_text("new a\n")
    with (tmp_path / "b.log").open("a") as file:
        file.write("new b\n")
    step = log.read()
    log.tail.close()
    assert sorted(log.lines) == ["new a", "new b"]
    assert step.files == 3


def test_a_copy_that_the_pattern_means_too_is_no_news(tmp_path):
    log = Log(tmp_path, "*.log*")
    log.write("")
    log.read()
    log.write("a line that is long enough to be known again\n")
    log.read()
    log.write("two\n")
    shutil.copy(log.path, tmp_path / "app.log.1")
    os.truncate(log.path, 0)
    log.write("three\n")
    log.read()
    log.tail.close()
    assert sorted(log.lines[1:]) == ["three", "two"]


def test_of_too_many_files_those_written_last_are_followed(tmp_path):
    for number in range(MOST_FILES + 10):
        path = tmp_path / f"{number:03}.log"
        path.write_text("")
        os.utime(path, (number, number))
    log = Log(tmp_path, "*.log")
    assert log.read().files == MOST_FILES
    (tmp_path / "073.log").write_text("new\n")
    log.read()
    held = {mark.path for mark in log.tail.marks()}
    log.tail.close()
    assert log.lines == ["new"]
    assert str(tmp_path / "000.log") not in held


def test_a_file_that_comes_back_among_those_written_last_is_not_read_again(tmp_path):
    log = Log(tmp_path, "*.log")
    paths = [tmp_path / f"{number:03}.log" for number in range(MOST_FILES + 2)]
    for number, path in enumerate(paths):
        path.write_text(f"old {number}\n")
        os.utime(path, (number, number))
    log.read()
    for path in paths[:2]:
        with path.open("a") as file:
            file.write(f"new in {path.name}\n")
    log.restart()
    log.read()
    with paths[2].open("a") as file:
        file.write("half")
    log.read()
    with paths[2].open("a") as file:
        file.write(" and whole\n")
    log.read()
    (tmp_path / "005.log").unlink()
    log.read()
    log.tail.close()
    assert log.lines == ["new in 000.log", "new in 001.log", "half and whole"]


def test_a_folder_that_may_not_be_listed_is_unknown_and_not_empty(tmp_path, monkeypatch):
    def denied(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(SensorError, match=r"cannot list .*: Permission denied"):
        Log(tmp_path, "*.log").read()


@pytest.mark.parametrize("restarted", [False, True])
def test_a_disk_that_fails_is_unknown_and_reading_goes_on_where_it_was(log, monkeypatch, restarted):
    log.write("a line that is long enough to be known again\n")
    log.read()
    log.write("two\n")
    if restarted:
        log.restart()

    def fails(*_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", fails)
        for _ in range(2):
            with pytest.raises(SensorError, match="Input/output error"):
                log.read()
    log.write("three\n")
    assert log.read().gaps == 0
    assert log.lines[1:] == ["two", "three"]


OPERATIONS = st.lists(
    st.sampled_from(["write", "half", "end", "rename", "copy", "read", "restart", "later"]), min_size=1, max_size=25
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS, many=st.booleans())
def test_whatever_happens_to_a_log_every_line_is_read_once(tmp_path_factory, operations, many):
    log = Log(tmp_path_factory.mktemp("log"), "*.log*" if many else "app.log")
    log.write("")
    log.read()
    written, turned = [f"the first line, by which the file is known again {os.urandom(4).hex()}"], 0
    log.write(written[0] + "\n")
    half = False
    for number, operation in enumerate(operations):
        if operation == "write" or (operation == "end" and half):
            line = f"line {number} of a log that somebody writes"
            log.write(("" if half else line) + "\n")
            written += [] if half else [line]
            half = False
        elif operation == "half" and not half:
            written.append(f"half {number}, which is ended by and by")
            log.write(written[-1])
            half = True
        elif operation in ("rename", "copy") and not half:
            turned += 1
            log.read()
            if operation == "rename":
                log.path.rename(log.folder / f"app.log.{turned}")
            else:
                shutil.copy(log.path, log.folder / f"app.log.{turned}")
                os.truncate(log.path, 0)
            written.append(f"line {number}, the first of a new file, of which no other begins so")
            log.write(written[-1] + "\n")
        elif operation == "read":
            log.read()
        elif operation == "restart":
            log.restart()
        elif operation == "later":
            log.time += LINGER
    log.write("\n" if half else "")
    log.read()
    log.read()
    log.tail.close()
    assert sorted(log.lines) == sorted(written)
