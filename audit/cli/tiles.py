"""``tiles``: a log's tree as a folder that any C2SP client reads, and the check of such a folder."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from audit.cli.options import Commands
from audit.errors import AuditError, Damaged, Forged
from audit.visible import visible

if TYPE_CHECKING:
    from audit.note import Verifier

_MAX: Final = 65_536


def add(commands: Commands) -> None:
    """Add the command."""
    sub = commands.new("tiles", "write the log's tree as files that can be served (c2sp.org/tlog-tiles)", _tiles)
    sub.add_argument("words", nargs="+", type=Path, metavar="[LOG] DIR", help="a state folder, and where the files go")
    sub.add_argument("--check", action="store_true", help="derive every hash in DIR again instead")
    sub.add_argument(
        "--vkey", action="append", default=[], metavar="VKEY", help="with --check: a key that must have signed"
    )
    sub.add_argument("--checkpoint", type=Path, metavar="FILE", help="the checkpoint to write it for")


def _tiles(args: argparse.Namespace) -> int:
    *log, folder = args.words
    if args.check:
        return _check(folder, args.vkey)
    if len(log) > 1 or not (log or args.home):
        raise AuditError("which log, and which folder?", hint="healer-audit tiles LOG DIR")
    return _export(log[0] if log else args.home, folder, args.checkpoint)


def _export(place: Path, folder: Path, given: Path | None) -> int:
    from audit import holding, tilefolder
    from audit.files import read_small
    from audit.opening import open_log

    note = read_small(given, _MAX) if given else holding.newest(place).octets
    with open_log(place) as log:
        head = tilefolder.export(log, folder, note)
    print(f"{head.size} blocks of {head.origin} are in {folder}: serve it as it is")
    return 0


def _check(folder: Path, vkeys: list[str]) -> int:
    from audit import tilefolder

    try:
        done = tilefolder.check(folder, _verifiers(vkeys))
    except (Damaged, Forged) as exc:
        print(f"TAMPERED: {visible(str(exc))}")
        return 1
    found = visible(f"{done.head.size} blocks of {done.head.origin} lead to the checkpoint")
    if not vkeys:
        print(f"NOT PROVEN: {found}, but nobody's signature was asked for (--vkey)")
        return 2
    print(f"PROVEN: {found}, signed by {visible(', '.join(done.signed_by))}")
    return 0


def _verifiers(vkeys: list[str]) -> "list[Verifier]":
    from audit.note import Verifier

    return [Verifier.parse(one) for one in vkeys]
