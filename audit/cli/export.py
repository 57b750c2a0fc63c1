"""``export``: entries exactly as they were sealed, or the blocks as a file of their own."""

import argparse
import os
import sys
from pathlib import Path

from audit.cli import options, select
from audit.cli.options import Commands
from audit.errors import AuditError


def add(commands: Commands) -> None:
    """Add the command."""
    sub = commands.new("export", "print every entry as it was sealed, one JSON object a line", _export)
    options.place(sub, what="a log file, a state folder, a bundle, or a file that names a PostgreSQL")
    options.proof(sub)
    select.add(sub)
    sub.add_argument("--database", type=Path, metavar="FILE", help="write the blocks to a new log file instead")


def _export(args: argparse.Namespace) -> int:
    if args.database is not None:
        return _export_database(args)

    def sink(found: select.Found) -> None:
        sys.stdout.buffer.write(found.sealed.octets + b"\n")

    report = options.prove(options.ask_of(args), select.of(args).sink(sink))
    sys.stdout.buffer.flush()
    return select.closing(report)


def _export_database(args: argparse.Namespace) -> int:
    """Copy the blocks, octet for octet, wherever they are kept; the verdict is the original's."""
    from audit import archive
    from audit.opening import is_bundle, open_log

    if is_bundle(args.log):
        raise AuditError(f"{args.log} is a bundle: it holds entries, not blocks", hint="export the log it comes from")
    if os.path.lexists(args.database):
        raise AuditError(f"{args.database} exists already", hint="evidence is never written over")
    with open_log(args.log) as log:
        archive.put(log.rows(), args.database)
    return select.closing(options.prove(options.ask_of(args)))
