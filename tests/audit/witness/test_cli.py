"""The witness's commands say what is wrong in a sentence."""

import contextlib
import os
import re
import resource
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audit import cli
from audit.ed25519 import Secret
from audit.note import Kind, Signer, Verifier
from audit.policy import parse as parse_policy
from audit.witness.cli import Config, _settings


@pytest.fixture
def run(capsys):
    def run_it(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run_it


@pytest.fixture
def given(tmp_path, run):
    """Arguments of a witness that would serve."""
    run("witness", "key", tmp_path / "key", "w.example")
    vkey = Signer("log.example", Secret.generate()).verifier.vkey()
    return {"--log": vkey, "--key": tmp_path / "key", "--state": tmp_path / "state", "--listen": "127.0.0.1:0"}


def test_key_prints_the_verifier_of_a_new_key_and_of_an_old_one(run, tmp_path):
    code, out, _ = run("witness", "key", tmp_path / "key", "w.example/1")
    assert code == 0
    verifier = Verifier.parse(out.strip())
    assert (verifier.name, verifier.kind) == ("w.example/1", Kind.COSIGNATURE)
    assert run("witness", "key", tmp_path / "key") == (0, out, "")
    code, out, err = run("witness", "key", tmp_path / "key", "w.example/2")
    assert (code, out, "exists already" in err) == (2, "", True)
    assert run("witness", "key", tmp_path / "pq", "w.example/q", "--post-quantum")[1].startswith("w.example/q+")


@pytest.mark.parametrize("lacking", ["--log", "--key", "--state", "--listen"])
def test_a_witness_that_lacks_something_says_so(run, given, lacking):
    del given[lacking]
    code, _, err = run("witness", "serve", *(word for pair in given.items() for word in pair))
    assert (code, "needs a log, a key, a state folder" in err) == (2, True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"--log": "nonsense"}, "a key is written name+id+base64"),
        ({"--log": Signer("w", Secret.generate(), Kind.COSIGNATURE).verifier.vkey()}, "not a log's"),
        ({"--key": "/nowhere/key"}, "there is no key at"),
        ({"--listen": "80"}, "no place to listen"),
    ],
)
def test_what_cannot_be_meant_is_said(run, given, change, words):
    given |= change
    code, _, err = run("witness", "serve", *(word for pair in given.items() for word in pair))
    assert (code, words in err) == (2, True), err


def test_what_a_new_start_may_cure_has_another_exit_status(run, given):
    given["--listen"] = "203.0.113.1:80"
    code, _, err = run("witness", "serve", *(word for pair in given.items() for word in pair))
    assert (code, "cannot listen on 203.0.113.1:80" in err) == (1, True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "there is no configuration"),
        (b"\xff", "not UTF-8"),
        (b"# fine\nlisten\n", "config:2: 'listen' is none of"),
        (b"lissten 127.0.0.1:1\n", "config:1:"),
        (b"log nonsense http://w/\n", "name+id+base64"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_said_with_its_line(run, tmp_path, content, words):
    if content is not None:
        (tmp_path / "config").write_bytes(content)
    code, _, err = run("witness", "serve", "--config", tmp_path / "config")
    assert (code, words in err) == (2, True), err


def test_what_the_manual_shows_is_read_as_it_stands(tmp_path):
    """An operator copies these lines and changes the keys."""
    manual = (Path(__file__).resolve().parents[3] / "docs" / "witness.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```\w*\n(.*?)^```", manual, flags=re.DOTALL | re.MULTILINE)
    (policy,) = (block for block in shown if "quorum" in block)
    assert {witness.name for witness in parse_policy(policy).witnesses} == {"b", "c", "d"}
    (config,) = (block for block in shown if "listen" in block)
    (tmp_path / "config").write_text(config)
    read = Config()
    for word, value in _settings(tmp_path / "config"):
        read.take(word, value)
    assert (len(read.logs), read.listen) == (1, "192.0.2.7:8470")


def test_a_bare_copy_of_the_folder_says_what_a_witness_needs_besides(tmp_path):
    bare = [sys.executable, "-I", "-S", Path(cli.__file__).resolve().parents[1], "witness"]
    made = subprocess.run([*bare, "key", tmp_path / "key", "w.example"], capture_output=True, text=True, check=False)
    assert (made.returncode, made.stdout) == (2, "")
    assert made.stderr == "healer-audit: cryptography is not installed (a witness needs it: pip install healer)\n"


def test_a_disk_without_room_is_something_a_new_start_may_cure(given, run, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        code, _, err = run("witness", "serve", *(word for pair in given.items() for word in pair))
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        full, _, made = run("witness", "key", tmp_path / "another", "w.example")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (code, "cannot write" in err, "is the disk full" in err) == (1, True, True), err
    assert (full, f"{tmp_path}/another: File too large" in made) == (2, True), made


def test_a_flood_of_connections_fills_no_journal_and_the_witness_goes_on(given, tmp_path):
    words = " ".join(shlex.quote(str(word)) for pair in given.items() for word in pair)
    command = f"ulimit -n 40; exec {sys.executable} -m audit witness serve {words}"
    env = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).resolve().parents[2])}
    with (
        (tmp_path / "said").open("w+b") as said,
        subprocess.Popen(["/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=said, env=env, text=True) as served,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(served.kill)
        place = re.search(r"127\.0\.0\.1:\d+", served.stdout.readline())[0]
        host, port = place.split(":")
        for _ in range(200):
            stack.enter_context(socket.create_connection((host, int(port))))
        deadline = time.monotonic() + 10
        while not (tmp_path / "said").stat().st_size and time.monotonic() < deadline:
            time.sleep(0.02)
        text = (tmp_path / "said").read_text()
        assert ("Too many open files" in text, "Traceback" in text, text.count("\n") < 5) == (True, False, True), text
        stack.pop_all().close()
        assert served.wait(10) == -signal.SIGKILL
