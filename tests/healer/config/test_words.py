"""Shapes that many keys share refuse what makes no sense, with what would."""

import pytest

from healer.config.words import ARGV, MODES, NAMED, PATH, URL
from healer.model.mode import Mode
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Bad


def read(text, shape):
    return document.text(text, shape, Problems())


@pytest.mark.parametrize(
    ("text", "shape", "means"),
    [
        ("/var/lib/api", PATH, "/var/lib/api"),
        ("http://127.0.0.1:8080/x?y=1", URL, "http://127.0.0.1:8080/x?y=1"),
        ("web@1.service", NAMED, "web@1.service"),
        ("approve", MODES, Mode.APPROVE),
        ("[sleep, '5']", ARGV, ("sleep", "5")),
    ],
)
def test_what_makes_sense_is_taken(text, shape, means):
    assert read(text, shape) == means


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("relative/path", PATH),
        ('"/nul\\0"', PATH),
        ("ftp://host/", URL),
        ("http://user:secret@host/", URL),
        ("http://ho st/", URL),
        ("-begins", NAMED),
        ('"two words"', NAMED),
        ("always", MODES),
        ("[]", ARGV),
        ("a shell | line", ARGV),
    ],
)
def test_what_makes_none_is_refused(text, shape):
    with pytest.raises(Bad):
        read(text, shape)
