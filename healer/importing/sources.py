"""Which files are read, and what they are."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from healer.importing import jsontext
from healer.yamldoc import source
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import Items, Node, Table

FORMATS = ("avena", "symbiotic", "monit", "supervisord")
_MOST_FILES = 500
_SECTION = re.compile(
    r"^\[(?:(?:program|eventlistener|group|fcgi-program|rpcinterface|ctlplugin):[^\]]*"
    r"|supervisord|supervisorctl|unix_http_server|inet_http_server)\]",
    re.MULTILINE,
)
_MONIT = re.compile(
    r"^\s*(?:check\s+(?:process|file|fifo|directory|filesystem|host|system|program|network)\s+\S"
    r"|set\s+(?:daemon|httpd|log|logfile|mailserver|alert|mmonit|eventqueue|mail-format)\s+\S)",
    re.MULTILINE | re.IGNORECASE,
)
_NAMES = ("*.json", "*.conf", "*.ini", "*.cfg", "monitrc", "*.monitrc", "*.monit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One file that was read."""

    path: Path
    text: str
    format: str
    name: str = ""
    """The file as it is shown in messages."""
    root: Node | None = None
    """Its JSON, where it is JSON."""


def files(path: Path) -> list[Path]:
    """The file, or what a folder holds that may be one of the formats."""
    if not path.is_dir():
        return [path]
    names = {found for pattern in _NAMES for found in path.glob(pattern) if found.is_file()}
    return sorted(names)[:_MOST_FILES]


def read(paths: Sequence[Path], wanted: str, problems: Problems) -> Iterator[Found]:
    """Each file as text, with its format; what cannot be read is noted at its place."""
    for path in paths:
        found = source.read(path, problems)
        if found is None:
            continue
        problems_before = len(problems.found)
        kind, root = _kind(found.text, str(path), wanted, problems)
        if kind:
            yield Found(path=path, name=str(path), text=found.text, format=kind, root=root)
        elif len(problems.found) == problems_before:
            where = Mark(file=str(path), line=1, column=1)
            problems.add(where, "cannot tell what this is", f"say --format {'|'.join(FORMATS)}")


def _kind(text: str, name: str, wanted: str, problems: Problems) -> tuple[str, Node | None]:
    bare = text.removeprefix("\ufeff").lstrip()
    if wanted in {"avena", "symbiotic"} or (wanted == "auto" and bare[:1] == "{") or _is_list(bare, wanted):
        root = jsontext.parse(text, name, problems)
        if root is None:
            return "", None
        return (wanted if wanted != "auto" else _of_json(root)), root
    if wanted != "auto":
        return wanted, None
    if _MONIT.search(text) and not _SECTION.search(text):
        return "monit", None
    return ("supervisord" if _SECTION.search(text) else ""), None


def _is_list(bare: str, wanted: str) -> bool:
    return wanted == "auto" and bare[:1] == "[" and not _SECTION.match(bare)


def _of_json(root: Node) -> str:
    """Scenarios have a trigger; symbiotic rules have a list of conditions at the top, or an organism's role."""
    first = next(iter(root.items), None) if isinstance(root, Items) else root
    keys = {entry.key for entry in first.entries} if isinstance(first, Table) else set()
    if keys & {"trigger", "scenarios", "clients", "components"}:
        return "avena"
    return "symbiotic" if keys & {"conditions", "triggers", "organismRole", "rules"} else ""
