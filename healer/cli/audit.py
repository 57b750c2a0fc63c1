"""``healer audit``: the auditor's commands on this agent's own log, and an event sealed on request."""

import click

from healer.cli import show
from healer.cli.client import Client
from healer.cli.event import as_object
from healer.cli.settings import Settings, settings


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def audit(ctx: click.Context, args: tuple[str, ...]) -> int:
    """Prove the sealed log, and read it: the commands of healer-audit; `log TYPE JSON` seals an event.

    Without LOG, they take this agent's own state folder. `healer audit COMMAND --help` tells all.

    Exit 0 proven, 1 tampered, 2 not proven.
    """
    given = settings()
    args = _common(given, args)
    if not args or args[0] in {"-h", "--help"}:
        click.echo(ctx.get_help())
        return _auditor(given, ("--help",))
    if args[0] == "log":
        return _log(given, args[1:])
    return _auditor(given, args)


def _common(given: Settings, args: tuple[str, ...]) -> tuple[str, ...]:
    """Take out the options that every command of ours takes after its name, too, and the auditor's do not."""
    rest = iter(args)
    others: list[str] = []
    for arg in rest:
        name, _, value = arg.partition("=")
        if others[:1] == ["witness"]:
            others.append(arg)  # a witness is no part of this agent: its --config is its own
        elif name in {"--state-dir", "--config"}:
            setattr(given, name.strip("-").replace("-", "_"), value or next(rest, None))
        elif name == "--output":
            given.output = value or next(rest, "")
        elif arg != "--no-color":
            others.append(arg)
    return tuple(others)


def _auditor(given: Settings, argv: tuple[str, ...]) -> int:
    """Run the auditor's own command: it knows what follows an option and what is a log."""
    from audit.cli import main

    return main(argv, prog="healer audit", home=given.log, as_json=given.json)


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
