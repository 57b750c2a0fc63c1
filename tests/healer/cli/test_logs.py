import io
import logging

import pytest

from healer.cli import logs
from healer.errors import HealerError


@pytest.fixture(autouse=True)
def restored():
    """Logging is the process's own: put it back."""
    root, parts = logging.getLogger(), ("healer", "healer.poll")
    handlers, level, levels = root.handlers[:], root.level, [logging.getLogger(name).level for name in parts]
    yield
    root.handlers, root.level = handlers, level
    for name, old in zip(parts, levels, strict=True):
        logging.getLogger(name).setLevel(old)


def said(levels: str, environ: dict | None = None) -> io.StringIO:
    stream = io.StringIO()
    logs.setup(levels, environ or {}, stream)
    return stream


def test_an_event_is_one_line_with_its_fields():
    stream = said("info")
    logging.getLogger("healer.app").info(
        "sensor.failed", extra={"sensor": "disk", "because": "it\nlied \x1b[2J", "no": ""}
    )
    assert stream.getvalue() == 'info     sensor.failed sensor=disk because="it lied  [2J" no=""\n'


def test_journald_gets_its_priorities_on_every_line():
    stream = said("warning", {"JOURNAL_STREAM": "1:2"})
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("healer.app").exception("crashed")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "<3>crashed"
    assert all(line.startswith("<3>") for line in lines)
    assert "ZeroDivisionError" in lines[-1]


def test_a_part_can_speak_more_than_the_rest():
    stream = said("warning,poll=debug")
    logging.getLogger("healer.poll").debug("here")
    logging.getLogger("healer.app").info("not here")
    logging.getLogger("somebody.else").info("nor here")
    assert stream.getvalue() == "debug    here\n"


@pytest.mark.parametrize("levels", ["loud", "info,poll=very", "=debug", "", "info,"])
def test_a_level_there_is_not_is_refused(levels):
    with pytest.raises(HealerError, match="no log level"):
        said(levels)
