"""``tail``: the last entries, and with ``-f`` each new one once it is proved to continue them."""

import argparse
import sys
from collections import deque

from audit.cli import lines, options, select
from audit.cli.options import Commands
from audit.errors import AuditError


def add(commands: Commands) -> None:
    """Add the command."""
    sub = commands.new("tail", "print the last entries, from the bytes that are verified", _tail)
    options.place(sub, what="a log file, a state folder, or a bundle")
    options.proof(sub)
    select.add(sub)
    lines.add(sub)
    sub.add_argument("-n", "--lines", type=options.natural, default=20, metavar="N", help="how many (20)")
    sub.add_argument("-f", "--follow", action="store_true", help="go on: verify and print what comes, until Ctrl-C")


def _tail(args: argparse.Namespace) -> int:
    page, wanted = lines.Page.of(args), select.of(args)
    last: deque[str] = deque(maxlen=args.lines)
    ask = options.ask_of(args)
    report = options.prove(ask, wanted.sink(lambda found: last.append(page.line(found))))
    for line in last:
        page.put(line)
    code = select.closing(report)
    if not args.follow or report.tampered:
        return code
    if report.bundle:
        raise AuditError(f"{args.log} is a bundle: nothing comes after it", hint="leave out -f")
    sys.stdout.flush()
    from audit.cli.follow import Follow

    return Follow(ask, report, wanted, page).run()
