"""Keys of a file or folder, and what may be done to it: nothing, unless it is declared here."""

from healer.config.kinds.own import Own
from healer.config.words import ARGV, NAMED, PATH
from healer.model.paths import refusal
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Count, Duration, Flag, Size, Text
from healer.yamldoc.shape import Bad, Field, Record, Values

_CLEAR = Record(
    Field(name="older", shape=Duration(), default=86400.0, shown="1d", doc="only what has not changed for this long"),
    Field(name="pattern", shape=Text(longest=256), default="*", shown="*", doc="of the file's name (* and ?)"),
    Field(name="keep", shape=Size(), default=0.0, shown="0B", doc="the newest files stay, up to this much in all"),
    Field(
        name="most", shape=Count(1, 1_000_000), default=10_000, shown="10000", doc="files deleted in one go, at most"
    ),
    Field(
        name="most_bytes", shape=Size(1), default=float(10 * 2**30), shown="10GiB", doc="bytes freed in one go, at most"
    ),
    name="clear",
    build=lambda values, _: values,
)


def _one_way(values: Values, problems: Problems) -> Values:
    if values["sqlite"] == (values["command"] is not None):
        problems.add(values.mark, "expected one way to repair it", "sqlite: true, or command: [PROGRAM, ...]")
        raise Bad
    return values


_REPAIR = Record(
    Field(name="sqlite", shape=Flag(), default=False, shown="false", doc="it is a database of SQLite"),
    Field(name="command", shape=ARGV, doc="mends it, no shell; {path} is a whole argument; exits 0 when it did"),
    Field(name="user", shape=NAMED, doc="account the command runs as; else the agent's own"),
    name="repair",
    build=_one_way,
)


def _safe(values: Values, problems: Problems) -> None:
    if values["clear"] is not None and (because := refusal(str(values["path"]))):
        problems.add(values.where("path"), f"nothing may be deleted there: {because}", "name the cache's own folder")
        raise Bad


OWN = Own(
    fields=(
        Field(name="path", shape=PATH, required=True, doc="the file, or folder"),
        Field(name="match", shape=Text(), doc="plain text looked for in it"),
        Field(
            name="max_size",
            shape=Size(1, 2**30),
            default=1048576.0,
            shown="1MiB",
            doc="at most this much of it is read",
        ),
        Field(name="follow", shape=Flag(), default=True, shown="true", doc="false: a symbolic link is not followed"),
        Field(name="checksum", shape=Flag(), default=False, shown="false", doc="true: hash its content at every look"),
        Field(name="clear", shape=_CLEAR, doc="what clear_cache may delete below it; without this, nothing"),
        Field(name="aside", shape=PATH, doc="folder on the same device to which quarantine moves it; else it cannot"),
        Field(name="repair", shape=_REPAIR, doc="how repair mends it; without this, it cannot"),
    ),
    check=_safe,
)
