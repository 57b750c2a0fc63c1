"""Sections and settings of an INI file as supervisord reads them, each with its place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from healer.yamldoc.mark import Mark, Problems

_SECTION = re.compile(r"\[([^\]]+)\]\s*(?:[;#].*)?\Z")
_SETTING = re.compile(r"([^=:\s][^=:]*?)\s*[=:]\s*(.*)\Z")
_INLINE = re.compile(r"\s[;#].*\Z")
"""supervisord reads with inline comments: a space before ; or # begins one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One ``key = value``, its continuation lines joined."""

    value: str
    mark: Mark


@dataclass(slots=True, kw_only=True)
class Section:
    """One ``[name]``."""

    name: str
    mark: Mark
    settings: dict[str, Setting] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """``program`` of ``program:api``."""
        return self.name.partition(":")[0].strip()

    @property
    def own(self) -> str:
        """``api`` of ``program:api``."""
        return self.name.partition(":")[2].strip()


def parse(text: str, name: str, problems: Problems) -> list[Section]:
    """The sections in their order; what is no INI is noted, and passed over."""
    found: dict[str, Section] = {}
    section, key = None, ""
    for number, line, column in _lines(text):
        mark = Mark(file=name, line=number, column=column)
        if column > 1 and section is not None and key:
            held = section.settings[key]
            section.settings[key] = Setting(value=f"{held.value}\n{line}", mark=held.mark)
        elif match := _SECTION.match(line):
            key, title = "", match.group(1).strip()
            if title in found:
                problems.add(mark, f"the section [{title[:60]}] is written twice", f"first at {found[title].mark}")
            section = found.setdefault(title, Section(name=title, mark=mark))
        elif section is None:
            problems.add(mark, "a line before the first section", "sections begin with [program:NAME]")
        elif match := _SETTING.match(line):
            key = match.group(1).strip().lower()
            if key in section.settings:
                first = section.settings[key].mark
                problems.add(mark, f"'{key[:60]}' is written twice in [{section.name[:60]}]", f"first at {first}")
            section.settings[key] = Setting(value=match.group(2).strip(), mark=mark)
        else:
            key = ""
            problems.add(mark, "neither a section nor key=value", "key=value")
    return list(found.values())


def _lines(text: str) -> Iterator[tuple[int, str, int]]:
    """Lines with something on them: number, text without comments, column of its first character."""
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        bare = line.lstrip(" \t")
        column = len(line) - len(bare) + 1
        stripped = _INLINE.sub("", bare.rstrip())
        if stripped and stripped[0] not in ";#":
            yield number, stripped, column
