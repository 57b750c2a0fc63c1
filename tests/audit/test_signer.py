"""A program that signs is believed when its signature fits, within its time, and never again after it failed once."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from audit.errors import Poisoned
from audit.signer import CommandSigner, SignerFailed
from audit.verifier import Ask, verify
from audit.writer import Writer

HONEST = """
import base64, sys
from pathlib import Path
from audit import keys
key = keys.load(Path(sys.argv[1]))
for line in sys.stdin:
    print(base64.b64encode(key.sign(base64.b64decode(line))).decode(), flush=True)
"""


@pytest.fixture
def keyfolder(tmp_path, key):
    folder = tmp_path / "token"
    folder.mkdir(mode=0o700)
    (folder / "seal.pem").write_bytes(key.pem())
    (folder / "seal.pem").chmod(0o600)
    return folder


@pytest.fixture
def command(tmp_path, keyfolder):
    """A signer that does what ``mischief`` says from its second answer on (the first is the trial at the start)."""
    root = str(Path(__file__).resolve().parents[2])

    def make(mischief: str = "", *, at: int = 2) -> list[str]:
        lines = HONEST.strip().split("\n")
        body = [lines[0], f"sys.path.insert(0, {root!r})", "import os, time", *lines[1:4], "asked = 0", lines[4]]
        body += ["    asked += 1", f"    if asked >= {at}:", f"        {mischief or 'pass'}", lines[5]]
        script = tmp_path / "signer.py"
        script.write_text("\n".join(body))
        return [sys.executable, str(script), str(keyfolder)]

    return make


def test_a_log_is_sealed_by_a_program_and_verifies(tmp_path, command, key, event):
    with CommandSigner(command(), key.public) as signer:
        with Writer.open(tmp_path / "s", node="n", signer=signer, reserve_bytes=0) as writer:
            for number in range(5):
                writer.append(event(number))
        with Writer.open(tmp_path / "s", node="n", signer=signer, reserve_bytes=0) as writer:
            writer.append(event())
    pin = tmp_path / "pin"
    pin.write_bytes(key.public.pem)
    assert verify(Ask(log=tmp_path / "s", key=pin, deep=True)).exit_code == 0
    assert not (tmp_path / "s" / "keys" / "seal.pem").exists()


@pytest.mark.parametrize(
    ("mischief", "because"),
    [
        ("sys.exit(3)", "ended with status 3"),
        ("os.kill(os.getpid(), 9)", "ended by SIGKILL"),
        ("time.sleep(60)", "did not answer within 0.5 s"),
        ("print('no!', flush=True); continue", "not base64"),
        ("print('', flush=True); continue", "0 octets"),
        ("print('QUJD', flush=True); continue", "3 octets where a signature has 384"),
        ("print(base64.b64encode(bytes(384)).decode(), flush=True); continue", "not the pinned key's"),
        ("line = base64.b64encode(b'another message').decode()", "not the pinned key's"),
        ("print('QUJD\\nQUJD', flush=True); continue", "more than one line"),
        ("print('A' * 100_000, flush=True); continue", "more than one line"),
        ("print('AAAA', end='', flush=True); time.sleep(60)", "did not answer within 0.5 s"),
        ("os.close(1); time.sleep(60)", "closed its output"),
        ("print('é', flush=True); continue", "not base64"),
    ],
)
def test_a_signer_that_fails_is_named_killed_and_never_asked_again(command, key, mischief, because):
    with CommandSigner(command(), key.public) as signer:
        assert key.public.verify(signer.sign(b"m"), b"m")
    signer = CommandSigner(command(mischief), key.public)
    signer._limit_us = 500_000  # the start of an interpreter may take longer than an answer
    with pytest.raises(SignerFailed, match=because) as caught:
        signer.sign(b"m")
    assert "nothing is sealed" in caught.value.hint
    assert signer._process.returncode is not None
    with pytest.raises(SignerFailed, match=because):
        signer.sign(b"m")
    signer.close()


def test_a_signer_that_fails_poisons_the_writer(tmp_path, command, key, event):
    with (
        CommandSigner(command("sys.exit(7)", at=4), key.public) as signer,
        Writer.open(tmp_path / "s", node="n", signer=signer, reserve_bytes=0) as writer,
    ):
        writer.append(event(1))
        writer.append(event(2))
        with pytest.raises(Poisoned, match="ended with status 7"):
            writer.append(event(3))
        with pytest.raises(Poisoned):
            writer.append(event(4))
    pin = tmp_path / "pin"
    pin.write_bytes(key.public.pem)
    report = verify(Ask(log=tmp_path / "s", key=pin, deep=True))
    assert (report.exit_code, report.last) == (0, 1)


def test_a_signer_that_speaks_unasked_is_refused(command, key):
    twice = "print(base64.b64encode(key.sign(base64.b64decode(line))).decode(), flush=True)"
    because = r"more than one line|before it was asked"
    with CommandSigner(command(twice), key.public) as signer, pytest.raises(SignerFailed, match=because):
        speak_twice(signer)


def speak_twice(signer: CommandSigner) -> None:
    signer.sign(b"1")
    time.sleep(0.2)  # the second line is on its way
    signer.sign(b"2")


@pytest.mark.parametrize("argv", [[], ["/nowhere/signer"], ["/etc/hostname"], ["a\0b"]])
def test_a_program_that_cannot_be_started_is_refused(argv, key):
    with pytest.raises(SignerFailed, match="cannot be started") as caught:
        CommandSigner(argv, key.public)
    assert "audit.signer" in caught.value.hint


def test_a_signer_with_another_key_is_refused_at_the_start(command, other_key):
    with pytest.raises(SignerFailed, match="not the pinned key's"):
        CommandSigner(command(), other_key.public)


def test_a_signer_sees_no_more_of_the_environment_than_it_must(tmp_path, command, key, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "x")
    seen = tmp_path / "seen"
    argv = command(f"open({str(seen)!r}, 'w').write(' '.join(sorted(os.environ)))", at=1)
    CommandSigner(argv, key.public, environment={"CREDENTIALS_DIRECTORY": "/run/x"}).close()
    assert set(seen.read_text().split()) - {"LC_CTYPE"} == {"CREDENTIALS_DIRECTORY", "LANG", "PATH"}


def test_closing_ends_what_the_program_started(tmp_path, command, key):
    pid = tmp_path / "pid"
    child = f"import subprocess; open({str(pid)!r}, 'w').write(str(subprocess.Popen(['sleep', '600']).pid))"
    signer = CommandSigner(command(child, at=1), key.public)
    started = int(pid.read_text())
    signer.close()
    signer.close()
    with pytest.raises(SignerFailed, match="was closed"):
        signer.sign(b"m")
    for _ in range(200):
        if not Path(f"/proc/{started}").exists() or Path(f"/proc/{started}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.01)
    os.kill(started, 9)
    pytest.fail("what the signer started outlived it")


def test_threads_take_turns(command, key):
    answers: list[bool] = []
    with CommandSigner(command(), key.public) as signer:

        def ask(number: int) -> None:
            message = str(number).encode()
            answers.append(key.public.verify(signer.sign(message), message))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [True] * 8
