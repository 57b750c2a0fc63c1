import pytest

from healer.importing import secrets
from healer.importing.harvest import Fate, Harvest
from healer.yamldoc.mark import Mark

HERE = Mark(file="f", line=1, column=1)


@pytest.mark.parametrize(
    "text",
    [
        "postgres://app:hunter22@db/x",
        "http://h/?token=hunter22&x=1",
        "http://h/?x=1&api_key=hunter22",
        "/bin/x --password=hunter22",
        "/bin/x --db-password hunter22 y",
        "curl -H 'Authorization: Bearer hunter22'",
        "MYSQL_PASSWORD=hunter22 x",
    ],
)
def test_secrets_are_taken_out_and_listed(text):
    harvest = Harvest()
    clean, found = secrets.without(harvest, text, HERE, "thing")
    assert found
    assert "hunter22" not in clean
    assert harvest.credentials == {"thing": "hunter22"}
    assert [item.what for item in harvest.of(Fate.LEFT)] == ["a secret in thing"]


@pytest.mark.parametrize("text", ["http://h:80/x?y=1", "/bin/x --port 80", "mail to ops@example.com: passed", ""])
def test_what_is_no_secret_stays(text):
    assert secrets.without(Harvest(), text, HERE, "thing") == (text, False)


@pytest.mark.parametrize(
    "key", ["DB_PASSWORD", "password", "api_key", "API-KEY", "authToken", "client_secret", "Authorization"]
)
def test_what_is_called_a_secret_is_one(key):
    assert secrets.is_secret(key)


@pytest.mark.parametrize("key", ["PORT", "LANG", "author", "compass", "keyboard"])
def test_other_names_are_none(key):
    assert not secrets.is_secret(key)


def test_what_is_only_quoted_is_quoted_without_them():
    said = "x --token=abc y postgres://u:abc@h/ http://h/?key=abc&b=1 PASSWORD=abc"
    assert secrets.redacted(said) == "x --token=*** y postgres://u:***@h/ http://h/?key=***&b=1 PASSWORD=***"
