"""A cosigning key file that anybody else could read or write is refused, with the command that repairs it."""

import os

import pytest

from audit.ed25519 import Secret
from audit.errors import KeyRefused
from audit.note import Signer
from audit.witness import keyfile


@pytest.mark.parametrize("post_quantum", [False, True])
def test_a_key_is_made_once_and_loaded_again(tmp_path, post_quantum):
    made = keyfile.make(tmp_path / "key", "w.example", post_quantum=post_quantum)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert keyfile.load(tmp_path / "key").verifier == made.verifier
    with pytest.raises(KeyRefused, match="exists already"):
        keyfile.make(tmp_path / "key", "w.example")


def _open_to_others(path):
    path.chmod(0o640)


def _link(path):
    path.rename(path.with_name("real"))
    path.symlink_to("real")


def _fifo(path):
    path.unlink()
    os.mkfifo(path)


def _two(path):
    path.write_bytes(path.read_bytes() * 2)


def _binary(path):
    path.write_bytes(b"\xff" * 50)


def _large(path):
    path.write_bytes(b"x" * 5000)


def _of_a_log(path):
    path.write_text(Signer("log", Secret.generate()).skey() + "\n")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_open_to_others, "chmod 600"),
        (_link, "symbolic link"),
        (_fifo, "not a regular file"),
        (_two, "not exactly one private key"),
        (_binary, "does not hold a key"),
        (_large, "larger than"),
        (_of_a_log, "must not cosign"),
        (os.unlink, "no key at"),
    ],
)
def test_anything_odd_is_refused(tmp_path, change, words):
    path = tmp_path / "key"
    keyfile.make(path, "w.example")
    change(path)
    with pytest.raises(KeyRefused, match=words):
        keyfile.load(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_key_of_another_user_is_refused(tmp_path):
    path = tmp_path / "key"
    keyfile.make(path, "w.example")
    os.chown(path, 12345, -1)
    with pytest.raises(KeyRefused, match="chown"):
        keyfile.load(path)
