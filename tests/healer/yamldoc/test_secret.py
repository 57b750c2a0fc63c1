import os

import pytest

from healer.errors import ConfigError, HealerError
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.secret import Secret, SecretRef, TextOrSecret
from healer.yamldoc.shape import Bad


def read(text, shape=None):
    return document.text(text, shape or SecretRef(), Problems())


def told(text, shape=None):
    problems = Problems()
    with pytest.raises(Bad):
        document.text(text, shape or SecretRef(), problems)
    with pytest.raises(ConfigError) as error:
        problems.check("x")
    return str(error.value.problems)


def test_a_secret_is_a_name_of_a_place():
    assert read("{credential: token}") == Secret(credential="token")
    assert read("{file: /etc/healer/key}") == Secret(file="/etc/healer/key")
    assert read("Bearer x", TextOrSecret()) == "Bearer x"
    assert read("{credential: token}", TextOrSecret()) == Secret(credential="token")
    assert str(Secret(credential="token")) == "{credential: token}"


@pytest.mark.parametrize("text", ["hunter2", "[hunter2]", "{credential: a, file: /hunter2}"])
def test_what_was_written_instead_of_a_name_is_never_repeated(text):
    assert "hunter2" not in told(text)


@pytest.mark.parametrize(
    "text",
    ["{credental: x}", "{credential: ../x}", "{credential: ..}", "{credential: }", "{file: rel}", "{file: [x]}", "{}"],
)
def test_wrong_references_are_refused(text):
    assert told(text)


def test_numbers_are_neither_text_nor_secret():
    assert "text" in told("5", TextOrSecret())


def test_a_secret_is_read_when_it_is_used(tmp_path):
    (tmp_path / "token").write_text("hunter2\n")
    (tmp_path / "token").chmod(0o600)
    assert Secret(credential="token").reveal({"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "hunter2"
    assert Secret(file=str(tmp_path / "token")).reveal({}) == "hunter2"


def test_a_secret_anybody_can_read_is_none(tmp_path):
    path = tmp_path / "token"
    path.write_text("hunter2")
    path.chmod(0o644)
    with pytest.raises(HealerError, match="everybody") as told_so:
        Secret(file=str(path)).reveal({})
    assert "hunter2" not in str(told_so.value)


def test_secrets_that_are_not_there_say_what_to_do(tmp_path):
    with pytest.raises(HealerError, match="LoadCredential"):
        Secret(credential="token").reveal({})
    with pytest.raises(HealerError, match="cannot be read"):
        Secret(file=str(tmp_path / "nothing")).reveal({})
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HealerError, match="regular file"):
        Secret(file=str(tmp_path / "pipe")).reveal({})
    (tmp_path / "octets").write_bytes(b"\xff\xfe")
    (tmp_path / "octets").chmod(0o600)
    with pytest.raises(HealerError, match="UTF-8"):
        Secret(file=str(tmp_path / "octets")).reveal({})


def test_the_schema_knows_both_forms():
    assert len(SecretRef().schema()["oneOf"]) == 2
    assert len(TextOrSecret().schema()["anyOf"]) == 2
