"""``healer evidence``: what was kept of targets before they were ended or after they died, against the sealed log."""

import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click

from healer.cli import show
from healer.cli.incidents import when
from healer.cli.settings import Command, Group, settings
from healer.errors import HealerError

_SHORTEST = 6
_MARK = b'"kind":"evidence"'


@click.group(cls=Group)
def evidence() -> None:
    """What was kept of targets before they were ended, or after they died."""


@evidence.command("list", cls=Command)
@click.option("--last", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many.")
@click.option("--target", default="*", help="Only of these targets (glob).")
def listed(*, last: int, target: str) -> int:
    """List pieces of evidence, the newest first, and whether each still is what was sealed."""
    given = settings()
    found = [one for one in _every(given.log) if fnmatchcase(str(one["target"] or ""), target)][:last]
    for one in found:
        one["state"] = _state(given.log, one)
    if given.json:
        show.as_json({"evidence": found})
        return 0
    rows = [
        (
            when(one["at"]),
            one["target"],
            one["when"] or "-",
            one["rule"] or "-",
            one["size"],
            one["sha256"][:12],
            one["state"],
        )
        for one in found
    ]
    columns = ("WHEN", "TARGET", "TAKEN", "RULE", "BYTES", "HASH", "STATE")
    show.table(given, columns, rows, empty="no evidence was kept")
    return 0


@evidence.command("show", cls=Command)
@click.argument("digest", metavar="HASH")
def shown(digest: str) -> int:
    """Print the evidence of that HASH (its beginning is enough), checked against the sealed log.

    Exit 0: it is what was sealed; 1: changed, gone, or never sealed. `healer audit verify` proves the log.
    """
    given = settings()
    one = _meant(given.log, digest.lower())
    one["state"] = _state(given.log, one)
    content: Any = None
    if one["state"] in {"sealed", "not sealed"}:
        from healer.store import capsules

        text = capsules.read(given.log, one["sha256"]).decode("utf-8", "replace")
        try:
            content = json.loads(text)
        except (ValueError, RecursionError):
            content = {"text": text}
    if given.json:
        show.as_json({**one, "content": content})
        return 0 if one["state"] == "sealed" else 1
    if content is not None:
        _tell(content)
    show.note(
        f"{one['sha256']}: {_STATES[one['state']]}" + (f" (entry {one['seq']})" if one["seq"] is not None else "")
    )
    return 0 if one["state"] == "sealed" else 1


_STATES = {
    "sealed": "the content is what the log says; `healer audit verify` proves the log",
    "changed": "THE CONTENT IS NOT WHAT WAS SEALED: keep a copy, and do not trust it",
    "gone": "its hash is in the log, the file is not there any more (the oldest makes room)",
    "not sealed": "no entry of the log names it: anybody may have put it there",
}


def _every(folder: Path) -> list[dict[str, Any]]:
    """What the log names, and what only lies there, the newest first; raises HealerError."""
    from healer.store import capsules

    found = {str(one["sha256"]): one for one in _sealed(folder)}
    for one in capsules.every(folder):
        if one.sha256 not in found:
            nothing = dict.fromkeys(("target", "when", "rule", "intent", "seq"))
            found[one.sha256] = {**nothing, "sha256": one.sha256, "size": one.size, "at": one.kept}
    return sorted(found.values(), key=lambda one: -float(one["at"]))


def _sealed(folder: Path) -> list[dict[str, Any]]:
    from audit import canonical
    from audit.errors import AuditError
    from audit.opening import has_log, open_log

    if not has_log(folder):
        return []
    try:
        with open_log(folder) as log:
            entries = [(one.seq, canonical.decode(one.octets)) for one in log.entries() if _MARK in one.octets]
    except AuditError as exc:
        raise HealerError(exc.message, hint=exc.hint or "healer audit verify says more") from exc
    return [_row(seq, fields) for seq, fields in entries if fields["kind"] == "evidence"]


def _row(seq: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    data = fields.get("data") or {}
    return {
        "sha256": str(fields["sha256"]),
        "size": int(fields["size"]),
        "at": int(fields["ts"]) / 1e6,
        "seq": seq,
        **{name: data.get(name) for name in ("target", "when", "rule", "intent")},
    }


def _state(folder: Path, one: Mapping[str, Any]) -> str:
    """What became of a piece since: its content is read and hashed."""
    from healer.store import capsules

    if not (folder / capsules.FOLDER / f"{one['sha256']}.json").is_file():
        return "gone"
    try:
        capsules.read(folder, one["sha256"])
    except HealerError:
        return "changed"
    return "sealed" if one["seq"] is not None else "not sealed"


def _meant(folder: Path, digest: str) -> dict[str, Any]:
    found = [one for one in _every(folder) if one["sha256"].startswith(digest)] if len(digest) >= _SHORTEST else []
    if len(found) != 1:
        many = f"{len(found)} pieces begin so" if found else "no evidence of that hash"
        raise HealerError(f"{digest[:64]}: {many}", hint="healer evidence list; six digits or more")
    return found[0]


def _tell(content: object, depth: int = 0) -> None:
    """For a person: nested names, texts of several lines below them."""
    pad = "  " * depth
    if isinstance(content, Mapping):
        for name, value in content.items():
            if isinstance(value, Mapping | list) and value:
                show.line(f"{pad}{name}:")
                _tell(value, depth + 1)
            elif isinstance(value, str) and "\n" in value.strip():
                show.line(f"{pad}{name}:")
                for text in value.strip().splitlines():
                    show.line(f"{pad}  {text}")
            else:
                show.line(f"{pad}{name}: {_plain(value)}")
    elif isinstance(content, list):
        for value in content:
            show.line(
                f"{pad}- {', '.join(f'{name} {_plain(one)}' for name, one in value.items())}"
                if isinstance(value, Mapping)
                else f"{pad}- {value}"
            )


def _plain(value: object) -> str:
    return "-" if value in (None, "", [], {}) else str(value).strip()
