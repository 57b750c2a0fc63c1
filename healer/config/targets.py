"""Every key a target or program can have, declared once per kind."""

import re
from collections.abc import Mapping
from typing import Any

from healer.config.kinds.catalog import OWN
from healer.config.kinds.own import Own
from healer.config.kinds.unit import INSTANCES
from healer.config.words import ARGV, MODES, NAMED, PATH, URL, address
from healer.model.kinds.catalog import KINDS
from healer.model.mode import Mode
from healer.model.organism import ORGANS
from healer.model.target import EMPTY, Target
from healer.model.verbs import SIGNALS
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import Node, Scalar
from healer.yamldoc.parsers import NAME, Count, Duration, Flag, Text, Word
from healer.yamldoc.secret import TextOrSecret
from healer.yamldoc.shape import Bad, ByKind, Field, ListOf, MapOf, Record, Values

_CHECK = Text(pattern=rf"command:{NAME}", called="command:NAME")
_NO_KIND = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}", re.ASCII)


class _Required(Text):
    """A target, or a group, that another one needs."""

    def read(self, node: Node, problems: Problems) -> str:
        """Its id."""
        if isinstance(node, Scalar) and isinstance(node.value, str) and _NO_KIND.fullmatch(node.value):
            hint = f"write its kind too, such as program:{node.value}"
            problems.add(node.mark, f"'{node.value}' is not {self.expected()}", hint)
            raise Bad
        return str(super().read(node, problems))


_REQUIRED = _Required(pattern=rf"[a-z]+:{NAME}", called="kind:name or group:NAME")

_EVIDENCE = Record(
    Field(name="keep", shape=Flag(), default=True, shown="true", doc="false: none, unless a rule asks for it"),
    Field(name="files", shape=ListOf(PATH, alone=True), default=(), doc="its configuration: when did it last change"),
    name="evidence",
    build=lambda values, _: values,
)


def _common(organ: str, *, every: float, shown: str) -> tuple[Field, ...]:
    return (
        Field(name="name", shape=NAMED, required=True, doc="unique within its kind"),
        Field(name="organ", shape=Word(ORGANS), default=organ, shown=organ, doc="the organ it belongs to"),
        Field(
            name="labels", shape=MapOf(Text(), pattern=NAME, named="label"), default=EMPTY, doc="your own words on it"
        ),
        Field(name="groups", shape=ListOf(NAMED, alone=True), default=(), doc="groups it is a member of"),
        Field(
            name="requires",
            shape=ListOf(_REQUIRED, alone=True),
            default=(),
            doc="targets it cannot do without (all of them), or group:NAME (any member)",
        ),
        Field(
            name="config_check",
            shape=_CHECK,
            doc="a command target that tests its configuration: while that fails, it is not restarted",
        ),
        Field(
            name="cgroup",
            shape=PATH,
            doc="its control group below /sys/fs/cgroup (version 2): looked at for stalls and CPU throttling",
        ),
        Field(
            name="volumes",
            shape=ListOf(PATH, alone=True),
            doc="paths it lives on: only when their file systems are full is it not restarted; else, when any is",
        ),
        Field(name="evidence", shape=_EVIDENCE, doc="what is kept of it before it is ended, or after it died"),
        Field(name="mode", shape=MODES, default=Mode.AUTO, shown="auto", doc="ceiling for actions on it"),
        Field(
            name="startup_grace",
            shape=Duration(0.0, 86400.0),
            default=2.0,
            shown="2s",
            doc="after a start or action, what is seen does not count for this long",
        ),
        Field(name="every", shape=Duration(0.1, 86400.0), default=every, shown=shown, doc="interval between looks"),
    )


_SEEN = (
    Field(name="timeout", shape=Duration(0.05, 3600.0), default=5.0, shown="5s", doc="a look is given up after this"),
    Field(name="max_age", shape=Duration(0.1, 86400.0), doc="what was seen counts for this long; else three looks"),
)
_JSON = Record(
    Field(name="state", shape=Text(), doc="path in the reply to a word, such as status.name"),
    Field(name="error", shape=Text(), doc="path to a flag or text that says there is an error"),
    Field(name="message", shape=Text(), doc="path to a text for people"),
    Field(name="value", shape=Text(), doc="path to a number"),
    Field(name="metrics", shape=MapOf(Text(), pattern=NAME), doc="further numbers: name -> path"),
)
_PURGE = Record(
    Field(name="url", shape=URL, required=True, doc="address to ask; no secrets in it"),
    Field(name="method", shape=Word(("PURGE", "POST", "DELETE", "BAN")), default="PURGE", shown="PURGE", doc="how"),
    Field(name="headers", shape=MapOf(TextOrSecret()), default=EMPTY, doc="sent along; secrets by reference"),
    Field(
        name="ok", shape=ListOf(Count(100, 599), least=1, alone=True), doc="statuses that mean it is empty; else 2xx"
    ),
    name="purge",
    build=lambda values, _: values,
)
_HTTP = (
    Field(name="url", shape=URL, required=True, doc="address asked with GET; no secrets in it"),
    Field(
        name="expect",
        shape=Record(
            Field(
                name="status",
                shape=ListOf(Count(100, 599), least=1, alone=True),
                doc="statuses that are fine; else 2xx",
            ),
            Field(name="body", shape=Text(), doc="text that the answer must hold"),
        ),
        doc="what a good answer looks like",
    ),
    Field(name="headers", shape=MapOf(TextOrSecret()), default=EMPTY, doc="sent along; secrets by reference"),
    Field(name="json", shape=_JSON, doc="what to read out of a JSON reply"),
    Field(name="verify_tls", shape=Flag(), default=True, shown="true", doc="false: any certificate will do"),
    Field(name="purge", shape=_PURGE, doc="how clear_cache empties the cache behind it; without this, it cannot"),
)
_TCP = (
    Field(name="host", shape=Text(longest=255), default="127.0.0.1", shown="127.0.0.1", doc="host name or address"),
    Field(name="port", shape=Count(1, 65535), required=True, doc="port"),
)
_COMMAND = (
    Field(name="argv", shape=ARGV, required=True, doc="the command, no shell; it prints a number or JSON"),
    Field(name="json", shape=_JSON, doc="what to read out of its JSON"),
    Field(name="user", shape=NAMED, doc="account to run as; else the agent's own"),
    Field(name="env", shape=MapOf(Text(empty=True)), default=EMPTY, doc="added to a clean environment"),
)
_PROCESS = (
    Field(name="process", shape=Text(), doc="pattern over the program's name (* and ?)"),
    Field(name="cmdline", shape=Text(), doc="pattern over the whole command line (* and ?)"),
    Field(name="user", shape=NAMED, doc="account it runs as"),
    Field(name="pidfile", shape=PATH, doc="file that holds its pid; never trusted alone"),
)


