"""Only what was declared is deleted, whatever others do to the folder in the meantime."""

import os
import stat
import sys
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healer.drivers import files, inuse
from healer.drivers.files import Clearing, Policy
from healer.errors import ActionError

NOW = 1_000_000_000.0


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


def put(path, *, age=1000.0, size=4096):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (NOW - age, NOW - age))
    return path


def clearing(path, *, until=None, keep_out=(), **policy):
    policy = Policy(**({"older": 100.0} | policy))
    until = time.monotonic() + 30 if until is None else until
    return Clearing(str(path), policy, wall=NOW, until=until, now=time.monotonic, keep_out=keep_out)


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_old_files_of_that_name_go_and_the_others_stay_with_a_reason(cache):
    put(cache / "a.tmp")
    put(cache / "deep" / "er" / "b.tmp", size=8192)
    put(cache / "young.tmp", age=5)
    put(cache / "c.dat")
    done = clearing(cache, pattern="*.tmp").clear()
    assert (done.files, done.size) == (2, 12288)
    assert names(cache) == ["c.dat", "young.tmp"]
    assert done.spared == {"too young": 1, "another name": 1}
    assert (cache / "deep" / "er").is_dir()


def test_a_survey_touches_nothing_and_says_what_would_go(cache):
    put(cache / "a")
    survey = clearing(cache).survey()
    assert [file.name for file in survey.chosen] == ["a"]
    assert survey.size == 4096
    assert names(cache) == ["a"]


def test_the_oldest_go_until_what_is_kept_is_small_enough(cache):
    for age in (500, 400, 300, 200):
        put(cache / f"{age}", age=age)
    assert clearing(cache, keep=9000).clear().files == 2
    assert names(cache) == ["200", "300"]


def test_one_run_is_bounded_by_files_and_by_bytes(cache):
    for age in range(200, 210):
        put(cache / f"{age}", age=age)
    assert clearing(cache, most_files=3).clear().files == 3
    done = clearing(cache, most_bytes=8192).clear()
    assert (done.files, done.spared) == (2, {"over the bound of one run": 5})


def test_open_files_and_hard_links_stay_for_deleting_them_frees_nothing(cache, tmp_path):
    put(cache / "open")
    os.link(put(cache / "linked"), tmp_path / "elsewhere")
    with (cache / "open").open("rb"):
        done = clearing(cache).clear()
    assert done.files == 0
    assert done.spared == {"open": 1, "has other names (hard links)": 1}


def test_links_sockets_and_pipes_are_neither_followed_nor_touched(cache, tmp_path):
    victim = put(tmp_path / "outside" / "victim")
    (cache / "folder").symlink_to(victim.parent)
    (cache / "file").symlink_to(victim)
    os.mkfifo(cache / "pipe")
    os.mknod(cache / "sock", 0o600 | stat.S_IFSOCK)
    done = clearing(cache).clear()
    assert (done.files, done.spared) == (0, {"no regular file": 4})
    assert victim.exists()
    assert len(list(cache.iterdir())) == 4


def test_a_link_anywhere_in_the_declared_path_is_refused(cache, tmp_path):
    put(cache / "a")
    (tmp_path / "link").symlink_to(cache)
    with pytest.raises(ActionError, match="without links"):
        clearing(tmp_path / "link").clear()
    (tmp_path / "up").symlink_to(tmp_path)
    with pytest.raises(ActionError, match="cannot open"):
        clearing(tmp_path / "up" / "cache").clear()
    assert names(cache) == ["a"]


def test_a_folder_that_is_missing_is_an_error_and_not_an_empty_one(tmp_path):
    with pytest.raises(ActionError, match="No such file"):
        clearing(tmp_path / "gone").clear()


def test_the_systems_own_folders_are_refused_whoever_declares_them():
    with pytest.raises(ActionError, match="belongs to the system"):
        clearing("/etc/cron.d")


def test_the_agents_own_folder_is_never_entered(cache):
    put(cache / "state" / "audit.db")
    put(cache / "a")
    done = clearing(cache, keep_out={(cache / "state").stat().st_ino}).clear()
    assert done.spared == {"the agent's own folder": 1}
    assert names(cache) == ["state/audit.db"]


def test_another_mount_on_the_same_device_is_not_entered(cache, monkeypatch):
    put(cache / "mounted" / "a")
    real, mounted = files._mount, (cache / "mounted").stat().st_ino
    monkeypatch.setattr(files, "_mount", lambda fd: -1 if os.fstat(fd).st_ino == mounted else real(fd))
    done = clearing(cache).clear()
    assert (done.files, done.spared) == (0, {"mount point": 1})


