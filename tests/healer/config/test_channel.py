"""A channel as a value: what is secret in it stays a reference."""

from healer.config.channel import JOURNAL, Channel, Email
from healer.yamldoc.secret import Secret


def test_the_journal_is_a_channel_like_any_other():
    assert (JOURNAL.name, JOURNAL.kind, JOURNAL.alerts) == ("journal", "journal", None)


def test_a_password_is_a_reference_and_nothing_else():
    mail = Email(host="h", sender="a@b", recipients=("c@d",), password=Secret(credential="mail"))
    shown = repr(Channel(name="mail", kind="email", email=mail))
    assert "credential" in shown
