"""``show``: entries, line by line, from the bytes that are verified."""

import argparse

from audit.cli import lines, options, select
from audit.cli.options import Commands


def add(commands: Commands) -> None:
    """Add the command."""
    sub = commands.new("show", "print entries, from the bytes that are verified", _show)
    options.place(sub, what="a log file, a state folder, or a bundle")
    options.proof(sub)
    select.add(sub)
    lines.add(sub)
    sub.add_argument("-n", "--lines", type=options.natural, metavar="N", help="print the first so many only")


def _show(args: argparse.Namespace) -> int:
    page = lines.Page.of(args)
    left = args.lines

    def sink(found: select.Found) -> None:
        nonlocal left
        if left is None or left > 0:
            page.put(page.line(found))
        if left:
            left -= 1

    return select.closing(options.prove(options.ask_of(args), select.of(args).sink(sink)))
