"""``healer audit``: the auditor's commands on this agent's own log, and an event sealed on request."""

import click

from healer.cli import show
from healer.cli.client import Client
from healer.cli.event import as_object
from healer.cli.settings import Settings, settings

_SELECT = ("--kind", "--seq", "--rule", "--target", "--corr", "--type", "-n", "--lines")
_PROVE = ("--key", "--anchor", "--min-level", "--max-age", "--expect-origin", "--since", "--since-head", "--memory")
_ROTATE = (
    "--because",
    "--revoke-after",
    "--bits",
    "--passphrase-file",
    "--from-key",
    "--from-command",
    "--from-public",
)
_KEEP = ("--keep", "--archive", "--field", "--database")
_TO = ("--to-key", "--to-command", "--to-public")
_WITH_VALUE = frozenset({*_SELECT, *_PROVE, *_ROTATE, *_KEEP, *_TO})
"""Options of the auditor's commands that take a value: what follows one is no log."""
_SPEAK_JSON = frozenset({"verify", "show", "tail", "stats", "keys", "rotate", "prune", "erase", "repair", "anchor"})


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def audit(ctx: click.Context, args: tuple[str, ...]) -> int:
    """Prove the sealed log (verify), and read it (show, tail, stats, export, keys); `log TYPE JSON` seals an event.

    `rotate --because WORDS` hands a stopped agent's log over to a new key.

    Without LOG, the commands take this agent's own state folder. Exit 0 proven, 1 tampered, 2 not proven.
    """
    given = settings()
    args = _common(given, args)
    if not args or args[0] in {"-h", "--help"}:
        click.echo(ctx.get_help())
        return _auditor(["--help"])
    if args[0] == "log":
        return _log(given, args[1:])
    rest = list(args)
    if not _names_a_log(rest[1:]) and "-h" not in rest and "--help" not in rest:
        rest.append(str(given.log))
    if given.json and rest[0] in _SPEAK_JSON and "--json" not in rest:
        rest.append("--json")
    return _auditor(rest)


def _common(given: Settings, args: tuple[str, ...]) -> tuple[str, ...]:
    """Take out the options that every command of ours takes after its name, too, and the auditor's do not."""
    rest = iter(args)
    others: list[str] = []
    for arg in rest:
        name, _, value = arg.partition("=")
        if name in {"--state-dir", "--config"}:
            setattr(given, name.strip("-").replace("-", "_"), value or next(rest, None))
        elif name == "--output":
            given.output = value or next(rest, "")
        elif arg != "--no-color":
            others.append(arg)
    return tuple(others)


def _auditor(argv: list[str]) -> int:
    from audit.cli import main

    return main(argv)


def _names_a_log(args: list[str]) -> bool:
    skip = False
    for arg in args:
        if skip:
            skip = False
        elif arg in _WITH_VALUE:
            skip = True
        elif not arg.startswith("-") or arg == "-":
            return True
    return False


def _log(given: Settings, args: tuple[str, ...]) -> int:
    """Seal an event; its entry's number is the answer."""
    args = tuple(arg for arg in args if arg != "--json" or not _as_json(given))
    if not 1 <= len(args) <= 2 or args[0].startswith("-"):
        raise click.UsageError("healer audit log TYPE [JSON]")
    data = as_object(args[1]) if len(args) == 2 else {}
    found = Client(given).request("log-event", args={"type": args[0], "data": data})
    entry = found.get("entry") or {}
    if given.json:
        show.as_json({"type": args[0], **entry})
    else:
        show.line(str(entry.get("seq", "accepted, not durable yet")))
    return 0 if entry else 1


def _as_json(given: Settings) -> bool:
    given.output = "json"
    return True
