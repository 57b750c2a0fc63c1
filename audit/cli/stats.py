"""``stats``: how many entries of which kinds."""

import argparse
import json

from audit.cli import options, select
from audit.cli.options import Commands


def add(commands: Commands) -> None:
    """Add the command."""
    sub = commands.new("stats", "count entries by kind", _stats)
    options.place(sub)
    options.proof(sub)
    select.add(sub)
    options.as_json(sub)


def _stats(args: argparse.Namespace) -> int:
    from collections import Counter

    from audit.visible import visible

    kinds: Counter[str] = Counter()
    wanted = select.of(args)

    def sink(found: select.Found) -> None:
        kinds[str(found.fields.get("kind", "?"))] += 1

    report = options.prove(options.ask_of(args), wanted.sink(sink))
    if args.json:
        print(json.dumps({**report.to_json(), "kinds": dict(kinds.most_common())}))
        return report.exit_code
    for kind, count in kinds.most_common():
        print(f"{count:>12} {visible(kind)}")
    return select.closing(report)
