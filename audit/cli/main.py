"""Which commands there are, and the one place where an error becomes a sentence.

Every command's file is imported at each start, so at the top they import no more than declaring options takes: what a
command needs to do its work, it imports when it does it.
"""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from audit.attack.command import add as add_attack
from audit.cli import anchor, export, keys, life, prove, show, stats, tail, tiles, verify, witness
from audit.cli.options import Commands, Parser
from audit.errors import AuditError
from audit.visible import visible

USAGE: Final = 2
_INTERRUPTED: Final = 130
_STATUS: Final = "Exit status: 0 proven or done, 1 tampered, 2 not proven, not possible or not understood."
_COMMANDS: Final[dict[str, Callable[[Commands], None]]] = {
    "verify": verify.add,
    "show": show.add,
    "tail": tail.add,
    "stats": stats.add,
    "export": export.add,
    "prove": prove.add,
    "anchor": anchor.add,
    "tiles": tiles.add,
    "keys": keys.add,
    "rotate": keys.add,
    "prune": life.add,
    "erase": life.add,
    "repair": life.add,
    "attack": add_attack,
    "witness": witness.add,
}


def main(
    argv: Sequence[str] | None = None, *, prog: str = "healer-audit", home: Path | None = None, as_json: bool = False
) -> int:
    """Run one command; returns 0 proven, 1 tampered, 2 not proven or invalid usage.

    ``home`` is the state folder meant where a command is given no log, ``as_json`` the default of ``--json``.
    """
    _open_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # whatever the terminal's encoding cannot show
    try:
        args = _parsed(argv, prog, home, as_json=as_json)
        command: Callable[[argparse.Namespace], int] = args.command
        return command(args)
    except AuditError as exc:
        print(f"{prog}: {visible(str(exc))}", file=sys.stderr)
        return USAGE
    except BrokenPipeError:
        # The reader of our output went away; without this the interpreter complains once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return USAGE
    except OSError as exc:
        where = f"{exc.filename}: " if exc.filename else ""
        print(f"{prog}: {visible(where)}{exc.strerror or exc}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as exc:  # noqa: BLE001 - Python would end with 1, and 1 says that the log is tampered with
        print(f"{prog}: {visible(_broken(exc))}", file=sys.stderr)
        return USAGE


def _open_streams() -> None:
    """Stand in for what whoever started us has closed: Python has None there, and prints to the other one instead."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the end


def _broken(exc: Exception) -> str:
    """Return what has gone wrong that nobody foresaw, and where, on one line."""
    at = exc.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    where = f"{Path(at.tb_frame.f_code.co_filename).name}, line {at.tb_lineno}" if at else "?"
    return f"nothing is proven: a mistake in this program stopped it ({type(exc).__name__}: {exc}; {where})"


def _parsed(argv: Sequence[str] | None, prog: str, home: Path | None, *, as_json: bool) -> argparse.Namespace:
    words = sys.argv[1:] if argv is None else list(argv)
    parser = make_parser(prog, *words[:1])
    args, beyond = parser.parse_known_args(words)
    if beyond and (not hasattr(args, "words") or any(word.startswith("-") for word in beyond)):
        parser.error(f"unrecognized arguments: {' '.join(beyond)}")
    if beyond:
        args.words += beyond  # argparse takes words before the first option only
    if as_json and hasattr(args, "json"):
        args.json = True
    args.home = home
    if hasattr(args, "place") and getattr(args, args.place) is None:
        if home is None:
            raise AuditError("which log? give a log file or a state folder", hint=f"{prog} {args.name} --help")
        setattr(args, args.place, home)
    return args


def make_parser(prog: str, name: str = "") -> argparse.ArgumentParser:
    """Return the parser of all commands; where ``name`` is one of them, declaring its options alone is quicker."""
    parser = Parser(prog=prog, description="Prove a sealed log, and read what it says.", epilog=_STATUS)
    commands = Commands(parser)
    for add in [_COMMANDS[name]] if name in _COMMANDS else dict.fromkeys(_COMMANDS.values()):
        add(commands)
    return parser
