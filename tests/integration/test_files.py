"""A full file system, a poisoned file and a damaged database, healed by a real agent under its own rules."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from audit import canonical
from audit.errors import AuditError
from audit.reader import Log
from healer.drivers import pagecache

pytestmark = pytest.mark.real

RULES = """\
version: 1
rules:
  - id: cache-full
    why: what the cache holds can be made again
    target: file:cache
    when: disk.used{mount="MOUNT"} > 80%
    then: [{clear_cache: {}, verify: {when: 'disk.used{mount="MOUNT"} < 60%', within: 10s}}]
    mode: auto
  - id: poisoned
    why: a job that cannot be read stops all others
    target: file:job
    when: file.match{target} == 1
    then: [{quarantine: {}, verify: {when: "file.exists{target} == 0", within: 5s}}]
    mode: auto
  - id: damaged
    why: a database that is not whole loses more with every write
    target: file:db
    when: file.age{target="file:marker"} > 0s
    then: [{repair: {}, verify: {when: "file.exists{target} == 1", within: 5s}}]
    mode: auto
"""


def outcomes(state):
    """By rule: what was done, and what was seen of it."""
    try:
        with Log.open(state) as log:
            found = [canonical.decode(one.octets) for one in log.entries(0)]
    except AuditError:  # it has not begun yet
        return {}
    done = {one["id"]: one["because"] for one in found if one["kind"] == "outcome"}
    seen = {one["id"]: one["result"] for one in found if one["kind"] == "verdict"}
    rules = {one["id"]: one["rule"] for one in found if one["kind"] == "intent" and one["id"] in seen}
    return {rule: (done[name], seen[name]) for name, rule in rules.items()}


@pytest.fixture
def place(real):
    """A small file system of its own, mounted for this test."""
    real("mount", "umount", "mkfs.ext4", root=True)
    with tempfile.TemporaryDirectory(prefix="h", dir="/tmp") as name:
        folder = Path(name)
        mount = folder / "m"
        mount.mkdir()
        image = folder / "image"
        with image.open("wb") as file:
            file.truncate(16 * 2**20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", str(image)], check=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(mount)], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(mount)], check=True)


def test_an_agent_clears_sets_aside_and_mends(place):
    mount, data = place / "m", place / "data"
    (mount / "cache").mkdir()
    data.mkdir()
    for number in range(7):
        path = mount / "cache" / f"{number}.tmp"
        path.write_bytes(b"x" * 2**21)
        os.utime(path, (1000 + number, 1000 + number))
    (mount / "precious").write_text("mine")
    (data / "job").write_text("poison")
    with sqlite3.connect(data / "app.db") as db:
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [(str(n) * 50,) for n in range(500)])
    db.close()
    with (data / "app.db").open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096)
    (data / "marker").write_text("x")
    os.utime(data / "marker", (1000, 1000))
    (place / "r.yaml").write_text(RULES.replace("MOUNT", str(mount)))
    seen = {"every": "300ms"}
    targets = [
        {
            "kind": "file",
            "name": "cache",
            "path": str(mount / "cache"),
            "clear": {"older": "1h", "pattern": "*.tmp"},
            **seen,
        },
        {
            "kind": "file",
            "name": "job",
            "path": str(data / "job"),
            "match": "poison",
            "aside": str(data / "aside"),
            **seen,
        },
        {"kind": "file", "name": "db", "path": str(data / "app.db"), "repair": {"sqlite": True}, **seen},
        {"kind": "file", "name": "marker", "path": str(data / "marker"), **seen},
    ]
    config = {
        "version": 1,
        "rules": {"files": ["r.yaml"]},
        "targets": targets,
        "sensors": {"host": {"every": "1s", "slow_every": "1s"}},
        "limits": {"saturation_psi": 1.0},
    }
    (place / "o.yaml").write_text(json.dumps(config))
    argv = [sys.executable, "-m", "healer", "--config", str(place / "o.yaml"), "--state-dir", str(place / "s"), "run"]
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        end = time.monotonic() + 20
        while len(found := outcomes(place / "s")) < 3 and time.monotonic() < end:
            time.sleep(0.1)
    finally:
        running.send_signal(signal.SIGTERM)
        said = running.communicate(timeout=20)[0]
    assert {rule: result for rule, (_, result) in found.items()} == dict.fromkeys(
        ("cache-full", "poisoned", "damaged"), "verified"
    ), (found, said[-2000:])
    assert "7 files" in found["cache-full"][0]
    assert (mount / "precious").read_text() == "mine"
    assert not (data / "job").exists()
    assert len(list((data / "aside").iterdir())) == 1
    assert "was recovered" in found["damaged"][0]
    with sqlite3.connect(data / "app.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


# The log gives its reserve back when the disk is full: on so small a disk that is a quarter of it.
FULL = """\
version: 1
rules:
  - id: cache-full
    why: what the cache holds can be made again
    target: file:cache
    when: disk.used{mount="MOUNT"} > 70%
    then: [{clear_cache: {}, verify: {when: 'disk.used{mount="MOUNT"} < 60%', within: 10s}}]
    mode: auto
  - id: other
    why: what does not free space must wait
    target: file:cache
    when: disk.used{mount="MOUNT"} > 69%
    for: 2s
    then: [{quarantine: {}}]
    mode: auto
"""


def test_a_log_without_room_is_given_some_by_the_one_thing_that_may_be_done(place):
    mount = place / "m"
    (mount / "cache").mkdir()
    (place / "r.yaml").write_text(FULL.replace("MOUNT", str(mount)))
    clear = {"older": "0s", "pattern": "*.tmp"}
    target = {"kind": "file", "name": "cache", "path": str(mount / "cache"), "clear": clear, "every": "300ms"}
    config = {
        "version": 1,
        "rules": {"files": ["r.yaml"]},
        "targets": [target],
        "sensors": {"host": {"every": "1s", "slow_every": "1s"}},
        "limits": {"saturation_psi": 1.0},
    }
    (place / "o.yaml").write_text(json.dumps(config))
    state = mount / "s"
    argv = [sys.executable, "-m", "healer", "--config", str(place / "o.yaml"), "--state-dir", str(state), "run"]
    running = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        end = time.monotonic() + 20
        while not list(state.glob("healer.sock")) and time.monotonic() < end:
            time.sleep(0.1)
        end = time.monotonic() + 40
        filled = mount / "cache" / "filler.tmp"
        subprocess.run(["dd", "if=/dev/zero", f"of={filled}", "bs=4k"], capture_output=True, check=False)
        while not (found := outcomes(state)) and time.monotonic() < end:
            time.sleep(0.1)
    finally:
        running.send_signal(signal.SIGTERM)
        said = running.communicate(timeout=20)[0]
    assert found.get("cache-full", ("", ""))[1] == "verified", (found, said[-3000:])
    assert not filled.exists()
    with Log.open(state) as log:
        kinds = [canonical.decode(one.octets) for one in log.entries(0)]

    assert [one["action"] for one in kinds if one["kind"] == "intent" and one["rule"] == "other"] == []


def test_the_hosts_page_cache_is_dropped_for_real(real):
    real("mount", root=True)
    before, after = pagecache.drop_all()
    assert 0 < after <= before
