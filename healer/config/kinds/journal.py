"""Keys of what is followed in systemd's journal."""

from healer.config.kinds.own import Own
from healer.config.kinds.patterns import PATTERNS, check_patterns
from healer.config.words import PATH
from healer.model.kinds.journal import PRIORITIES
from healer.yamldoc.parsers import Text, Word
from healer.yamldoc.shape import Field, ListOf

_UNIT = Text(pattern=r"[A-Za-z0-9:_.@\\-]{1,255}", called="the name of a unit")
OWN = Own(
    fields=(
        Field(
            name="units",
            shape=ListOf(_UNIT, alone=True, most=64),
            default=(),
            doc="units whose entries count; else all",
        ),
        Field(
            name="identifiers",
            shape=ListOf(Text(longest=255), alone=True, most=64),
            default=(),
            doc="names programs give themselves (SYSLOG_IDENTIFIER); else all",
        ),
        Field(name="priority", shape=Word(PRIORITIES), default="debug", shown="debug", doc="this and worse ones count"),
        PATTERNS,
        Field(name="directory", shape=PATH, doc="folder of journal files to follow; else this host's"),
    ),
    every=5.0,
    shown="5s",
    check=check_patterns,
)
