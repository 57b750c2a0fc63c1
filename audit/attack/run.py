"""Makes the copy, runs the attacks, and prints what came of them."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from audit.attack import book, demo, referee, table
from audit.attack.world import World
from audit.clock import SystemClock
from audit.errors import AuditError


def run(args: argparse.Namespace) -> int:
    """Run the attacks; return 0 as each must be seen, 1 where one is seen less, 2 where they cannot be tried.

    Raises ``AuditError`` for a log that cannot be copied, and for a name that no attack has.
    """
    attacks = list(book.attacks(args.only))
    if not attacks:
        raise AuditError(f"no attack and no family is called {args.only!r}", hint="see docs/attacks.md")
    with tempfile.TemporaryDirectory(prefix="attack-") as name:
        place = Path(name)
        world = demo.make(place) if args.demo else World.of(args.log, place, SystemClock(), args.key)
        world.archives = (*world.archives, *args.archive)
        referee.check_honest(world)
        if not args.json:
            _say(_about(world, args))
            _say(table.heading())
        outcomes = []
        for outcome in referee.run(world, attacks):
            outcomes.append(outcome)
            _say(json.dumps(table.facts(outcome)) if args.json else table.line(outcome))
    status, closing = table.exit_code(outcomes), table.closing(outcomes)
    _say(json.dumps({"summary": closing, "exit": status}) if args.json else closing)
    return status


def _about(world: World, args: argparse.Namespace) -> str:
    of = "a log made for this" if args.demo else str(args.log)
    part = "all" if world.whole else "the first"
    anchor, top = f"the auditor's anchor is block {world.anchored}", f"his witnesses saw block {world.top}"
    return f"copies of {of}, {part} {len(world.rows)} blocks; {anchor}, {top}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
