"""A disk that fails to flush: the writer must believe nothing it wrote since, and say so."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import audit
from audit.verifier import Ask, verify

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(audit.__file__).parents[1])}
CHILD = """
import sys
from pathlib import Path
from audit.errors import Poisoned
from audit.writer import Writer
writer = Writer.open(Path(sys.argv[1]), node="n", reserve_bytes=0, inline=True)
done = 0
try:
    for number in range(80):
        writer.append({"kind": "event", "type": "a.b", "data": {"n": number}})
        done += 1
except Poisoned as exc:
    print("poisoned after", done, exc.message, flush=True)
try:
    writer.append({"kind": "event", "type": "a.b", "data": {}})
except Poisoned:
    print("stays poisoned", flush=True)
"""


def seal_with(tmp_path: Path, fault: str) -> str:
    """Seal 80 entries while strace makes one system call fail; return what the writer said."""
    if shutil.which("strace") is None:
        if os.environ.get("HEALER_REQUIRE_REAL") == "1":
            pytest.fail("strace is missing: it makes the disk fail")
        pytest.skip("strace is not installed: it makes the disk fail")
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", f"inject={fault}"]
    done = subprocess.run(
        [*command, sys.executable, "-c", CHILD, str(tmp_path / "s")],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
        timeout=60,
    )
    if "ptrace" in done.stderr and os.environ.get("HEALER_REQUIRE_REAL") != "1":
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.real
def test_a_failed_flush_poisons_the_writer_and_a_new_one_goes_on(tmp_path):
    said = seal_with(tmp_path, "fdatasync:error=EIO:when=60")
    assert "disk I/O error" in said
    assert "stays poisoned" in said
    assert verify(Ask(log=tmp_path / "s", deep=True)).exit_code == 0
    again = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "s")],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
        timeout=60,
    )
    assert again.stdout == "", again.stdout
    assert verify(Ask(log=tmp_path / "s", deep=True)).exit_code == 0


@pytest.mark.real
def test_an_anchor_that_fails_to_flush_stops_nothing_and_is_not_taken_for_another_writer(tmp_path):
    for when in ("21", "40+3"):
        assert seal_with(tmp_path / when, f"fsync:error=EIO:when={when}") == ""
        assert verify(Ask(log=tmp_path / when / "s", deep=True)).exit_code != 1
