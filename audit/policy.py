"""Whose signatures make a checkpoint worth believing: a file of logs, witnesses and a quorum (c2sp.org/tlog-policy)."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from audit.errors import KeyRefused, Malformed
from audit.note import Kind, Verifier

MAX_FILE: Final = 1_000_000
MAX_LINES: Final = 1000
NONE: Final = "none"
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
_WHITE: Final = re.compile("[ \t]+")
_NUMBER: Final = re.compile("[1-9][0-9]{0,3}", re.ASCII)
_FORMS: Final = {
    "log": "log <vkey> [<url>]",
    "witness": "witness <name> <vkey> [<url>]",
    "group": "group <name> <all|any|number> <name>...",
    "quorum": "quorum <name>",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A log whose checkpoints are accepted."""

    verifier: Verifier
    """Its name is the log's origin."""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Somebody who cosigns checkpoints."""

    name: str
    """What the policy calls him; it means nothing outside of it."""
    verifier: Verifier
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Witnesses and groups, so many of whom count as one."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy as it was read: every name in it is defined, and nothing is defined by itself."""

    logs: tuple[Log, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    """Each names only witnesses and groups before it."""
    quorum: str
    """A witness, a group, or ``none``."""

    @property
    def asks_for_nobody(self) -> bool:
        """Whether no cosignature at all is needed: what satisfies such a policy has not been witnessed."""
        return self.quorum == NONE

    def satisfied(self, names: Collection[str]) -> bool:
        """Tell whether cosignatures of these witnesses (by the policy's names, others are ignored) are the quorum."""
        if self.asks_for_nobody:
            return True
        counted = {witness.name for witness in self.witnesses if witness.name in names}
        for group in self.groups:
            if sum(member in counted for member in group.members) >= group.threshold:
                counted.add(group.name)
        return self.quorum in counted

    def names_of(self, verifiers: Iterable[Verifier]) -> set[str]:
        """Return what the policy calls those of its witnesses whose keys these are."""
        keys = set(verifiers)
        return {witness.name for witness in self.witnesses if witness.verifier in keys}

    def verifiers_of(self, origin: str) -> list[Verifier]:
        """Return the keys of the log of that origin, in order; none where the policy does not know it."""
        return [log.verifier for log in self.logs if log.verifier.name == origin]


def parse(text: str | bytes) -> Policy:
    """Read a policy of at most 1 MB and 1000 lines; raises ``Malformed`` that names the line."""
    # Names are octets, compared as they are: what is not UTF-8 is carried through unchanged.
    decoded = text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text
    if len(decoded) > MAX_FILE:
        raise Malformed(f"a policy of more than {MAX_FILE} bytes is refused")
    reader = _Reader()
    for words in reader.numbered(decoded):
        reader.read(*words)
    return reader.policy()


class _Reader:
    """What has been read so far, and where."""

    def __init__(self) -> None:
        self.line = 0
        self.logs: list[Log] = []
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.quorums: list[str] = []
        self.defined: dict[str, int] = {}
        self.grouped: dict[str, int] = {}

    def wrong(self, because: str, hint: str = "") -> NoReturn:
        raise Malformed(f"line {self.line}: {because}", hint=hint)

    def numbered(self, text: str) -> Iterator[list[str]]:
        """Yield the words of each line that has any."""
        lines = text.split("\n")
        if len(lines) > MAX_LINES:
            raise Malformed(f"a policy of more than {MAX_LINES} lines is refused")
        for self.line, line in enumerate(lines, 1):
            if found := _FORBIDDEN.search(line):
                self.wrong(f"it holds the control character {found[0]!r}", "only tabs and newlines are allowed")
            if self.line == len(lines) and line:
                self.wrong("the last line has no newline at its end", "was the file cut short?")
            words = _WHITE.split(line.strip(" \t"))
            if words[0] and not words[0].startswith("#"):
                yield words

    def read(self, keyword: str, *words: str) -> None:
        if keyword == "log" and len(words) in {1, 2}:
            self.log(*words)
        elif keyword == "witness" and len(words) in {2, 3}:
            self.witness(*words)
        elif keyword == "group" and len(words) >= 3:
            self.group(words[0], words[1], words[2:])
        elif keyword == "quorum" and len(words) == 1:
            self.quorum(words[0])
        elif keyword in _FORMS:
            self.wrong(f"{keyword!r} has {len(words)} words after it", f"write {_FORMS[keyword]}")
        else:
            self.wrong(f"{keyword[:60]!r} is not known", f"a line begins with {', '.join(_FORMS)} or #")

    def log(self, vkey: str, url: str = "") -> None:
        verifier = self.key(vkey)
        if verifier.kind is Kind.COSIGNATURE:
            self.wrong("this is the key of a witness, not of a log", "a log's key is of the kind 0x01 or 0x06")
        if any(log.verifier.public == verifier.public for log in self.logs):
            self.wrong("this log's key has been given before")
        self.logs.append(Log(verifier=verifier, url=url))

    def witness(self, name: str, vkey: str, url: str = "") -> None:
        verifier = self.key(vkey)
        if verifier.kind is Kind.ED25519:
            self.wrong("this is the key of a log, not of a witness", "a witness's key is of the kind 0x04 or 0x06")
        # One key under two names would let one witness count twice.
        for witness in self.witnesses:
            if witness.verifier.public == verifier.public:
                self.wrong(f"this is the key of the witness {witness.name!r} too")
        self.define(name)
        self.witnesses.append(Witness(name=name, verifier=verifier, url=url))

    def group(self, name: str, count: str, members: tuple[str, ...]) -> None:
        # The members first: a group must not be its own member.
        for member in members:
            self.know(member)
            if member in self.grouped:
                self.wrong(f"{member!r} is a member already, since line {self.grouped[member]}")
            self.grouped[member] = self.line
        threshold = {"any": "1", "all": str(len(members))}.get(count, count)
        if not _NUMBER.fullmatch(threshold) or int(threshold) > len(members):
            self.wrong(f"{count[:20]!r} of {len(members)} cannot be asked for", f"write {_FORMS['group']}")
        self.define(name)
        self.groups.append(Group(name=name, threshold=int(threshold), members=members))

    def quorum(self, name: str) -> None:
        if self.quorums:
            self.wrong("the quorum has been given before", "a policy has exactly one quorum line")
        if name != NONE:
            self.know(name)
        self.quorums.append(name)

    def key(self, vkey: str) -> Verifier:
        try:
            return Verifier.parse(vkey)
        except (Malformed, KeyRefused) as exc:
            self.wrong(exc.message, exc.hint or "a key is written name+id+base64")

    def define(self, name: str) -> None:
        if name == NONE:
            self.wrong("nobody can be called 'none'", "it stands for no witness in a quorum line")
        if name in self.defined:
            self.wrong(f"{name!r} has been defined in line {self.defined[name]}")
        self.defined[name] = self.line

    def know(self, name: str) -> None:
        if name not in self.defined:
            hint = "none can be a quorum, not a member" if name == NONE else "define it in a line before this one"
            self.wrong(f"{name[:80]!r} is not defined", hint)

    def policy(self) -> Policy:
        if not self.quorums:
            raise Malformed("the policy has no quorum line", hint="write quorum <name>, or quorum none")
        return Policy(
            logs=tuple(self.logs),
            witnesses=tuple(self.witnesses),
            groups=tuple(self.groups),
            quorum=self.quorums[0],
        )
