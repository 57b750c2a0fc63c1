"""``healer rules import``: what another supervisor was told, as rules of this one, with an account of all of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from healer.cli import show
from healer.cli.settings import Command, Settings, settings
from healer.errors import HealerError

if TYPE_CHECKING:
    from healer.importing.importer import Imported

_FORMATS = ("auto", "avena", "symbiotic", "monit", "supervisord")
_MODES = ("off", "observe", "suggest", "approve", "auto")


@click.command("import", cls=Command)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--format", "wanted", type=click.Choice(_FORMATS), default="auto", help="What SOURCE is.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to write to; else nothing is.")
@click.option("--mode", type=click.Choice(_MODES), default="observe", help="How far the imported rules may go.")
@click.option("--client", "clients", multiple=True, metavar="NAME=URL@GROUP", help="A client scenarios speak of.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
def import_(*, source: Path, wanted: str, out: Path | None, mode: str, clients: tuple[str, ...], force: bool) -> int:
    """Import rules from SOURCE (a file or a folder) of another supervisor.

    Everything in it is accounted for: carried over, carried over with a change, or not carried over, with the reason
    and the place. Exit 0 all carried over, 1 something was changed or left out, 2 invalid.
    """
    from healer.importing import importer
    from healer.importing.avena_clients import told

    given = settings()
    found = importer.bring(source, wanted=wanted, mode=mode, clients=[told(one) for one in clients])
    if out is not None and not found.proof.problems:
        _write(out, found.documents, force=force)
    if given.json:
        show.as_json(_facts(found, out))
    else:
        _report(given, found)
        _documents(found, out)
    return _code(found)


def _code(found: "Imported") -> int:
    from healer.importing.harvest import Fate

    if found.proof.problems:
        return 2
    whole = all(item.fate is Fate.CARRIED for item in found.harvest.items)
    return 0 if whole and not found.problems and not found.proof.findings else 1


def _write(out: Path, documents: Mapping[str, str], *, force: bool) -> None:
    """All of them or none: a folder half-filled over somebody's own rules would be neither."""
    there = [name for name in documents if (out / name).exists() or (out / name).is_symlink()]
    if there and not force:
        raise HealerError(f"{out / there[0]} is there already; nothing was written", hint="another --out, or --force")
    for name, text in documents.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        with fresh.open("x", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(path)


def _report(given: Settings, found: "Imported") -> None:
    from healer.importing.harvest import Fate

    hide = found.harvest.hide
    for problem in found.problems:
        show.line(f"not read: {problem}")
    for fate in Fate:
        items = list(found.harvest.of(fate))
        if not items:
            continue
        show.line(f"{fate.value} ({len(items)}):")
        for item in items:
            because = f": {item.because}" if item.because else ""
            show.line(f"  {item.mark}: {hide(item.what + because)}")
    _say_proof(found)
    del given


def _say_proof(found: "Imported") -> None:
    for problem in found.proof.problems:
        show.line(f"does not pass healer check: {problem}")
    for finding in found.proof.findings:
        show.line(f"healer check would say: {finding}")
    live = sum(not made.missing for made in found.harvest.rules)
    left = len(found.harvest.rules) - live
    incomplete = f", {left} more incomplete (as comments)" if left else ""
    show.note(f"{live} rules{incomplete}; healer check: "
              f"{len(found.proof.problems)} mistakes, {len(found.proof.findings)} findings")  # fmt: skip
    for name in found.harvest.credentials:
        show.note(f"a secret was left out; it is called {name} now: hand it over as a credential of that name")


def _documents(found: "Imported", out: Path | None) -> None:
    if found.proof.problems and out is not None:
        show.note("nothing was written")
    for name, text in found.documents.items():
        if out is None:
            show.line(f"# ---- {name}")
            for line in text.splitlines():
                show.line(line)
        elif not found.proof.problems:
            show.note(f"wrote {out / name}")
    if out is None:
        show.note("nothing was written: --out DIR writes these files")


def _facts(found: "Imported", out: Path | None) -> dict[str, object]:
    hide = found.harvest.hide
    return {
        "items": [
            {"fate": item.fate.value, "what": hide(item.what), "because": hide(item.because), "at": str(item.mark)}
            for item in found.harvest.items
        ],
        "not_read": list(found.problems),
        "problems": list(found.proof.problems),
        "findings": list(found.proof.findings),
        "credentials": list(found.harvest.credentials),
        "written": [] if out is None or found.proof.problems else [str(out / name) for name in found.documents],
        "documents": dict(found.documents),
    }
