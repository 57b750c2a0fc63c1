"""``healer-audit attack``: try every attack on a copy of a log, or on a log made for it."""

import argparse
import importlib
from pathlib import Path
from typing import Any

from audit.errors import AuditError


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not say what its sub-parsers are
    """Add ``attack`` to the auditor's commands."""
    what = "try every known attack on a copy, and say what auditors see; exit 0 when each sees what he must"
    sub = commands.add_parser("attack", help=what, description=f"{what.capitalize()}.")
    sub.add_argument("log", type=Path, nargs="?", metavar="LOG", help="a log file or a state folder; never changed")
    sub.add_argument("--demo", action="store_true", help="attack a small log made for it, with every key")
    sub.add_argument("--key", type=Path, metavar="FILE", help="the public key you pinned")
    sub.add_argument(
        "--archive",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="an archive of pruned blocks; may repeat",
    )
    sub.add_argument("--only", default="*", metavar="NAME", help="only this attack or family; * matches")
    sub.add_argument("--json", action="store_true", help="print one JSON object a line")
    sub.set_defaults(command=_run)


def _run(args: argparse.Namespace) -> int:
    if args.log is None and not args.demo:
        args.log = getattr(args, "home", None)
    if args.demo == (args.log is not None):
        raise AuditError("give the log to attack a copy of, or --demo", hint="healer-audit attack --demo")
    # By name: what verifies shares no code with what forges, and a bare copy of this folder cannot forge.
    try:
        red_team = importlib.import_module("audit.attack.run")
    except ImportError as exc:
        raise AuditError(f"forging needs the agent's own environment: {exc}", hint="run it where the agent is") from exc
    return int(red_team.run(args))
