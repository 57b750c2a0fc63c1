"""Files made to hurt cost every command a sentence, little time and little memory; never a traceback.

Each is tried in a process of its own, which its memory and time are taken from. Some are larger with
``HEALER_TORTURE_STEP=1``.
"""

import base64
import os
import random
import socket
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from audit import block, canonical
from tests.audit import everything
from tests.audit.everything import Everything

ALL = os.environ.get("HEALER_TORTURE_STEP") == "1"
MOST_KB = 64 * 1024
BUNDLE_KB = 160 * 1024
"""A bundle is read whole, and one line of it may have 22 MB."""
MOST_S = 120 if ALL else 30
CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))
resource.setrlimit(resource.RLIMIT_FSIZE, (2**30, 2**30))
from audit.cli import main
try:
    code = main(sys.argv[1:])
finally:
    # Not getrusage: what it says began with the process that made this one.
    peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(f"peak {{peak}}", file=sys.stderr)
sys.exit(code)
"""
GIGABYTE = 2**30


class Ran(NamedTuple):
    code: int
    out: str
    peak_kb: int


def run(*words: object, most_kb: int = MOST_KB) -> Ran:
    """Run one command in a process of its own; fail for a traceback, or for more time or memory than there is."""
    told = [sys.executable, "-c", CHILD.format(seconds=MOST_S), *map(str, words)]
    done = subprocess.run(told, capture_output=True, text=True, errors="replace", timeout=4 * MOST_S, check=False)
    said, _, peak = done.stderr.rpartition("peak ")
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    assert done.returncode in {0, 1, 2}, (done.returncode, done.stderr[-500:])
    assert int(peak) <= most_kb, f"{int(peak) // 1024} MB"
    assert len(done.stdout) + len(said) < 100_000
    return Ran(done.returncode, done.stdout + said, int(peak))


def commands(log: Path, *, everyone: bool) -> Iterable[list[object]]:
    yield ["verify", log, "--no-memory", "--deep"]
    if everyone or ALL:
        yield ["show", log, "--no-memory"]
        yield ["export", log, "--no-memory"]
        yield ["prove", log, "0"]
        yield ["stats", log, "--no-memory"]


@pytest.fixture(scope="module")
def original(tmp_path_factory, key, other_key, stamper) -> Everything:
    return everything.build(tmp_path_factory.mktemp("hostile") / "w", key, other_key, stamper)


@pytest.fixture
def world(original, tmp_path) -> Everything:
    return original.copy(tmp_path / "w")


# ------------------------------------------------------------------------------- what is no log at all


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * GIGABYTE)


def _sparse_tail(path: Path) -> None:
    _table(path, [])
    with path.open("r+b") as file:
        file.truncate(10 * GIGABYTE)


def _with_wal(path: Path) -> None:
    _sparse(path)
    path.with_name(path.name + "-wal").write_bytes(os.urandom(100_000))


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("zeros", bytes(50_000_000))


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


def _table(path: Path, rows: Iterable[tuple], ddl: str = "height, first, n, hdr, sig, rsig, body") -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF").fetchall()
    connection.execute(f"CREATE TABLE blocks ({ddl})")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    connection.execute("COMMIT")
    connection.close()


def _many_tables(path: Path) -> None:
    _table(path, [])
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA writable_schema = ON").fetchall()
    connection.execute("BEGIN")
    rows = (
        (f"t{number}", f"CREATE TABLE t{number} ({', '.join(f'c{one}' for one in range(50))})")
        for number in range(60_000 if ALL else 20_000)
    )
    connection.executemany("INSERT INTO sqlite_schema VALUES ('table', ?1, ?1, 2, ?2)", rows)
    connection.execute("COMMIT")
    connection.close()


def _endless(path: Path) -> None:
    """A tree whose every branch leads to the same leaf."""
    ddl = "height INTEGER NOT NULL PRIMARY KEY, first, n, hdr, sig, rsig, body"
    _table(path, [(number, number, 1, b"x" * 3000, b"", b"", b"") for number in range(300)], ddl)
    octets = bytearray(path.read_bytes())
    size = int.from_bytes(octets[16:18], "big")
    root = next(at for at in range(size, len(octets), size) if octets[at] == 5)
    cells = int.from_bytes(octets[root + 3 : root + 5], "big")
    places = [int.from_bytes(octets[root + 12 + 2 * one : root + 14 + 2 * one], "big") for one in range(cells)]
    leaf = octets[root + places[0] : root + places[0] + 4]
    for place in places:
        octets[root + place : root + place + 4] = leaf
    # Its keys stay: whoever looks for what comes after the leaf is sent to the leaf.
    octets[root + 8 : root + 12] = leaf
    path.write_bytes(octets)


def _deep(path: Path) -> None:
    nested = b"[" * 100_000
    wrapped = b'{"v":1,"a":' + nested + b"]" * 100_000 + b"}"
    body = len(wrapped).to_bytes(4, "big") + wrapped
    _table(path, [(0, 0, 1, nested, b"", b"", nested), (1, 1, 1, wrapped[:8000], b"", b"", body)])


def _types(path: Path) -> None:
    values = [None, 1, -1.5, "text", "\0", b"", b"\xff", 2**63 - 1, -(2**63), float("inf"), "\ud7ff" * 9]
    _table(path, [tuple(values[(at + place) % len(values)] for place in range(7)) for at in range(200)])


def _large(path: Path) -> None:
    _table(path, [(number, number, 1, bytes(1_000_000), bytes(9), b"", bytes(8_000_000)) for number in range(3)])


def _too_large(path: Path) -> None:
    _table(path, [(0, 0, 1, bytes(300_000_000 if ALL else 60_000_000), b"", b"", b"")])


def _absurd(path: Path) -> None:
    numbers = dict.fromkeys(("height", "first", "opened", "sealed", "mono", "open"), 2**53 - 1)
    texts = dict.fromkeys(("root", "body", "prev"), "f" * 64)
    fields = {**numbers, **texts, "v": 1, "count": 4096, "body_len": block.MAX_BODY, "origin": "o", "boot": "b"}
    fields |= {"beacon": "", "next": "f" * 64, "keys": ["f" * 64], "why": "commit"}

    def rows():
        for number in range(1_000_000 if ALL else 4_000):
            yield (
                number,
                2**53,
                2**31,
                canonical.encode({**fields, "height": number}),
                b"s" * 384,
                b"r" * 64,
                b"\0" * 4,
            )

    _table(path, rows())


def _bundle(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"\n".join([b"c2sp.org/tlog-proof@v1", *lines]) + b"\n")


def _long_bundle(path: Path) -> None:
    _bundle(path, [b"extra " + base64.b64encode(b"[" * 12_000_000), b"index 0", b"", b"o", b"1", b"AA=="])


def _full_bundle(path: Path) -> None:
    _bundle(path, [b"c2sp.org/tlog-proof@v1\nindex 0"] * 1_500_000)


def _huge_bundle(path: Path) -> None:
    _bundle(path, [])
    with path.open("r+b") as file:
        file.truncate(60 * 2**20)


FILES: dict[str, Callable[[Path], None]] = {
    "10 GB of nothing": _sparse,
    "10 GB behind a table": _sparse_tail,
    "10 GB beside a write-ahead file": _with_wal,
    "zip of zeros": _zip,
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a socket": _socket,
    "itself": lambda path: path.symlink_to(path),
    "random octets": lambda path: path.write_bytes(random.Random(1).randbytes(1_000_000)),
    "a database of many tables": _many_tables,
    "a tree without end": _endless,
    "deep JSON": _deep,
    "every type": _types,
    "large values": _large,
    "too large a value": _too_large,
    "absurd headers": _absurd,
    "a bundle with a long line": _long_bundle,
    "a bundle of many": _full_bundle,
    "a bundle of nothing": _huge_bundle,
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_costs_a_sentence(tmp_path, monkeypatch, original, name):
    monkeypatch.chdir(tmp_path)
    FILES[name](tmp_path / "log")
    for words in commands(tmp_path / "log", everyone=name in {"every type", "deep JSON", "large values"}):
        more = ["--key", original.outside / "pinned.pub"] if words[0] in {"verify", "show"} else []
        ran = run(*words, *more, most_kb=BUNDLE_KB if "bundle" in name else MOST_KB)
        assert ran.code in {1, 2}, ran.out
        assert ran.out.strip()


GIVEN = {
    "key": ["--key"],
    "anchor": ["--anchor", "--since-head"],
    "policy": ["--policy", "--checkpoint"],
    "tsa.pem": ["--tsa", "--token"],
    "archive": ["--archive"],
}


BAD: dict[str, Callable[[Path], object]] = {
    "sparse": _sparse,
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "folder": Path.mkdir,
    "itself": lambda path: path.symlink_to(path),
    "deep": lambda path: path.write_bytes(b"[" * 60_000),
}


@pytest.mark.parametrize("make", BAD)
def test_whatever_is_given_beside_the_log_may_be_hostile(world, tmp_path, make):
    bad = tmp_path / "bad"
    BAD[make](bad)
    for options in GIVEN.values():
        for option in options:
            field = {
                "--anchor": "anchors",
                "--checkpoint": "checkpoints",
                "--token": "tokens",
                "--archive": "archives",
            }.get(option)
            more = {field: (bad,)} if field else {option.strip("-").replace("-", "_"): bad}
            report = world.verify(**more)
            assert report.exit_code == 2 or (report.exit_code == 0 and option == "--token"), (option, report.text())
    ran = run("verify", world.state, "--no-memory", "--key", bad, "--anchor", bad, "--policy", bad, "--tsa", bad,
              "--token", bad, "--archive", bad, "--checkpoint", bad, "--since-head", bad)  # fmt: skip
    assert ran.code == 2


@pytest.mark.parametrize(
    "name", ["anchor", "checkpoint", "keys/seal.pub", "keys/first.pub", "witnessed/000000000009.tsr"]
)
@pytest.mark.parametrize("make", BAD)
def test_whatever_lies_in_the_state_folder_may_be_hostile(world, name, make):
    path = world.state / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    BAD[make](path)
    # The key in force now is not asked for: the log began with another, which lies beside it.
    assert world.verify(key=None).exit_code == (0 if name == "keys/seal.pub" else 2)


def test_a_folder_of_many_checkpoints_costs_little(world):
    """More than a few thousand are not read."""
    octets = (world.state / "witnessed" / "000000000009.note").read_bytes()
    for number in range(100_000 if ALL else 3000):
        (world.state / "witnessed" / f"x{number:06}.note").write_bytes(octets)
    words = ["--key", world.outside / "pinned.pub", "--policy", world.outside / "policy"]
    assert run("verify", world.state, "--no-memory", *words).code == 0


def test_half_a_file_is_never_proven(world):
    octets = world.db.read_bytes()
    size = int.from_bytes(octets[16:18], "big")
    for end in range(0, len(octets), size):
        for cut in (octets[:end], octets[:end] + bytes(len(octets) - end), octets[: end + size // 2]):
            world.db.write_bytes(cut)
            assert world.verify().exit_code in {1, 2}, end


@pytest.mark.parametrize("seed", range(200 if ALL else 12))
def test_a_write_ahead_file_of_garbage_changes_nothing_unseen(world, seed):
    """SQLite takes from it what has the right checksums; the blocks are proven as they come."""
    chance = random.Random(seed)
    honest = world.verify().to_json()
    garbage = bytearray(chance.randbytes(chance.choice([1, 32, 33, 4096, 50_000])))
    if seed % 2:
        garbage[:24] = bytes.fromhex("377f0682002de218000010000000000012345678") + garbage[20:24]
    world.db.with_name("audit.db-wal").write_bytes(garbage)
    report = world.verify()
    assert report.exit_code != 0 or report.to_json() == honest
    assert world.db.with_name("audit.db-wal").read_bytes() == bytes(garbage)
