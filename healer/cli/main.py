"""``healer``: the list of its commands, and the one place where errors become words and exit codes."""

import difflib
import logging
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module

import click

from healer import __version__
from healer.cli.settings import Group
from healer.errors import ConfigError, HealerError

USAGE = 2

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("run", "Run the agent in the foreground."),
    "init": ("init", "Find what runs here and propose a configuration."),
    "doctor": ("doctor", "Check the environment the agent runs in."),
    "check": ("check", "Find every mistake in configuration and rules, and the worst they can do."),
    "schema": ("schema", "Print the JSON Schema of rules or configuration, for editors."),
    "test": ("test", "Run the unit tests of rules."),
    "replay": ("replay", "Show what rules would have done over what was recorded."),
    "status": ("status", "Show what the agent sees."),
    "health": ("health", "Say whether agent, rules and log are well."),
    "state": ("state", "Show the state of a target."),
    "top": ("top", "Show what the agent sees, again and again."),
    "incidents": ("incidents", "List the open incidents."),
    "healings": ("healings", "List what was done, how it ended and what it changed."),
    "evidence": ("evidence", "Show what was kept of targets before they were ended, or after they died."),
    "explain": ("explain", "Say why a rule does, or does not do, something."),
    "metrics": ("metrics", "List the metrics and their latest values."),
    "history": ("history", "Print what a metric was."),
    "db": ("db", "Look after state.db: copies, upgrade, downgrade."),
    "reflect": ("reflect", "Let the agent assess the host and itself."),
    "rebalance": ("reflect", "Check harmony now, and judge the balancing rules."),
    "act": ("ask", "Ask for an action on a target."),
    "trigger": ("ask", "Start a rule by hand, where its condition holds."),
    "ack": ("ask", "Acknowledge a fault and re-arm what gave up."),
    "approvals": ("approvals", "List what waits for somebody's yes."),
    "approve": ("approvals", "Say yes to what the agent asks for."),
    "deny": ("approvals", "Say no to what the agent asks for."),
    "initialize": ("ask", "Ask a target to initialize."),
    "start": ("ask", "Start a target."),
    "stop": ("ask", "Stop a target, softly or hard."),
    "restart": ("ask", "Restart a target."),
    "pause": ("ask", "Act on nothing (or not on a target) until resume."),
    "resume": ("ask", "End a pause."),
    "maintenance": ("maintenance", "Windows in which nothing is done."),
    "stop-healing": ("brakes", "Throw the kill switch: nothing is done any more."),
    "resume-healing": ("brakes", "Take the kill switch away, and leave safe mode."),
    "alerts": ("notify", "List what people are told about, and who was."),
    "notify": ("notify", "Channels: how they are, and a message to prove one."),
    "event": ("event", "Put an event on the agent's bus."),
    "rules": ("rules", "List, show, switch and import rules."),
    "reload": ("reload", "Read configuration and rules again, all or nothing."),
    "audit": ("audit", "Prove the sealed log, and read it."),
    "demo": ("demo", "Break three small programs and watch them healed."),
    "simulate": ("simulate", "Run the agent through simulated disasters."),
}
"""Command to its module in this package, and what it does; written down so that asking for help imports nothing."""


class Lazy(Group):
    """Imports a command when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"healer.cli.{COMMANDS[cmd_name][0]}")
        found = getattr(module, cmd_name.replace("-", "_"))
        return found if isinstance(found, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command meant, or a hint which one may have been."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, what) in COMMANDS.items()])


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="healer", message="%(prog)s %(version)s")
def cli() -> None:
    """A self-healing supervisor for Linux hosts: it looks, decides, seals, heals and verifies."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and end the process with its exit code: 0 yes, 1 no, 2 invalid or not reachable."""
    try:
        code = cli.main(args=None if argv is None else list(argv), prog_name="healer", standalone_mode=False)
    except click.ClickException as exc:
        exc.show()
        code = exc.exit_code
    except click.Abort:
        code = 130
    except KeyboardInterrupt:
        code = 130
    except HealerError as exc:
        code = tell(exc)
    except BrokenPipeError:
        # The reader of our output went away; without this the interpreter complains once more at exit.
        _silence()
        code = USAGE
    except OSError as exc:
        code = _system(exc)
    except Exception as exc:
        # AuditError, without importing the log for every command; everything else is a bug and stays loud.
        if not _is_audit(exc):
            raise
        click.echo(f"healer: {exc}", err=True)
        code = USAGE
    sys.exit(code if isinstance(code, int) else 0)


def tell(exc: HealerError) -> int:
    """Say what went wrong and what to do; returns the exit code."""
    if isinstance(exc, ConfigError) and exc.problems:
        for problem in exc.problems:
            click.echo(problem, err=True)
        count = "1 mistake" if len(exc.problems) == 1 else f"{len(exc.problems)} mistakes"
        click.echo(f"healer: {count}; nothing was loaded", err=True)
        return USAGE
    click.echo(f"healer: {exc.message}", err=True)
    if exc.hint:
        click.echo(f"  hint: {exc.hint}", err=True)
    code = getattr(exc, "exit_code", USAGE)
    return code if isinstance(code, int) else USAGE


def _system(exc: OSError) -> int:
    """Say what the system refused, and of what; returns the exit code."""
    about = f"{exc.filename}: " if exc.filename else ""
    click.echo(f"healer: {about}{exc.strerror or exc}", err=True)
    if isinstance(exc, PermissionError):
        click.echo("  hint: run this as root or as the agent's own user", err=True)
    logging.getLogger("healer.cli").debug("system.refused", exc_info=exc)
    return USAGE


def _is_audit(exc: Exception) -> bool:
    """Whether it is an error of the log; its package is not imported for that."""
    errors = sys.modules.get("audit.errors")
    return errors is not None and isinstance(exc, errors.AuditError)


def _silence() -> None:
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
