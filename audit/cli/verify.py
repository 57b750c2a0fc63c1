"""``verify``: the verdict on a log or a bundle."""

import argparse
import json

from audit.cli import options
from audit.cli.options import Commands


def add(commands: Commands) -> None:
    """Add the command."""
    what = "prove the log; exit 0 proven, 1 tampered, 2 not proven"
    sub = commands.new("verify", what, _verify)
    options.place(sub, what="a log file, a state folder, or a bundle that `prove` made")
    options.proof(sub)
    options.as_json(sub)


def _verify(args: argparse.Namespace) -> int:
    report = options.prove(options.ask_of(args))
    print(json.dumps(report.to_json()) if args.json else report.text())
    return report.exit_code
