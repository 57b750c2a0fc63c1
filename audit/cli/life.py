"""``prune``, ``erase``, ``repair``: what keeps a log in shape, and changes no sealed octet."""

import argparse
import re
from pathlib import Path
from typing import Final

from audit.cli import options
from audit.cli.options import Commands

_UNITS: Final = {"h": 3600, "d": 86_400, "w": 7 * 86_400}


def add(commands: Commands) -> None:
    """Add the commands."""
    sub = commands.new("prune", "archive and drop the bodies of old blocks; headers and signatures stay", _prune)
    _state(sub)
    sub.add_argument("--keep", type=_duration, required=True, metavar="TIME", help="keep this long: 400d, 52w")
    sub.add_argument("--archive", type=Path, required=True, metavar="DIR", help="where archives go")
    what = "the policy, as the log will say"
    sub.add_argument("--because", type=options.words, required=True, metavar="WORDS", help=what)
    sub.add_argument("--passphrase-file", type=Path, metavar="FILE", help="opens the key")
    sub = commands.new("erase", "erase what concealed texts stand for; the log still verifies", _erase)
    _state(sub)
    sub.add_argument("--seq", type=options.natural, required=True, metavar="N", help="number of the entry")
    sub.add_argument("--field", default="*", metavar="PATH", help="only this one: output, data.user; * matches")
    sub = commands.new("repair", "put right what is not sealed, and say what was left alone", _repair)
    _state(sub)


def _state(sub: argparse.ArgumentParser) -> None:
    options.place(sub, "state", "the state folder")
    options.as_json(sub)


def _duration(text: str) -> int:
    match = re.fullmatch(r"(\d{1,6})([hdw])", text, re.ASCII)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a time to keep a log: write 400d or 52w")
    return int(match[1]) * _UNITS[match[2]]


def _prune(args: argparse.Namespace) -> int:
    from audit import upkeep

    return upkeep.prune(args)


def _erase(args: argparse.Namespace) -> int:
    from audit import upkeep

    return upkeep.erase(args)


def _repair(args: argparse.Namespace) -> int:
    from audit import upkeep

    return upkeep.repair(args)
