"""What ends a command, and a bare copy of the folder."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit import cli
from audit.cli.main import make_parser


def test_interrupts_and_broken_pipes_end_quietly(honest, monkeypatch):
    def interrupt(*_ask, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr("audit.verifier.verify", interrupt)
    assert cli.main(["verify", str(honest.db)]) == 130
    many = subprocess.run(
        [sys.executable, "-m", "audit", "show", str(honest.db), "--no-memory"],
        stdout=open_closed_pipe(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2]), "PYTHONUNBUFFERED": "1"},
    )
    assert many.returncode == 2
    assert "Traceback" not in many.stderr


def test_what_nobody_foresaw_is_not_called_tampered(honest, monkeypatch, capsys):
    def break_down(*_ask, **_more):
        raise MemoryError("no\x1b[2Jroom")

    monkeypatch.setattr("audit.verifier.verify", break_down)
    assert cli.main(["verify", str(honest.db)]) == 2
    told = capsys.readouterr().err
    assert "nothing is proven" in told
    assert "MemoryError: no\\u001b[2Jroom; test_main.py, line " in told


@pytest.mark.parametrize("closed", [1, 2])
def test_a_stream_that_is_closed_changes_no_verdict_and_sends_nothing_to_the_other(honest, closed):
    command = f'exec "$0" -m audit show "$1" --no-memory {closed}>&-'
    done = subprocess.run(
        ["/bin/sh", "-c", command, sys.executable, str(honest.db)],
        stdout=None if closed == 1 else subprocess.PIPE,
        stderr=subprocess.PIPE if closed == 1 else None,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])},
    )
    assert done.returncode == cli.main(["show", str(honest.db), "--no-memory"])
    assert "Traceback" not in (done.stderr or "")
    assert "PROVEN" not in (done.stdout or "")


def open_closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.fixture
def bare(tmp_path) -> Path:
    """A folder that holds a copy of ``audit/`` and nothing else."""
    place = tmp_path / "bare"
    shutil.copytree(Path(cli.__file__).parents[1], place / "audit", ignore=shutil.ignore_patterns("__pycache__"))
    return place


def test_a_bare_copy_verifies_with_the_standard_library_alone(bare, honest, given):
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


def test_a_bare_copy_is_not_led_astray_by_its_neighbours(bare, honest, given):
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


def test_verifying_imports_no_more_than_it_needs(bare, honest, given):
    """What a key and an anchor do not need takes as long to import as all the rest: a log is opened often."""
    script = (
        "import sys; sys.path.insert(0, '.')\n"
        "from audit.cli import main\n"
        "main(sys.argv[1:])\n"
        "print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    command = [sys.executable, "-I", "-S", "-c", script, "verify", *map(str, given(honest)), "--no-memory"]
    done = subprocess.run(command, cwd=bare, capture_output=True, text=True, check=False)
    loaded = set(done.stderr.split())
    assert "audit.verifier" in loaded
    for name in (
        "timestamp",
        "x509",
        "note",
        "policy",
        "entry",
        "proof",
        "tiles",
        "upkeep",
        "holding",
        "witness.serve",
    ):
        assert f"audit.{name}" not in loaded
    others = {"asyncio", "concurrent.futures", "logging", "shutil", "tempfile", "socket", "cryptography"}
    assert not loaded & others


@pytest.mark.parametrize(
    "wrong", [["nonsense"], ["show", "--nonsense"], ["show", "LOG", "MORE"], ["verify", "--min", "L1"], []]
)
def test_wrong_usage_gets_one_line(run, wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        run(*wrong)
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_what_the_system_refuses_gets_a_sentence(run, honest):
    given = ["--key", honest.key, "--no-memory"]
    code, _, err = run("export", honest.db, *given, "--database", honest.folder / "no" / "such")
    assert (code, err.count("\n"), err.startswith("healer-audit: ")) == (2, 1, True)


def test_without_a_log_the_one_at_home_is_meant(run, honest):
    code, _, err = run("verify", "--key", honest.key)
    assert (code, "which log?" in err) == (2, True)
    assert run("verify", "--key", honest.key, "--anchor", honest.anchor, home=honest.folder)[0] == 0
    assert run("keys", home=honest.folder, as_json=True)[1].startswith("{")
    assert run("verify", honest.folder / "none", home=honest.folder)[0] == 2


def test_what_a_terminal_cannot_show_is_written_out(bare, honest):
    command = [sys.executable, "-m", "audit", "show", str(honest.db), "--no-memory"]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=bare, capture_output=True, check=False, env=env)
    assert b"Gr\\xfc\\xdfe" in done.stdout
    assert b"Traceback" not in done.stderr


def test_the_page_in_the_help_is_true(run, capsys):
    """Every command is told, and each has a help of its own."""
    with pytest.raises(SystemExit):
        run("--help")
    told = capsys.readouterr().out
    for name in ("verify", "show", "tail", "stats", "export", "prove", "anchor", "tiles", "keys", "rotate", "attack"):
        assert f"    {name} " in told
        with pytest.raises(SystemExit) as ended:
            run(name, "--help")
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: healer-audit {name}")


def test_the_commands_that_the_page_shows_are_understood():
    page = (Path(__file__).resolve().parents[3] / "docs" / "auditing.md").read_text(encoding="utf-8")
    shown = re.findall(r"^healer-audit (.+?)(?:  .*)?$", page, flags=re.MULTILINE)
    assert len(shown) > 9
    for words in shown:
        assert make_parser("healer-audit").parse_args(shlex.split(words)).command
    table = page.partition("| filter |")[2].partition("\n\n")[0]
    for name in re.findall(r"--[a-z]+", table.partition("--seq")[0]):
        assert make_parser("healer-audit").parse_args(["show", "LOG", name, "x*"])
