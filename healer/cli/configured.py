"""Which configuration a command reads, in words; and the rule files of one that has mistakes."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from healer.config.values import Rules
    from healer.yamldoc.node import Node


def said(source: Path | None, *, instead: str) -> str:
    """Which configuration is read; ``instead``: what is done where nobody wrote one."""
    from healer import shipped
    from healer.config.load import SYSTEM, find

    path = find(os.environ) if source is None else source
    if source is None and not os.environ.get("HEALER_CONFIG") and path == shipped.path("organism.yaml"):
        return f"no {SYSTEM.name} here or in {SYSTEM.parent}: {instead}"
    return f"configuration: {path}"


def plugins(source: Path | None) -> None:
    """Know the kinds, verbs and functions of the configuration's plug-ins."""
    from healer.config.load import take_up_plugins

    take_up_plugins(source, os.environ)


def named(source: Path | None) -> "Rules | None":
    """The rule files that a configuration names, whatever else is wrong with it; None where that cannot be known."""
    from healer.config import fields, overlay
    from healer.config.load import find
    from healer.config.values import Rules
    from healer.yamldoc import document
    from healer.yamldoc.mark import Problems
    from healer.yamldoc.shape import Bad, Record

    path = find(os.environ) if source is None else source
    quiet = Problems()  # its mistakes were told by the loader
    read, shape = document.read(path, quiet), fields.document()
    if read is None:
        return None
    root = overlay.apply(read.root, overlay.chosen(os.environ, shape.fields), quiet)
    files, rules = _under(_under(root, "rules"), "files"), shape.fields["rules"].shape
    if files is None or not isinstance(rules, Record):
        return None
    try:
        return Rules(
            files=rules.fields["files"].shape.read(files, quiet), base=path.absolute().parent, place=str(files.mark)
        )
    except Bad:
        return None


def _under(node: "Node | None", key: str) -> "Node | None":
    from healer.yamldoc.node import Table

    entry = node.get(key) if isinstance(node, Table) else None
    return entry.node if entry else None
