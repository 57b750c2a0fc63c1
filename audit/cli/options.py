"""What the commands' options have in common: the log meant, what it is proved against, and how values are written."""

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from audit.report import LEVELS
from audit.visible import visible

if TYPE_CHECKING:
    from audit.ask import Ask, Sink
    from audit.report import Report

_WORDS: Final = 1000
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def columns() -> int:
    """Return how wide the terminal is; 80 where there is none."""
    with contextlib.suppress(KeyError, ValueError):
        return int(os.environ["COLUMNS"])
    with contextlib.suppress(OSError, ValueError):
        return os.get_terminal_size(sys.stdout.fileno()).columns
    return 80


class _Help(argparse.HelpFormatter):
    """Help as argparse writes it, which asks for the width at each option, and imports archivers to do so."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=columns() - 2)


class Parser(argparse.ArgumentParser):
    """A parser that says what is wrong in a line: forty lines of options hide it."""

    def __init__(self, **more: Any) -> None:  # noqa: ANN401 - what argparse takes
        """Take whole names of options only: what is short today may be two tomorrow."""
        super().__init__(**more, allow_abbrev=False, formatter_class=_Help)

    def error(self, message: str) -> NoReturn:
        """End with the sentence."""
        self.exit(2, f"{self.prog}: {visible(message)} (all options: {self.prog} --help)\n")


class Commands:
    """The auditor's parser, as each command's file sees it."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        """Add to ``parser``."""
        self._sub = parser.add_subparsers(required=True, metavar="COMMAND", prog=parser.prog)

    def new(self, name: str, what: str, command: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        """Add a command; ``what`` says what it does, without a capital."""
        sub = self.add_parser(name, help=what, description=f"{what[:1].upper()}{what[1:]}.")
        sub.set_defaults(command=command, name=name)
        return sub

    def add_parser(self, name: str, **more: str) -> argparse.ArgumentParser:
        """Add a command the way argparse does."""
        return self._sub.add_parser(name, **more)  # type: ignore[arg-type] # argparse takes texts for both


def place(sub: argparse.ArgumentParser, name: str = "log", what: str = "a log file or a state folder") -> None:
    """Add the argument that says which log; ``healer audit`` knows one where it is left out."""
    sub.add_argument(name, type=Path, nargs="?", metavar=name.upper(), help=what)
    sub.set_defaults(place=name)


def as_json(sub: argparse.ArgumentParser, what: str = "print one JSON object") -> None:
    """Add ``--json``."""
    sub.add_argument("--json", action="store_true", help=what)


def proof(sub: argparse.ArgumentParser) -> None:
    """Add what says against what the log is proved, and how far."""
    add = sub.add_argument
    add("--key", type=Path, metavar="FILE", help="the public key you pinned")
    for name, what in (
        ("anchor", "a head or checkpoint kept elsewhere"),
        ("checkpoint", "a cosigned checkpoint"),
        ("token", "a time-stamp token"),
        ("archive", "an archive of pruned blocks"),
    ):
        add(f"--{name}", type=Path, metavar="FILE", action="append", default=[], help=f"{what}; may repeat")
    add("--policy", type=Path, metavar="FILE", help="which witnesses count, and how many (c2sp.org/tlog-policy)")
    add("--tsa", type=Path, metavar="FILE", help="certificates of the time-stamp authorities that count, PEM")
    add("--tail", type=seconds, default=60.0, metavar="TIME", help="how much witnesses may not have seen yet (60)")
    add("--min-level", choices=LEVELS[1:], default="L1", help="the level that must be proven (L1)")
    add("--flat", action="store_true", help="skip the Merkle roots: faster, and said so")
    add("--deep", action="store_true", help="read every entry: form, kinds, intents and outcomes")
    add("--max-age", type=seconds, metavar="TIME", help="the head may be no older: 90, 5m, 2h, 1d")
    add("--expect-origin", metavar="NAME", help="the log must be this one")
    add("--since", type=natural, default=0, metavar="HEIGHT", help="start at this block")
    add("--since-head", type=Path, metavar="FILE", help="start after the head in this anchor file")
    add("--incremental", action="store_true", help="start after the head remembered from last time")
    add("--memory", type=Path, metavar="DIR", help="where proven heads are remembered")
    add("--no-memory", action="store_true", help="neither use nor keep a remembered head")


def ask_of(args: argparse.Namespace) -> "Ask":
    """Return what the options of ``proof`` ask for."""
    from audit.ask import Ask
    from audit.memory import Memory

    memory = None
    if not args.no_memory:
        memory = Memory(args.memory) if args.memory else Memory.default()
    return Ask(
        log=args.log,
        key=args.key,
        anchors=tuple(args.anchor),
        memory=memory,
        checkpoints=tuple(args.checkpoint),
        policy=args.policy,
        tokens=tuple(args.token),
        tsa=args.tsa,
        archives=tuple(args.archive),
        tail_s=args.tail,
        min_level=args.min_level,
        flat=args.flat,
        deep=args.deep,
        since=args.since,
        since_head=args.since_head,
        incremental=args.incremental,
        max_age_s=args.max_age,
        expect_origin=args.expect_origin,
    )


def prove(ask: "Ask", sink: "Sink | None" = None) -> "Report":
    """Prove a log, or a bundle; ``sink`` is given each entry from the very octets that are being verified."""
    from audit.opening import is_bundle

    if is_bundle(ask.log):
        from audit import proof as proofs

        return proofs.verify(ask, sink=sink)
    from audit.verifier import verify

    return verify(ask, sink=sink)


def seconds(text: str) -> float:
    """Read a duration: 90, 5m, 2h, 1d."""
    match = re.fullmatch(r"(\d{1,9})([smhdw]?)", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a time: write 90, 5m, 2h or 1d")
    return float(int(match[1]) * _UNITS[match[2]])


def words(text: str) -> str:
    """Read a reason: one that says nothing would be sealed for ever."""
    if not text.strip() or len(text) > _WORDS or not text.isprintable():
        raise argparse.ArgumentTypeError(f"say it on one line, in 1 to {_WORDS} characters")
    return text


def natural(text: str) -> int:
    """Read a number from 0 on."""
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a natural number")
    return int(text)
