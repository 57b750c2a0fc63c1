"""The agent's own words: an event's name and its fields, on stderr, with journald's priorities when it reads them."""

import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import TextIO

from healer.errors import HealerError

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""Syslog's numbers, as sd-daemon(3) wants them in angle brackets before a line."""
_LEVELS = ("debug", "info", "warning", "error", "critical")
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Lines(logging.Formatter):
    """``event key=value key=value``, one line per event whatever is in a value."""

    def __init__(self, *, priorities: bool) -> None:
        super().__init__()
        self._priorities = priorities

    def format(self, record: logging.LogRecord) -> str:
        """One record (a traceback follows on lines of its own)."""
        fields = {name: value for name, value in record.__dict__.items() if name not in _OWN}
        text = " ".join([record.getMessage(), *(f"{name}={_value(value)}" for name, value in fields.items())])
        text = _CONTROL.sub(" ", text)
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        if not self._priorities:
            return f"{record.levelname.lower():<8} {text}"
        mark = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(mark + one for one in text.split("\n"))


def _value(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text or not text else text


def setup(levels: str, environ: Mapping[str, str] | None = None, stream: TextIO | None = None) -> None:
    """Log to stderr: ``info``, or parts apart: ``info,poll=debug``. Raises HealerError for a level there is not."""
    environ = os.environ if environ is None else environ
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(Lines(priorities="JOURNAL_STREAM" in environ))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for part in levels.split(","):
        name, sep, level = part.strip().rpartition("=")
        if level.lower() not in _LEVELS or (sep and not name):
            raise HealerError(f"there is no log level {part.strip()!r}", hint=f"{', '.join(_LEVELS)}, or PART=LEVEL")
        logger = logging.getLogger(f"healer.{name}" if name else "healer")
        logger.setLevel(level.upper())
