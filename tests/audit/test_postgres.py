"""What needs no server; the rest is in tests/integration/test_audit_postgres.py."""

import subprocess
import sys
from pathlib import Path

import pytest

import audit
from audit.errors import Unreadable
from audit.postgres import dsn_of, is_dsn_file


@pytest.fixture
def dsn(tmp_path):
    path = tmp_path / "log.dsn"
    path.write_text("host=/nowhere dbname=x\n")
    path.chmod(0o600)
    return path


def test_a_connection_string_is_one_line_in_a_closed_file(dsn, tmp_path):
    assert dsn_of(dsn) == "host=/nowhere dbname=x"
    for text in ("", "\n", "a=b\nc=d", "x" * 5000):
        dsn.write_text(text)
        with pytest.raises(Unreadable):
            dsn_of(dsn)
    dsn.write_bytes(b"\xff\xfe")
    with pytest.raises(Unreadable):
        dsn_of(dsn)
    with pytest.raises(Unreadable):
        dsn_of(tmp_path / "missing")
    with pytest.raises(Unreadable):
        dsn_of(tmp_path)


def test_a_connection_string_others_can_read_is_refused(dsn):
    dsn.chmod(0o640)
    with pytest.raises(Unreadable, match="chmod 600"):
        dsn_of(dsn)


@pytest.mark.parametrize(
    ("octets", "is_one"),
    [
        (b"postgresql://u@h/d", True),
        (b"postgres://h", True),
        (b"host=h", True),
        (b"dbname=d", True),
        (b"service=s", True),
        (b"SQLite format 3\x00", False),
        (b"", False),
        (b"hostile", False),
    ],
)
def test_a_file_with_a_connection_string_is_told_from_a_log(tmp_path, octets, is_one):
    path = tmp_path / "f"
    path.write_bytes(octets)
    assert is_dsn_file(path) is is_one
    assert not is_dsn_file(tmp_path)
    assert not is_dsn_file(tmp_path / "missing")


def test_without_the_driver_it_is_a_sentence(dsn):
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(Path(audit.__file__).parent), "verify", str(dsn)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert "healer[postgres]" in done.stdout + done.stderr or "driver" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
