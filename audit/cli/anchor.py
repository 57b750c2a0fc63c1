"""``anchor``: the newest checkpoint of a log, to be kept where the log is not."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from audit.cli import options
from audit.cli.options import Commands

if TYPE_CHECKING:
    from audit.holding import Held


def add(commands: Commands) -> None:
    """Add the command."""
    sub = commands.new("anchor", "print the newest cosigned checkpoint, to be kept elsewhere", _anchor)
    options.place(sub, "state", "the state folder")
    sub.add_argument("--own", action="store_true", help="the log's newest own checkpoint, cosigned or not")
    sub.add_argument("--out", type=Path, metavar="FILE", help="write it there instead; an older one is replaced")
    options.as_json(sub)


def _anchor(args: argparse.Namespace) -> int:
    from audit import holding
    from audit.files import write_atomically

    held = holding.newest(args.state, cosigned=not args.own)
    line = f"log {holding.vkey(args.state)}"
    if args.out is not None:
        write_atomically(args.out, held.octets)
    if args.json:
        facts = {"checkpoint": held.octets.decode(), "height": held.head.size - 1, "origin": held.head.origin}
        print(json.dumps({**facts, "cosigners": held.cosigners, "path": str(held.path), "policy": line}))
        return 0
    if args.out is None:
        sys.stdout.write(held.octets.decode())
    _say(held, line)
    return 0


def _say(held: "Held", line: str) -> None:
    from audit.visible import visible

    by = ", ".join(held.cosigners) or "nobody else"
    # Beside the data: what is kept elsewhere must be the checkpoint to the octet.
    print(f"up to block {held.head.size - 1}, cosigned by {visible(by)}", file=sys.stderr)
    print(f"in a policy, this log is: {line}", file=sys.stderr)