def test_names_that_are_no_text_and_folders_without_end_are_walked_all_the_same(cache):
    put(cache / os.fsdecode(b"\xff\n.tmp"))
    deep = cache
    for _ in range(70):
        deep = deep / "d"
    put(deep / "x")
    done = clearing(cache).clear()
    assert (done.files, done.spared) == (1, {"too deep": 1})


def test_when_the_time_is_over_the_rest_stays_and_is_told(cache):
    put(cache / "a")
    done = clearing(cache, until=time.monotonic() - 1).clear()
    assert (done.files, done.cut) == (0, "its time was over")


def test_a_disk_that_fails_below_one_folder_spares_it_and_the_rest_goes_on(cache, monkeypatch):
    put(cache / "good" / "a")
    put(cache / "bad" / "b")
    real, broken = os.scandir, (cache / "bad").stat().st_ino

    def fails(where):
        if isinstance(where, int) and os.fstat(where).st_ino == broken:
            raise OSError(5, "Input/output error")
        return real(where)

    monkeypatch.setattr(os, "scandir", fails)
    done = clearing(cache).clear()
    assert (done.files, done.spared) == (1, {"folder that cannot be read": 1})


def test_a_file_that_changed_since_the_look_stays(cache):
    path = put(cache / "a")
    file = clearing(cache).survey().chosen[0]
    path.write_text("fresh")
    with files.opened(str(cache)) as root:
        assert files._delete(root, file) == "changed while we looked"
        path.unlink()
        assert files._delete(root, file) == "gone by itself"


def test_a_folder_swapped_for_another_between_look_and_deed_loses_nothing(cache, tmp_path):
    put(cache / "sub" / "a")
    file = clearing(cache).survey().chosen[0]
    (cache / "sub").rename(tmp_path / "away")
    other = put(tmp_path / "other" / "a")
    other.parent.rename(cache / "sub")
    with files.opened(str(cache)) as root:
        assert files._delete(root, file) == "changed while we looked"
    (cache / "sub").rename(tmp_path / "again")
    (cache / "sub").symlink_to(tmp_path / "away")
    with files.opened(str(cache)) as root:
        assert files._delete(root, file) == "changed while we looked"
    assert (tmp_path / "away" / "a").exists()


def test_a_folder_swapped_for_a_link_just_before_it_is_entered_is_not_entered(cache, tmp_path, monkeypatch):
    victim = put(tmp_path / "outside" / "victim")
    (cache / "sub").mkdir()
    real = os.open

    def swapped_first(path, flags, *args, **kwargs):
        if path == "sub" and not (cache / "sub").is_symlink():
            (cache / "sub").rmdir()
            (cache / "sub").symlink_to(victim.parent)
        return real(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", swapped_first)
    done = clearing(cache).clear()
    assert victim.exists()
    assert (done.files, done.spared) == (0, {"folder that cannot be opened": 1})


def test_an_attacker_who_swaps_folders_for_links_never_gets_a_file_outside_deleted(cache, tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    over = threading.Event()

    def attack():
        while not over.is_set():
            for number in range(8):
                one, away = cache / f"d{number}", tmp_path / f"away{number}"
                one.rename(away)
                one.symlink_to(outside)
                one.unlink()
                away.rename(one)

    monkeypatch.setattr(inuse, "files", frozenset)  # most of a turn is to be what the attacker can hit
    victims = [put(outside / f"victim{number}") for number in range(8)]
    for number in range(8):
        (cache / f"d{number}").mkdir()
    sys.setswitchinterval(1e-6)  # the two change places between almost any two steps
    thread = threading.Thread(target=attack)
    thread.start()
    deleted, end = 0, time.monotonic() + 0.7
    try:
        while time.monotonic() < end:
            for number in range(8):
                for name in range(8):
                    try:
                        put(tmp_path / "made", size=1).rename(cache / f"d{number}" / f"own{name}")
                    except OSError:
                        continue
            deleted += clearing(cache).clear().files
    finally:
        over.set()
        thread.join()
        sys.setswitchinterval(0.005)
    assert all(victim.exists() for victim in victims)
    assert deleted > 0


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ages=st.lists(st.integers(0, 400), max_size=12), keep=st.integers(0, 50_000), older=st.integers(0, 400))
def test_whatever_the_ages_only_what_is_old_goes_and_what_is_kept_suffices(tmp_path_factory, ages, keep, older):
    cache = tmp_path_factory.mktemp("cache")
    for number, age in enumerate(ages):
        put(cache / f"{number}", age=age)
    clearing(cache, keep=keep, older=float(older)).clear()
    gone = [age for number, age in enumerate(ages) if not (cache / f"{number}").exists()]
    left = [age for number, age in enumerate(ages) if (cache / f"{number}").exists()]
    assert all(age >= older for age in gone)
    assert not gone or len(left) * 4096 > keep - 4096
    assert not gone or not [age for age in left if age > min(gone) and age >= older]
