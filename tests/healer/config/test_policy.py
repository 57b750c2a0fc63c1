import pytest

from audit.ed25519 import Secret
from audit.note import Kind, Signer
from healer.config import policy
from healer.config.values import Timestamps
from healer.errors import ConfigError


def witness(name, url=" http://127.0.0.1:1"):
    secret = Secret.from_seed(name.encode().ljust(32))  # the same in every run: the text names tests
    return f"witness {name} {Signer(f'w.example/{name}', secret, Kind.COSIGNATURE).verifier.vkey()}{url}\n"


def test_a_policy_whose_quorum_can_be_asked_is_no_trouble(tmp_path):
    path = tmp_path / "policy"
    path.write_text(witness("a") + witness("b", "") + "group g 1 a b\nquorum g\n")
    assert policy.trouble(str(path)) == ""
    assert policy.trouble("") == ""
    assert [one.name for one in policy.read(path).witnesses] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (witness("a") + "quorum none\n", "asks for nobody"),
        (witness("a", "") + "quorum a\n", "has a URL"),
        (witness("a") + witness("b", "") + "group g all a b\nquorum g\n", "not enough"),
        (witness("a", " file:///etc/passwd") + "quorum a\n", "the witness a: 'file:///etc/passwd' is no witness's URL"),
        (witness("a") + witness("b", " unix:relative") + "group g 1 a b\nquorum g\n", "the witness b: 'unix:relative'"),
        (witness("a"), "no quorum line"),
        ("witness a x http://h\nquorum a\n", "line 1"),
        ("quorum a", "no newline"),
        ("", "no quorum line"),
        ("\0\n", "control character"),
    ],
)
def test_a_policy_by_which_nothing_is_ever_witnessed_is_told(tmp_path, text, says):
    path = tmp_path / "policy"
    path.write_text(text)
    assert says in policy.trouble(str(path))


def test_a_policy_that_cannot_be_read_is_told(tmp_path):
    assert "is missing" in policy.trouble(str(tmp_path / "policy"))
    assert "not a regular file" in policy.trouble(str(tmp_path))
    with pytest.raises(ConfigError, match=r"audit\.policy"):
        policy.read(tmp_path)


def test_certificates_that_cannot_be_used_are_told(tmp_path):
    def told(path):
        return policy.roots_trouble(Timestamps(url="http://h/", roots=str(path)))

    assert policy.roots_trouble(None) == ""
    assert "No such file" in told(tmp_path / "roots")
    assert "not a regular file" in told(tmp_path)
    for text in ("", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "?" * 2_000_000):
        (tmp_path / "roots").write_text(text)
        assert "audit.timestamps.roots" in told(tmp_path / "roots")


def test_a_policy_is_given_this_logs_line_where_it_has_none(tmp_path):
    ours, other = (Signer("log.example", Secret.generate()).verifier.vkey() for _ in range(2))
    path = tmp_path / "policy"
    path.write_text(witness("a") + "quorum a\n")
    assert policy.with_log(path, ours) == path.read_bytes() + f"log {ours}\n".encode()
    path.write_bytes(policy.with_log(path, ours))
    assert policy.with_log(path, ours) == path.read_bytes()
    with pytest.raises(ConfigError, match="another key"):
        policy.with_log(path, other)
