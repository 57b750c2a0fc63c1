"""``healer init``: find what runs here, and write a starter configuration that looks at it and touches nothing."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import click

from healer.cli import schema, show
from healer.cli.proposing import document, everything
from healer.cli.proposing.proposal import Proposal
from healer.cli.settings import Command, settings
from healer.errors import HealerError


@click.command(cls=Command)
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), metavar="[DIR]")
@click.option("--print", "only_print", is_flag=True, help="Print the configuration, write nothing.")
def init(*, folder: Path, only_print: bool) -> int:
    """Propose targets found on this host, and write organism.yaml and rules.d/ into DIR (never over a file).

    Services of systemd that are enabled and run, containers, PostgreSQL, Redis, RabbitMQ, HAProxy, web servers with
    their certificates and logs, and whoever else listens. All of it in `observe`: looked at, and not touched.
    """
    given = settings()
    found = everything.proposals()
    if given.json:
        keys = ("kind", "name", "organ", "because")
        said = [
            {**{key: getattr(one, key) for key in keys}, **one.keys, **({"needs": one.needs} if one.needs else {})}
            for one in found
        ]
        show.as_json({"targets": said})
        return 0
    if only_print:
        click.echo(document.organism(found), nl=False)
        return 0
    write(folder, found)
    rows = [(one.id, one.organ, one.because) for one in found]
    show.table(given, ("PROPOSED", "ORGAN", "BECAUSE"), rows, empty="nothing was found that could be looked after")
    for one in found:
        if one.needs:
            show.note(f"{one.id} needs: {one.needs}")
    show.note(f"wrote {folder / 'organism.yaml'} and {folder / 'rules.d'}; next: healer check --config organism.yaml")
    return 0


def write(folder: Path, found: Sequence[Proposal]) -> None:
    """Raises HealerError rather than touch what is there."""
    target = folder / "organism.yaml"
    kinds = document.kinds_of(found)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(document.organism(found))
        schema.write(folder / "schemas")
        (folder / "rules.d" / "tests").mkdir(parents=True, exist_ok=True)
        for name, said in (("own.yaml", document.rules(kinds)), ("tests/own.yaml", document.tests(kinds))):
            with contextlib.suppress(FileExistsError), (folder / "rules.d" / name).open("x", encoding="utf-8") as file:
                file.write(said)
    except FileExistsError as exc:
        raise HealerError(f"{exc.filename} is there already", hint="name another folder, or use --print") from exc
    except OSError as exc:
        raise HealerError(f"cannot write {target}: {exc.strerror}") from exc
