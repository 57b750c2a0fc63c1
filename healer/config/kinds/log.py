"""Keys of a log file."""

from healer.config.kinds.own import Own
from healer.config.kinds.patterns import PATTERNS, check_patterns
from healer.config.words import PATH
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Flag, Size
from healer.yamldoc.shape import Bad, Field, Values


def _check(values: Values, problems: Problems) -> None:
    check_patterns(values, problems)
    if "**" in values["path"]:
        problems.add(
            values.where("path"), "** is not followed", "* stands for a name, in each folder it is written for"
        )
        raise Bad


OWN = Own(
    fields=(
        Field(name="path", shape=PATH, required=True, doc="the file, or several: *, ? and [...] stand within a name"),
        PATTERNS,
        Field(
            name="backlog",
            shape=Size(1 << 20, 1 << 40),
            default=float(64 << 20),
            shown="64MiB",
            doc="when more than this waits in one file, all but its end is skipped, and told",
        ),
        Field(name="link", shape=Flag(), default=False, shown="false", doc="true: a symbolic link is followed"),
    ),
    every=2.0,
    shown="2s",
    check=_check,
)
