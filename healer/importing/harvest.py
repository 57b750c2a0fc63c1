"""What an import gathers: rules and parts of organism.yaml, and an account of everything that was read."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from healer.importing import secrets
from healer.yamldoc.mark import Mark

_SHORTEST_SECRET = 7
"""A shorter one may be part of any word; it is left out where it stood, and looked for nowhere else."""
_WORD = re.compile(r"[a-z]{1,11}")
"""Taken out of everything, such a secret would take words of the language with it."""
_NOT_IN_IDS = re.compile(r"[^a-z0-9]+")
_LETTERS = str.maketrans({"ł": "l", "Ł": "L", "ß": "ss", "ø": "o", "Ø": "O", "đ": "d", "æ": "ae", "Æ": "AE"})


AS_A_COMMENT = "as a comment only: its rule is incomplete"
"""What became of the sound parts of a rule that lacks another part."""


class Fate(StrEnum):
    """What became of one thing that was read."""

    CARRIED = "carried over"
    CHANGED = "carried over with a change"
    LEFT = "not carried over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that was read, and what became of it."""

    fate: Fate
    what: str
    because: str
    mark: Mark


@dataclass(slots=True, kw_only=True)
class Made:
    """One rule, program or target to be written."""

    body: dict[str, Any]
    """Keys as in YAML. A value may be `Said`."""
    mark: Mark
    """Where it came from."""
    says: list[str] = field(default_factory=list)
    """Comments above it."""
    missing: list[str] = field(default_factory=list)
    """What it would need and does not have; if there is anything, it is written as a comment, and does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A value with a comment above it."""

    value: Any
    comment: str


class Harvest:
    """Collects what the readers of the formats find."""

    def __init__(self, mode: str = "observe") -> None:
        self.mode = mode
        self.items: list[Item] = []
        self.rules: list[Made] = []
        self.programs: list[Made] = []
        self.targets: list[Made] = []
        self.credentials: dict[str, str] = {}
        """Name to the secret itself, which is never written anywhere."""
        self._ids: set[str] = set()
        self._known: set[Item] = set()
        self._targets: dict[str, Made] = {}

    # ------------------------------------------------------------------------------------------ account

    def carried(self, mark: Mark, what: str, because: str = "") -> None:
        """It means the same here."""
        self._add(Item(fate=Fate.CARRIED, what=what, because=because, mark=mark))

    def changed(self, mark: Mark, what: str, because: str) -> None:
        """It is there, and means something a little different."""
        self._add(Item(fate=Fate.CHANGED, what=what, because=because, mark=mark))

    def left(self, mark: Mark, what: str, because: str) -> None:
        """It is not there."""
        self._add(Item(fate=Fate.LEFT, what=what, because=because, mark=mark))

    def _add(self, item: Item) -> None:
        if item not in self._known:
            self._known.add(item)
            self.items.append(item)

    def turn(self, since: int, fate: Fate, because: str) -> None:
        """Give what was noted from there on another fate, but for what had a worse one: what it stands in was lost."""
        worse = (Fate.CARRIED, Fate.CHANGED, Fate.LEFT)
        for place, item in enumerate(self.items[since:], since):
            if worse.index(item.fate) < worse.index(fate):
                self.items[place] = replace(item, fate=fate, because=because)

    def of(self, fate: Fate) -> Iterator[Item]:
        """What had this fate, in the order of the text."""
        return (item for item in sorted(self.items, key=lambda item: item.mark) if item.fate is fate)

    # ------------------------------------------------------------------------------------------ what is written

    def rule_id(self, text: str) -> str:
        """An id made of a name, not used yet."""
        stem = slug(text) or "rule"
        found, number = stem, 2
        while found in self._ids:
            found, number = f"{stem}-{number}", number + 1
        self._ids.add(found)
        return found

    def target(self, made: Made) -> str:
        """Add a target (or find the one declared already); returns its id."""
        target_id = f"{made.body['kind']}:{made.body['name']}"
        if target_id not in self._targets:
            self._targets[target_id] = made
            self.targets.append(made)
        return target_id

    def declared(self, target_id: str) -> Made | None:
        """The target of that id, if there is one by now."""
        return self._targets.get(target_id)

    def credential(self, name: str, value: str) -> str:
        """Take a secret out of what is written; returns the name it has from now on."""
        stem = slug(name) or "secret"
        found, number = stem, 2
        while self.credentials.get(found, value) != value:
            found, number = f"{stem}-{number}", number + 1
        self.credentials[found] = value
        return found

    def hide(self, text: str) -> str:
        """A text without any secret that was seen or shows itself: the last net under those who leave them out."""
        text = secrets.redacted(text)
        for secret in sorted(self.credentials.values(), key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET and not _WORD.fullmatch(secret):
                text = text.replace(secret, "***")
        return text


def slug(text: str, longest: int = 80) -> str:
    """Lower-case ASCII words with dashes between them; empty where there is no letter or digit."""
    plain = unicodedata.normalize("NFKD", text.translate(_LETTERS)).encode("ascii", "ignore").decode()
    return _NOT_IN_IDS.sub("-", plain.lower()).strip("-")[:longest].strip("-")


def name(text: str) -> str:
    """A name targets may have, as close to the given one as can be."""
    clean = re.sub(r"[^A-Za-z0-9_.@:+-]+", "-", text).strip("-")[:128]
    return clean if re.match(r"[A-Za-z0-9_]", clean) else f"x{clean}" if clean else "unnamed"


def duration(seconds: float) -> str:
    """Seconds as YAML has them: 90s, 5m, 2h, 1d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    if seconds != int(seconds):
        return f"{round(seconds * 1000)}ms"
    return f"{int(seconds)}s"


def without_none(body: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping without the keys that have nothing to say."""
    return {key: value for key, value in body.items() if value not in (None, "", [], {})}
