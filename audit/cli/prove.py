"""``prove``: single entries, with everything that proves them, as one text file."""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from audit.cli import options, select
from audit.cli.options import Commands
from audit.errors import AuditError, Malformed, Unreadable

MAX_ENTRIES: Final = 10_000
_LEAF: Final = re.compile(r"[0-9a-f]{64}")
_NUMBER: Final = re.compile(r"\d{1,15}", re.ASCII)
_MAX_NOTE: Final = 65_536
_LISTED: Final = 12


def add(commands: Commands) -> None:
    """Add the command."""
    sub = commands.new("prove", "write a file that proves single entries without the log", _prove)
    what = "an action's id, an entry's number or leaf hash, an incident (* and ? stand for anything); last, the log"
    sub.add_argument("words", nargs="+", metavar="ID", help=what)
    sub.add_argument("--out", type=Path, metavar="FILE", help="write it there instead of printing it")
    options.proof(sub)


class Chosen:
    """The entries meant: each one named, and the outcomes and verdicts of each intent among them."""

    def __init__(self, names: list[str]) -> None:
        """Choose by number, leaf hash, or a glob over ``id``, ``intent_id`` and ``corr``."""
        self._numbers = {int(name) for name in names if _NUMBER.fullmatch(name)}
        self._leaves = {name for name in names if _LEAF.fullmatch(name)}
        self._globs = names
        self.kinds: dict[int, str] = {}
        """Kind of each entry found, by its number."""
        self.top = -1
        """The highest block that holds one."""

    def take(self, found: select.Found) -> None:
        """Take an entry where it is meant; raises ``AuditError`` where too many are."""
        sealed, fields = found
        if not self._means(found):
            return
        if len(self.kinds) == MAX_ENTRIES:
            raise AuditError(f"more than {MAX_ENTRIES} entries are meant", hint="name fewer, or give the log itself")
        self._leaves.add(sealed.leaf)
        self.kinds[sealed.seq] = str(fields.get("kind", "?"))
        self.top = sealed.height

    def _means(self, found: select.Found) -> bool:
        sealed, fields = found
        if sealed.seq in self._numbers or sealed.leaf in self._leaves or fields.get("of") in self._leaves:
            return True
        names = [str(fields[name]) for name in ("id", "intent_id", "corr") if name in fields]
        return any(fnmatchcase(name, glob) for name in names for glob in self._globs)


def _prove(args: argparse.Namespace) -> int:
    from audit.files import write_atomically

    _split(args)
    if args.out is not None and os.path.lexists(args.out):
        raise AuditError(f"{args.out} exists already", hint="evidence is never written over")
    chosen = Chosen(args.words)
    report = options.prove(options.ask_of(args), select.everything(chosen.take))
    if report.tampered:
        return select.closing(report)
    if not chosen.kinds:
        select.closing(report)
        raise AuditError(f"no entry is called {' or '.join(args.words)}", hint="healer-audit show prints their ids")
    octets, size = _made(args, chosen)
    if args.out is None:
        sys.stdout.buffer.write(octets)
        sys.stdout.buffer.flush()
    else:
        write_atomically(args.out, octets)
    _explain(args, chosen, size)
    return select.closing(report)


def _split(args: argparse.Namespace) -> None:
    """Take the last word for the log, where it is a place and not the only word."""
    last = Path(args.words[-1])
    if len(args.words) > 1 and (args.home is None or os.path.lexists(last)):
        args.log = last
        del args.words[-1]
    elif args.home is not None:
        args.log = args.home
    else:
        raise AuditError("which log? it comes last", hint="healer-audit prove ID LOG")


def _made(args: argparse.Namespace, chosen: Chosen) -> tuple[bytes, int]:
    """Return the bundle, and how many blocks the checkpoint covers that it leads to."""
    from audit import proof
    from audit.note import Note
    from audit.opening import open_log
    from audit.places import TREE
    from audit.treehead import TreeHead

    notes = list(_checkpoints(args))
    heads = [TreeHead.parse(Note.parse(note).text) for note in notes]
    covering = [at for at, head in enumerate(heads) if head.size > chosen.top]
    if not covering:
        raise Malformed(
            f"no checkpoint covers block {chosen.top} yet, only those before {max(head.size for head in heads)}",
            hint="wait a second for the next one, or give a newer one with --checkpoint",
        )
    at = covering[0]
    tree = args.log / TREE if args.log.is_dir() else None
    with open_log(args.log) as log:
        return proof.make(log, chosen.kinds, notes[at], tree), heads[at].size


def _checkpoints(args: argparse.Namespace) -> Iterator[bytes]:
    """Yield those given, else those of the state folder: what others cosigned comes first."""
    from audit import holding
    from audit.files import read_small

    for path in args.checkpoint:
        try:
            yield read_small(path, _MAX_NOTE)
        except FileNotFoundError as exc:
            raise Unreadable(f"there is no checkpoint at {path}") from exc
    if args.checkpoint:
        return
    if not args.log.is_dir():
        raise AuditError("an entry is proved to a checkpoint", hint="give one with --checkpoint, or a state folder")
    yield holding.newest(args.log).octets
    yield holding.newest(args.log, cosigned=False).octets


def _explain(args: argparse.Namespace, chosen: Chosen, size: int) -> None:
    from audit.visible import visible

    what = ", ".join(f"{seq} ({visible(kind)})" for seq, kind in list(chosen.kinds.items())[:_LISTED])
    more = len(chosen.kinds) - _LISTED
    print(f"proves {what}{f' and {more} more' if more > 0 else ''}", file=sys.stderr)
    print(
        f"to the checkpoint of {size} blocks; whoever pinned the key and has that verifies it:",
        file=sys.stderr,
    )
    file = args.out or "FILE"
    print(f"  healer-audit verify {file} --key seal.pub (--policy POLICY | --anchor CHECKPOINT)", file=sys.stderr)