def _ready(values: Values, problems: Problems) -> Mapping[str, Any]:
    ways = [key for key in ("http", "tcp", "file", "command") if values[key] is not None]
    if len(ways) != 1:
        problems.add(values.mark, f"expected one ready check, found {len(ways)}", "one of: http, tcp, file, command")
        raise Bad
    return {ways[0]: values[ways[0]], "within": values["within"]}


_READY = Record(
    Field(name="http", shape=URL, doc="answers 2xx or 3xx"),
    Field(name="tcp", shape=Text(called="host:port", parse=address), doc="takes connections"),
    Field(name="file", shape=Text(), doc="exists; relative to cwd"),
    Field(name="command", shape=ARGV, doc="exits 0"),
    Field(
        name="within", shape=Duration(0.1, 3600.0), default=30.0, shown="30s", doc="else it is not counted as started"
    ),
    build=_ready,
)
_STOP = Record(
    Field(name="signal", shape=Word(SIGNALS), default="TERM", shown="TERM", doc="sent first, to its whole group"),
    Field(name="grace", shape=Duration(0.0, 3600.0), default=5.0, shown="5s", doc="until KILL"),
)
_PROGRAM = (
    Field(name="command", shape=ARGV, required=True, doc="the command, no shell"),
    Field(name="cwd", shape=PATH, default="/", shown="/", doc="working directory"),
    Field(name="env", shape=MapOf(Text(empty=True)), default=EMPTY, doc="added to a clean environment"),
    Field(name="user", shape=NAMED, doc="account to run as; else the agent's own"),
    Field(
        name="autostart",
        shape=Flag(),
        default=True,
        shown="true",
        doc="started with the agent; when it dies, the rules start it",
    ),
    Field(name="ready", shape=_READY, doc="how to tell that it can do its work"),
    Field(
        name="instances",
        shape=INSTANCES,
        doc="of one named NAME@1: how many of the declared NAME@1, NAME@2 ... `scale` may run",
    ),
    Field(name="stop", shape=_STOP, default={"signal": "TERM", "grace": 5.0}, doc="how it is stopped"),
    Field(
        name="on_stop",
        shape=Word(("stop", "keep")),
        doc="what happens to it when the agent stops; else stop in a terminal, keep as a service",
    ),
)
_NOT_SPEC = ("kind", "name", "organ", "labels", "groups", "requires", "mode", "startup_grace")


def _findable(values: Values, problems: Problems) -> None:
    if not any(values[key] for key in ("process", "cmdline", "user", "pidfile")):
        problems.add(values.mark, "nothing to find the process by", "give process, cmdline, user or pidfile")
        raise Bad


def _target(kind: str, values: Values) -> Target:
    spec = {key: value for key, value in values.items() if key not in _NOT_SPEC and value is not None}
    return Target(
        kind=kind,
        name=values["name"],
        organ=values["organ"],
        groups=values["groups"],
        labels=tuple(sorted(values["labels"].items())),
        requires=values["requires"],
        mode=values["mode"],
        startup_grace=values["startup_grace"],
        spec=spec,
    )


def _record(kind: str, own: Own) -> Record:
    def build(values: Values, problems: Problems) -> Target:
        own.check(values, problems)
        return _target(kind, values)

    word = Field(name="kind", shape=Word((kind,)), required=True, doc="kind of target")
    common = _common(KINDS[kind].organ, every=own.every, shown=own.shown)
    return Record(word, *common, *_SEEN, *own.fields, name=kind, build=build)


PROGRAM = Record(
    *_common("heart", every=1.0, shown="1s"),
    *_PROGRAM,
    name="program",
    build=lambda values, _: _target("program", values),
)
_RECORDS: dict[str, Record] = {
    kind: _record(kind, own)
    for kind, own in {
        "process": Own(fields=_PROCESS, every=5.0, shown="5s", check=_findable),
        "http": Own(fields=_HTTP),
        "tcp": Own(fields=_TCP),
        "command": Own(fields=_COMMAND, every=60.0, shown="60s"),
        **OWN,
    }.items()
}
TARGET = ByKind(_RECORDS, hints={"program": "programs stand under programs:, without a kind"})


def learn(kind: str, own: Own) -> None:
    """Take up the keys of a plug-in's kind, which `healer.model.vocabulary.learn` has taken up before."""
    _RECORDS[kind] = _record(kind, own)


def forget(kind: str) -> None:
    """Undo `learn`."""
    del _RECORDS[kind]
