"""Every way to tell people says what is wrong with it before the night in which it is needed."""

import re
from pathlib import Path

import pytest

from healer.config import load_config
from healer.config.channel import Query
from healer.errors import ConfigError

MAIL = {"kind": "email", "host": "mail.example.org", "sender": "healer@example.org", "recipients": "ops@example.org"}
SMS = {"kind": "sms", "url": "https://sms.example.org/", "body": {"to": "{number}", "text": "{text}"}, "country": "48"}


def channel(**keys):
    return load_config({"notify": {"x": keys}}, environ={}).notify["x"]


def wrong(**keys):
    with pytest.raises(ConfigError) as caught:
        channel(**keys)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_follows_from_how_tls_is_had(tls, port):
    assert channel(**MAIL, tls=tls).email.port == port
    assert channel(**MAIL, tls=tls, port=2525).email.port == 2525


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({**MAIL, "user": "x"}, "user and password go together"),
        ({**MAIL, "password": "hunter2"}, "secrets are named, never written here"),
        ({**MAIL, "tls": "none", "user": "x", "password": {"credential": "p"}}, "over the wire as it is"),
        ({**MAIL, "tls": "none", "ca": "/ca.pem"}, "no certificate is looked at"),
        ({**MAIL, "key": "/k.pem"}, "a key without its certificate"),
        ({**MAIL, "recipients": []}, "an empty list"),
        ({**MAIL, "recipients": "ops"}, "no mail address"),
        ({**MAIL, "recipients": "a@b.c\r\nBcc: x@y.z"}, "no mail address"),
        ({**MAIL, "sender": "a@b.c, d@e.f"}, "no mail address"),
        ({**MAIL, "recipients": {"sql": "postgres:main"}}, "'query' is missing"),
        ({**MAIL, "host": "mail example"}, "is not a host"),
        ({**MAIL, "alerts": {"least": "loud"}}, "unknown word 'loud'"),
        ({**MAIL, "alerts": {"about": ["weather"]}}, "unknown word 'weather'"),
        ({**MAIL, "alerts": {"wait": 10}}, "has no unit"),
        ({**MAIL, "error_limit": 0}, "out of bounds"),
        ({**SMS, "recipients": "call me"}, "no telephone number"),
        ({**SMS, "recipients": "600 123 456", "country": "0"}, "is not a country's digits"),
        ({**SMS, "recipients": "+48600123456", "body": {"to": "{number}"}}, "no field of the body has {text}"),
        ({**SMS, "recipients": "+48600123456", "body": {"to": "{number}", "t": "{text} {evil}"}}, "there is no {evil}"),
        (
            {**SMS, "recipients": "+48600", "encoding": "query", "body": SMS["body"] | {"k": {"credential": "k"}}},
            "a secret in an address",
        ),
        ({**SMS, "recipients": "+48600123456", "method": "GET"}, "a GET has no body"),
        ({key: value for key, value in SMS.items() if key != "country"} | {"recipients": "600 123 456"}, "no country"),
        ({"kind": "apprise", "urls": ["tgram://token/chat"]}, "secrets are named, never written here"),
        ({"kind": "apprise", "urls": []}, "an empty list"),
    ],
)
def test_mistakes_are_told(keys, says):
    assert says in wrong(**keys)


def test_a_secret_that_was_written_down_is_not_repeated():
    assert "hunter2" not in wrong(**MAIL, password="hunter2")


def test_who_is_told_may_be_asked_of_a_database():
    mail = {**MAIL, "recipients": {"sql": "sql:staff", "query": "select mail from oncall"}}
    staff = {"kind": "sql", "name": "staff", "path": "/var/lib/staff.db", "queries": {"all": "select 1"}}
    made = load_config({"notify": {"x": mail}, "targets": [staff]}, environ={}).notify["x"]
    assert made.email.recipients == Query(sql="sql:staff", query="select mail from oncall")
    assert "asks sql:staff whom to tell, which is not declared" in wrong(**mail)


def test_a_channel_without_alerts_is_told_what_rules_tell_it_and_nothing_else():
    assert channel(**MAIL).alerts is None
    assert channel(**MAIL, alerts={}).alerts.least == "warning"
    assert channel(kind="journal", alerts={"about": "log", "wait": "0s"}).alerts.about == ("log",)


PAGE = Path(__file__).parents[3] / "docs" / "alerts.md"


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
def test_the_examples_of_the_page_load(tmp_path, block):
    (tmp_path / "o.yaml").write_text(block, encoding="utf-8")
    assert len(load_config(tmp_path / "o.yaml", environ={}).notify) > 1
