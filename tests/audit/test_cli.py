"""The auditor's commands, also from a bare copy of the folder."""

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit import cli


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))

    def run_it(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run_it


def given(built) -> list[object]:
    return [built.db, "--key", built.key, "--anchor", built.anchor]


def test_verify_prints_the_verdict_first_and_exits_with_it(run, honest):
    code, out, _ = run("verify", *given(honest), "--deep")
    assert code == 0
    assert out.startswith("PROVEN: L2, blocks 0 to 9\n")
    assert "This does not prove:" in out
    honest.edit("DELETE FROM blocks WHERE height = 4")
    code, out, _ = run("verify", *given(honest))
    assert (code, out.split(":")[0]) == (1, "TAMPERED")
    code, out, _ = run("verify", honest.db, "--no-memory")
    assert (code, out.split(":")[0]) == (1, "TAMPERED")
    code, out, _ = run("verify", honest.folder / "nothing")
    assert (code, out.split(":")[0]) == (2, "NOT PROVEN")


def test_verify_in_json(run, honest):
    code, out, _ = run("verify", *given(honest), "--json")
    told = json.loads(out)
    assert (code, told["exit"], told["verdict"], told["independent"]) == (0, 0, "proven", True)


def test_the_second_run_remembers(run, honest, tmp_path):
    for memory in ([], ["--memory", tmp_path / "mine"]):
        assert run("verify", honest.db, "--key", honest.key, *memory)[0] == 2
        assert run("verify", *given(honest), *memory)[0] == 0
        assert run("verify", honest.db, "--key", honest.key, *memory)[0] == 0
        assert run("verify", honest.db, "--key", honest.key, "--incremental", *memory)[0] == 0
    assert run("verify", honest.db, "--key", honest.key, "--no-memory")[0] == 2


def test_max_age_and_since_read_units_and_refuse_nonsense(run, honest, capsys):
    assert run("verify", *given(honest), "--max-age", "1m")[0] == 2
    assert run("verify", *given(honest), "--max-age", "99999d")[0] == 0
    assert run("verify", *given(honest), "--since", "3", "--expect-origin", "x/1")[0] == 1
    for wrong in (["--max-age", "soon"], ["--since", "-1"], ["--min-level", "L9"], ["--nonsense"]):
        with pytest.raises(SystemExit) as caught:
            cli.main(["verify", str(honest.db), *wrong])
        assert caught.value.code == 2
    assert "not a time" in capsys.readouterr().err


def test_show_prints_what_was_asked_for_and_the_verdict_beside_it(run, honest):
    code, out, err = run("show", *given(honest), "--kind", "intent", "--target", "program:*")
    assert code == 0
    assert out.count("\n") == 4
    assert 'action="restart"' in out
    assert err.startswith("PROVEN")
    code, out, _ = run("show", *given(honest), "--seq", "0")
    assert "lifecycle" in out
    assert out.count("\n") == 1
    code, out, _ = run("show", *given(honest), "--kind", "event", "--type", "test.*", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[0]["entry"]["data"]["text"] == "Grüße ✓"
    assert run("show", *given(honest), "--rule", "no*such")[1] == ""


def test_tail_prints_the_last(run, honest):
    code, out, _ = run("tail", *given(honest), "-n", "2")
    assert code == 0
    assert out.count("\n") == 2
    assert "left-open" in out.splitlines()[1]
    assert run("tail", *given(honest), "-n", "-3")[1] == ""
    assert run("tail", *given(honest), "--kind", "verdict")[1].count("\n") == 1


def test_stats_counts_kinds(run, honest):
    code, out, _ = run("stats", *given(honest), "--json")
    told = json.loads(out)
    assert (code, told["kinds"]["intent"], told["kinds"]["outcome"]) == (0, 4, 3)
    code, out, err = run("stats", *given(honest), "--kind", "intent")
    assert out.split() == ["4", "intent"]
    assert err.startswith("PROVEN")


def test_export_gives_the_sealed_octets(run, honest, monkeypatch):
    class Stdout(io.TextIOWrapper):
        pass

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Stdout(raw))
    assert cli.main(["export", *map(str, given(honest)), "--kind", "intent"]) == 0
    lines = raw.getvalue().splitlines()
    assert len(lines) == 4
    assert json.loads(lines[0])["kind"] == "intent"


def test_keys_prints_the_fingerprint(run, honest, key):
    assert run("keys", honest.key)[1].startswith(key.public.fingerprint)
    assert key.public.fingerprint in run("keys", honest.folder)[1]
    assert json.loads(run("keys", honest.key, "--json")[1])["bits"] == 3072
    code, _, err = run("keys", honest.folder / "none")
    assert (code, "there is no key" in err) == (2, True)
    assert run("keys", honest.anchor)[0] == 2


def test_hostile_entries_neither_crash_the_display_nor_drive_the_terminal(run, forge):
    forge.seal([b"\xff", forge.event(1, ts=2**53 - 1), forge.entry(2, {"kind": "\x1b[2Jevent"})])
    built = forge.write()
    code, out, _ = run("show", *given(built))
    assert code == 0
    assert "\x1b" not in out
    assert out.count("\n") == 3
    assert run("show", *given(built), "--deep")[0] == 1
    assert run("stats", *given(built))[0] == 0


def test_interrupts_and_broken_pipes_end_quietly(honest, monkeypatch):
    def interrupt(_ask):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "verify", interrupt)
    assert cli.main(["verify", str(honest.db)]) == 130
    many = subprocess.run(
        [sys.executable, "-m", "audit", "show", str(honest.db), "--no-memory"],
        stdout=open_closed_pipe(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1]), "PYTHONUNBUFFERED": "1"},
    )
    assert many.returncode == 2
    assert "Traceback" not in many.stderr


def open_closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.fixture
def bare(tmp_path) -> Path:
    """A folder that holds a copy of ``audit/`` and nothing else."""
    place = tmp_path / "bare"
    shutil.copytree(Path(cli.__file__).parent, place / "audit", ignore=shutil.ignore_patterns("__pycache__"))
    return place


def test_a_bare_copy_verifies_with_the_standard_library_alone(bare, honest):
    def verify(*more: str) -> int:
        command = [sys.executable, "-I", "-S", "audit", "verify", *map(str, given(honest)), "--no-memory", *more]
        done = subprocess.run(command, cwd=bare, capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode

    assert verify("--deep") == 0
    assert verify("--flat") == 0
    original = honest.db.read_bytes()
    honest.edit("UPDATE blocks SET body = CAST(x'01' || substr(body, 2) AS BLOB) WHERE height = 4")
    assert verify() == 1
    honest.db.write_bytes(original)
    honest.edit("DELETE FROM blocks WHERE height = 9")
    assert verify() == 1
    honest.edit("DELETE FROM blocks")
    assert verify() == 1
    honest.db.write_bytes(b"")
    assert verify() == 1
    honest.db.unlink()
    assert verify() == 2


def test_a_bare_copy_is_not_led_astray_by_its_neighbours(bare, honest):
    """Files beside the folder, or in the current one, must not shadow the standard library or this package."""
    for place in (bare, bare / "audit"):
        for name in ("json.py", "hashlib.py", "argparse.py", "sqlite3.py"):
            (place / name).write_text("raise SystemExit('led astray')\n")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "audit", "verify", *map(str, given(honest)), "--no-memory"],
        cwd=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
