import subprocess
import sys
import time

import click
import pytest

from healer.cli.main import COMMANDS, cli, main

HEAVY = {"asyncio", "cryptography", "docker", "httpx", "psutil", "rich", "sqlalchemy", "starlette", "uvicorn", "yaml"}


def run(*args):
    return subprocess.run(
        [sys.executable, "-m", "healer", *args], check=False, capture_output=True, text=True, timeout=60
    )


def test_the_version_is_told_without_importing_the_world():
    probe = (
        "import sys\nfrom healer.cli.main import main\n"
        "try:\n    main(['--version'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True, timeout=60)
    version, modules = said.stdout.splitlines()
    assert version.startswith("healer ")
    assert not HEAVY & set(modules.split())


def test_the_version_is_told_quickly():
    took = []
    for _ in range(5):
        started = time.perf_counter()
        assert run("--version").returncode == 0
        took.append(time.perf_counter() - started)
    assert min(took) < 0.5  # the figure itself is the bench's; this catches an import of the world


def test_help_lists_every_command_without_importing_one(healer):
    said = healer("--help")
    assert said.code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in said.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_has_help(name, healer):
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    assert found.name == name
    said = healer(name, "--help")
    assert said.code == 0
    assert "Usage:" in said.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_refuses_options_there_are_not(name, healer):
    assert healer(name, "--no-such-option").code == 2


@pytest.mark.parametrize("args", [(), ("nonsense",), ("stauts",), ("act",), ("--output", "xml", "status"), ("rules",)])
def test_wrong_usage_exits_2(args, healer):
    said = healer(*args)
    assert said.code == 2


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            PermissionError(13, "Permission denied", "/x/keys"),
            "healer: /x/keys: Permission denied\n  hint: run",
        ),
        (OSError(28, "No space left on device"), "healer: No space left on device\n"),
        (OSError("odd"), "healer: odd\n"),
    ],
)
def test_what_the_system_refuses_is_told_in_words(healer, monkeypatch, error, says):
    def refused(*_args, **_more):
        raise error

    monkeypatch.setattr("healer.cli.main.import_module", refused)
    said = healer("status")
    assert said.code == 2
    assert said.err.startswith(says)


def test_a_typing_mistake_gets_a_hint(healer):
    assert "Did you mean status?" in healer("stauts").err


def test_commands_that_need_an_agent_say_where_they_looked_and_how_to_start_one(healer, tmp_path):
    for args in (
        ("status",), ("state",), ("top", "--times", "1"), ("incidents",), ("explain", "r"), ("history", "m"),
        ("reflect",), ("rebalance",), ("act", "start", "program:x"), ("trigger", "r"), ("ack", "x"), ("start", "x"),
        ("stop", "x"), ("restart", "x"), ("initialize", "x"), ("pause",), ("resume",), ("reload",), ("rules", "list"),
        ("maintenance", "list"), ("event", "send", "a.b"), ("audit", "log", "a.b"), ("healings",),
    ):  # fmt: skip
        said = healer(*args)
        assert said.code == 2, args
        assert said.out == ""
        assert str(tmp_path / "healer.sock") in said.err
        assert "healer run" in said.err


def test_options_may_stand_before_the_command_or_after_it(agent, healer, tmp_path):
    before = healer("--output", "json", "--state-dir", str(tmp_path), "state", state=False)
    after = healer("state", "--output", "json", "--state-dir", str(tmp_path), state=False)
    short = healer("state", "--json")
    assert before == after == short
    assert before.out.startswith("{")


def test_a_reader_that_goes_away_is_no_traceback():
    code = f"{sys.executable} -m healer metrics --list | head -1"
    said = subprocess.run(["bash", "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in said.stderr


def test_an_error_of_the_log_is_told_in_words(healer, tmp_path, monkeypatch):
    from audit.errors import Unreadable

    def broken(*_args, **_kwargs):
        raise Unreadable("the file is damaged", hint="look")

    monkeypatch.setattr("healer.cli.client.Client.get", broken)
    said = healer("status")
    assert (said.code, said.err) == (2, "healer: the file is damaged (look)\n")


def test_ctrl_c_is_130(monkeypatch, healer):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("healer.cli.client.Client.get", interrupted)
    assert healer("status").code == 130


def test_a_bug_is_loud(monkeypatch):
    monkeypatch.setattr("healer.cli.client.Client.get", lambda *_args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["status"])
