"""Errors say what happened and what to do."""

from audit import errors


def test_hint_follows_the_message():
    assert str(errors.KeyRefused("the key is open to others", hint="run: chmod 600 seal.pem")) == (
        "the key is open to others (run: chmod 600 seal.pem)"
    )
    assert str(errors.Busy("busy")) == "busy"


def test_every_error_has_one_root():
    names = [value for value in vars(errors).values() if isinstance(value, type)]
    assert all(issubclass(name, errors.AuditError) for name in names)
