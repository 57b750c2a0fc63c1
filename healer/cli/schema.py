"""``healer schema``: JSON Schemas for editors."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from healer.cli import configured, show
from healer.cli.settings import Command, settings
from healer.errors import HealerError

MODELINE = "# yaml-language-server: $schema="
"""First line of a YAML file whose editor is to know what may stand in it; a path, relative to the file, follows."""
NAMES = ("rules", "config", "tests")


@click.command(cls=Command)
@click.argument("what", type=click.Choice(NAMES), default="rules")
@click.option(
    "--write",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write all three into this folder instead, as rules.json, config.json and tests.json.",
)
def schema(*, what: str, folder: Path | None) -> int:
    """Print the JSON Schema of rules, of organism.yaml (config) or of rule tests.

    With `# yaml-language-server: $schema=schemas/rules.json` as the first line of a file of rules, editors that speak
    with yaml-language-server complete, explain and check it while it is written.
    """
    given = settings()
    configured.plugins(Path(given.config) if given.config else None)
    if folder is None:
        click.echo(json.dumps(of(what), indent=2))
        return 0
    for path in write(folder):
        show.note(f"wrote {path}")
    return 0


def of(what: str) -> Mapping[str, Any]:
    """One of the schemas."""
    from healer.config.schema import config_schema
    from healer.rules.schema import rules_schema, suite_schema

    made: Mapping[str, Callable[[], Mapping[str, Any]]] = {
        "rules": rules_schema,
        "config": config_schema,
        "tests": suite_schema,
    }
    return made[what]()


def text(what: str) -> str:
    """One of the schemas as it is written into a folder: one line, made by a program for programs."""
    return json.dumps(of(what), separators=(",", ":")) + "\n"


def write(folder: Path) -> list[Path]:
    """Write all of them, over those of an earlier version; raises HealerError."""
    paths = [folder / f"{what}.json" for what in NAMES]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            path.write_text(text(path.stem), encoding="utf-8")
    except OSError as exc:
        raise HealerError(f"cannot write {exc.filename or folder}: {exc.strerror}") from exc
    return paths
